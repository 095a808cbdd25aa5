"""What a worker of a cluster is sent, and what it does with it.

The module is imported on every machine of the cluster, so latentpress has to be installed there, of
the same version.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from latentpress import __version__
from latentpress.collection.unit import Row, Task, Unit
from latentpress.errors import UsageError
from latentpress.runtimes.choice import PRECISION_VARIABLE, RUNTIME_VARIABLE
from latentpress.runtimes.threads import limited_to
from latentpress.system.malloc import return_freed_arrays

# of the environment what decides which bytes come out, and which pictures are refused
DECIDING = (
    RUNTIME_VARIABLE,
    PRECISION_VARIABLE,
    "LATENTPRESS_MAX_PIXELS",
    "LATENTPRESS_MAX_NUMBERS",
)
VARIABLES = (*DECIDING, "LATENTPRESS_METRIC_WEIGHTS")  # what a worker takes over


@dataclass(frozen=True)
class Origin:
    """Where the command was given. folder: the current one, to which relative names refer.
    variables: those of VARIABLES that are set.
    """

    version: str
    folder: str
    variables: tuple[tuple[str, str], ...]

    @classmethod
    def here(cls) -> Origin:
        """Of this process."""
        set_here = tuple((name, os.environ[name]) for name in VARIABLES if name in os.environ)
        return cls(__version__, os.getcwd(), set_here)

    def adopt(self, roots: set[str]) -> None:
        """Make this process work as if the command had been given here.

        Raises:
            UsageError: it has another version of latentpress, or the folder to which relative ones
                among `roots` refer is not here.
        """
        if self.version != __version__:
            raise UsageError(
                f"the worker on {platform.node()} has latentpress {__version__}, and the "
                f"command is of {self.version}: install one version on all machines"
            )
        for name in DECIDING:
            os.environ.pop(name, None)
        os.environ.update(self.variables)
        try:
            os.chdir(self.folder)
        except OSError as error:
            if relative := sorted(root for root in roots if is_relative(root)):
                raise UsageError(
                    f"the worker on {platform.node()} has no folder {self.folder}, in which "
                    f"{relative[0]} lies: on several machines name a folder that all of them "
                    "share, or a URL"
                ) from error


def is_relative(root: str) -> bool:
    """Whether a store is a local folder, named from the current one."""
    return "://" not in root and not os.path.isabs(root)


def is_local(root: str) -> bool:
    """Whether a store is a folder of a machine, and no URL."""
    return "://" not in root


@dataclass(frozen=True)
class Done:
    """The rows of each unit, in order, and the machine that did the work."""

    rows: tuple[list[Row], ...]
    node: str


def work(task: Task, units: Sequence[Unit], origin: Origin, threads: int) -> Done:
    """Do the task for each unit, the model on so many threads.

    Raises:
        UsageError: as of Origin.adopt.
        Exception: what the task raises to end the whole run.
    """
    origin.adopt({task.output, *(unit.root for unit in units)})
    return_freed_arrays()
    with limited_to(threads):
        return Done(tuple(task(unit) for unit in units), platform.node())
