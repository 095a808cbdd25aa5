"""What is done at a time, and what is told of it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from latentpress.system.urls import shown


@dataclass(frozen=True)
class Unit:
    """A file that a worker reads at once: a picture, a shard of many, a table.

    root: the URL of its store, as of `stores.open_store`. key: its name there. output: the name
    of what is made of it, in the store of the outputs. version: as of `stores.Entry`. size: bytes.
    replace: whether an output that is there may be replaced, as one that an earlier run made.
    expected: where not "", the SHA-256 of an output that is to be checked; the work is done where
    it is not that, or does not decode. made_of: the SHA-256 of the source of that output, where it
    is known; the work is done, too, where the source has another one now.
    """

    root: str
    key: str
    output: str
    version: str
    size: int
    replace: bool = False
    expected: str = ""
    made_of: str = ""

    @property
    def source(self) -> str:
        """The file's name for people."""
        return joined(self.root, self.key)


def joined(root: str, key: str) -> str:
    """The name of a file in a store, for people: without what is secret in a URL."""
    return key if root in ("", ".") else shown(f"{root.rstrip('/')}/{key}")


@dataclass(frozen=True)
class Row:
    """A line of the manifest: one picture, or one shard as a whole.

    source: the unit's; member: the name of the picture within the unit, "" of a picture that is a
    file of its own and of a shard as a whole. output: the name of what was written, "" where
    nothing was. source_bytes and output_bytes: sizes. source_sha256 and output_sha256: hex.
    error: one sentence, "" where it went well. fields: what else is known (width, height, bpp,
    quality, metrics), JSON values by their names.
    """

    source: str
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


@dataclass(frozen=True)
class Made:
    """The bytes of an output, and what the manifest tells of it. data: None where nothing is to be
    written.
    """

    data: bytes | None
    notices: tuple[str, ...] = ()
    fields: dict[str, object] = field(default_factory=dict)


class Task(Protocol):
    """What a worker does with a unit. It can be pickled, and threads may share it."""

    @property
    def output(self) -> str:
        """The URL of the store that it writes to."""
        ...

    def request(self) -> dict[str, object]:
        """What was asked, as JSON values: all that changes the outputs' bytes or the rows."""
        ...

    def pixels(self, unit: Unit) -> int:
        """How many pixels the unit's work holds at a time, about; 0 where that is not known."""
        ...

    def works_alone(self, units: Sequence[Unit]) -> bool:
        """Whether the work on one of these takes all cores and much memory, as torch does, so that
        a machine does one after the other unless it is told otherwise.
        """
        ...

    def __call__(self, unit: Unit) -> list[Row]:
        """Read, work, write. A picture that fails is a row with an error; what ends the whole run
        (a full disk, a usage error) is raised. No row: the output is there, as expected.
        """
        ...


class Engine(Protocol):
    """Who works: threads of this process, or a cluster."""

    def map(self, task: Task, units: Iterable[Unit]) -> Generator[tuple[Unit, list[Row]]]:
        """The rows of each unit, as they come; few units more than are in work are taken ahead. An
        exception that is thrown in ends the work; rows of what is done by then may come before.
        """
        ...
