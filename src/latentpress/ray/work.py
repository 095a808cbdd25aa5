"""What a worker of a cluster is sent, and what it does with it.

The module is imported on every machine of the cluster, so latentpress has to be installed there, of
the same version.
"""

from __future__ import annotations

import os
import platform
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from latentpress import __version__
from latentpress.collection.unit import Row, Task, Unit
from latentpress.errors import LatentpressError, UsageError
from latentpress.runtimes.choice import PRECISION_VARIABLE, RUNTIME_VARIABLE
from latentpress.runtimes.threads import Canceled, canceled_by, limited_to

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
    """The rows of each unit, in order, and the machine that did the work. error: what ends the
    whole run; where there is one, or the task was canceled, the rows are of the units before.
    """

    rows: tuple[list[Row], ...]
    node: str
    error: LatentpressError | None = None


def work(task: Task, units: Sequence[Unit], origin: Origin, threads: int) -> Done:
    """Do the task for each unit, the model on so many threads; where Ray cancels it, end before the
    next graph, with what is done.

    Raises:
        UsageError: as of Origin.adopt.
    """
    origin.adopt({task.output, *(unit.root for unit in units)})
    rows: list[list[Row]] = []
    ending = None
    with limited_to(threads), _cancellation() as canceled, canceled_by(canceled):
        try:
            for unit in units:
                if canceled.is_set():
                    break
                rows.append(task(unit))
        except Canceled:
            pass
        except LatentpressError as error:
            ending = error
    return Done(tuple(rows), platform.node(), ending)


@contextmanager
def _cancellation() -> Iterator[Event]:
    """An event that is set where Ray cancels the task, which it does by a signal that would
    otherwise end it between a file and its row. A second one ends it at once.
    """
    canceled = Event()

    def hear(*_: object) -> None:
        if canceled.is_set():
            raise KeyboardInterrupt
        canceled.set()

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield canceled
    finally:
        signal.signal(signal.SIGINT, before)
