"""A shard or a table as one unit of work: read as a stream, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, cast

from latentpress.collection.faults import ENDING, sentence
from latentpress.collection.members import Change
from latentpress.collection.shards import change_shard
from latentpress.collection.tables import change_table
from latentpress.collection.unit import Row, Unit, joined
from latentpress.errors import ImageError, LatentpressError, OutputError, prefixed
from latentpress.system.files import UntouchedError
from latentpress.system.stores import FolderStore, Store, open_file, writing
from latentpress.system.tars import inflated

PARQUET = ".parquet"
COPY_BYTES = 1 << 20


def is_table(key: str) -> bool:
    """Whether a file is a table, by its name."""
    return key.lower().endswith(PARQUET)


class Input(io.RawIOBase):
    """What is read of a stream, from its beginning to its end, with its checksum."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Bytes of the stream."""
        data = self._stream.read(size)
        self.digest.update(data)
        return data


class Output(io.RawIOBase):
    """What is written to a stream, with its size and checksum; None: nowhere."""

    def __init__(self, stream: BinaryIO | None) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """How many bytes were written."""
        return self.size

    def write(self, data: Any) -> int:
        """Write all of it."""
        view = memoryview(data).cast("B")
        self.digest.update(view)
        self.size += len(view)
        if self._stream is not None:
            self._stream.write(view)
        return len(view)


# what is read and written -> the rows, and, as a text, the SHA-256 of what was read
Work = Callable[[BinaryIO, "Output"], Iterator["Row | str"]]


def change_archive(
    unit: Unit,
    source: Store,
    target: Store,
    change: Change,
    *,
    columns: Sequence[str] = (),
    may_replace: bool = False,
) -> list[Row]:
    """Make the archive that a unit's becomes, as of `make_of_archive`. columns: of a table, as of
    `change_table`.
    """
    kind = _table if is_table(unit.key) else _shard
    work = partial(kind, change=change, columns=columns)
    return make_of_archive(unit, source, target, work, may_replace=may_replace)


def make_of_archive(
    unit: Unit, source: Store, target: Store, work: Work, *, may_replace: bool = False
) -> list[Row]:
    """Make the output of a unit that is an archive. A row for each of its pictures, and for each
    member that is not taken over; the last one is the archive's own, and alone where that fails.

    may_replace: whether an output that is there, and is another one, may be replaced.
    """
    begin = time.perf_counter()
    rows: list[Row] = []
    output = Output(None)
    size = unit.size
    checksum = error = ""
    try:
        with (
            open_file(source, unit.key) as stream,
            suppress(UntouchedError),
            writing(target, unit.output, like=_like(source, unit)) as place,
        ):
            output = Output(place)
            size = stream.seek(0, os.SEEK_END)  # which a server of the web may not have told
            stream.seek(0)
            for item in work(stream, output):
                if isinstance(item, Row):
                    rows.append(replace(item, version=unit.version))
                else:
                    checksum = item
            _settle(unit, target, output, may_replace)
    except ENDING:
        raise
    except LatentpressError as fault:
        named = fault if str(fault).startswith(unit.source) else prefixed(unit.source, fault)
        rows, error = [], str(fault if isinstance(fault, OutputError) else named)
    except Exception as fault:
        rows, error = [], sentence(unit.source, fault)
    about = Row(
        unit.source,
        unit.version,
        source_bytes=size,
        source_sha256=checksum,
        seconds=time.perf_counter() - begin,
        error=error,
    )
    if not error:
        about = replace(
            about,
            output=unit.output,
            output_bytes=output.size,
            output_sha256=output.digest.hexdigest(),
            fields={"members": len(rows), "failed": sum(bool(row.error) for row in rows)},
        )
    return [*rows, about]


def check_archive(unit: Unit, target: Store, change: Change, columns: Sequence[str] = ()) -> str:
    """What is wrong with an archive that was made, "" where it is the expected one and each of its
    pictures can be decoded.

    change: its press decodes, and gives nothing back.
    """
    try:
        with open_file(target, unit.output) as stream:
            kind = _table if is_table(unit.output) else _shard
            for item in kind(stream, Output(None), change, columns):
                if isinstance(item, Row) and item.error and not item.source_sha256:
                    continue  # a member that is no output
                if isinstance(item, Row) and item.error:
                    return f"{item.error}: made anew"
                if isinstance(item, str) and item != unit.expected:
                    return f"{unit.output} was not as the manifest has it: made anew"
    except ENDING:
        raise
    except Exception as fault:
        return f"{sentence(unit.output, fault)}: made anew"
    return ""


def _shard(
    stream: BinaryIO, output: Output, change: Change, columns: Sequence[str]
) -> Iterator[Row | str]:
    """The rows of a shard, then its SHA-256."""
    source = Input(stream)
    yield from change_shard(
        inflated(cast(BinaryIO, source), stream), cast(BinaryIO, output), change
    )
    checksum_of(cast(BinaryIO, source))  # of what stands behind its end
    yield source.digest.hexdigest()


def size_of_shard(unit: Unit, source: Store, change: Change) -> int:
    """The bytes of the shard that a unit's becomes. FormatError and ImageError as of
    `change_shard`.
    """
    output = Output(None)
    with open_file(source, unit.key) as stream:
        for _ in _shard(stream, output, change, ()):
            pass
    return output.size


def _table(
    stream: BinaryIO, output: Output, change: Change, columns: Sequence[str]
) -> Iterator[Row | str]:
    """The SHA-256 of a table, then its rows."""
    yield checksum_of(stream)
    stream.seek(0)
    yield from change_table(stream, cast(BinaryIO, output), change, columns)


def checksum_of(stream: BinaryIO) -> str:
    """SHA-256 of what a stream still holds, hex. ImageError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        while data := stream.read(COPY_BYTES):
            digest.update(data)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def _settle(unit: Unit, target: Store, output: Output, may_replace: bool) -> None:
    """Leave what is there where it is the same; OutputError where it is another, and may not be
    replaced.
    """
    if may_replace or target.entry(unit.output) is None:
        return
    with open_file(target, unit.output) as stream:
        there = checksum_of(stream)
    if there == output.digest.hexdigest():  # by a run that was killed before it told so
        raise UntouchedError
    raise OutputError(
        f"{joined(target.url, unit.output)}: exists already, and is not what an earlier run "
        "wrote: --overwrite replaces it, --skip-existing keeps it"
    )


def _like(source: Store, unit: Unit) -> os.PathLike[str] | None:
    return source.path(unit.key) if isinstance(source, FolderStore) else None
