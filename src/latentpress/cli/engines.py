"""Who does the work of a run over folders: this machine's threads, or a Ray cluster."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from latentpress.errors import UsageError

if TYPE_CHECKING:
    from latentpress.collection.unit import Engine

ENGINES = ("local", "ray")

EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="[local|ray]",
        help="Who works on folders and lists: this machine, or a Ray cluster.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Of the Ray cluster: auto for the one that runs here, or HOST:PORT.",
        show_default="one of this machine alone, for the run",
    ),
]


def check_engine(name: str, address: str | None) -> bool:
    """Whether a cluster is asked for, which makes a run of any inputs one over folders.

    Raises:
        UsageError: there is no such engine, or an address is given for the local one.
    """
    if name not in ENGINES:
        raise UsageError(f"--engine: one of {', '.join(ENGINES)}, not {name!r}")
    if address is not None and name != "ray":
        raise UsageError("--address is of a Ray cluster: add --engine ray")
    return name == "ray"


def engine_of(name: str, address: str | None, jobs: int | None, device: str) -> "Engine":
    """The engine that the options of a command name. device: cuda takes a GPU a unit of the
    cluster. UsageError as of check_engine.
    """
    if not check_engine(name, address):
        from latentpress.collection.local import LocalEngine

        return LocalEngine(jobs)
    # before Ray is imported: else it prints of each worker that dies, to standard output
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    from latentpress.ray.engine import RayEngine

    return RayEngine(address, jobs, gpus=1 if device == "cuda" else 0)
