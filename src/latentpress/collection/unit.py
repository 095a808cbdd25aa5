"""What is done at a time, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Iterable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Unit:
    """A file that a worker reads at once: a picture, a shard of many, a table.

    root: the URL of its store, as of `stores.open_store`. key: its name there. output: the name
    of what is made of it, in the store of the outputs. version: as of `stores.Entry`. size: bytes.
    """

    root: str
    key: str
    output: str
    version: str
    size: int


@dataclass(frozen=True)
class Row:
    """A line of the manifest: one picture, or one shard as a whole.

    key: the unit's; member: the name of the picture within the unit, "" of a picture that is a
    file of its own and of a shard as a whole. output: the name of what was written, "" where
    nothing was. source_bytes and output_bytes: sizes. source_sha256 and output_sha256: hex.
    error: one sentence, "" where it went well. fields: what else is known (width, height, bpp,
    quality, metrics), JSON values by their names.
    """

    key: str
    version: str
    output: str = ""
    member: str = ""
    source_bytes: int = 0
    output_bytes: int = 0
    source_sha256: str = ""
    output_sha256: str = ""
    seconds: float = 0.0
    error: str = ""
    notices: tuple[str, ...] = ()
    fields: dict[str, object] = field(default_factory=dict)


class Task(Protocol):
    """What a worker does with a unit. It can be pickled, and threads may share it."""

    def __call__(self, unit: Unit) -> list[Row]:
        """Read, work, write. A picture that fails is a row with an error; what ends the whole run
        (a full disk, a usage error) is raised.
        """
        ...


class Engine(Protocol):
    """Who works: threads of this process, or a cluster."""

    def map(self, task: Task, units: Iterable[Unit]) -> Iterator[tuple[Unit, list[Row]]]:
        """The rows of each unit, as they come; few units more than are in work are taken ahead."""
        ...


Progress = Callable[[Unit, list[Row]], None]
