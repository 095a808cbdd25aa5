r"""What was done, a line of JSON for each picture: by it a run is resumed.

manifest.jsonl lies beside the outputs. The first line of each run is {"run": ...}: the version and
what was asked. Every other line is a Row, with `request`, a fingerprint of what was asked. A line
is written at once and at the end of the file, so that a run that is killed leaves whole lines and
at most a torn last one, which is dropped. Names are JSON in ASCII: a byte that is no UTF-8 is
\udcXX, as `os.fsdecode` makes it.

Of earlier runs a number for each output is kept in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from latentpress.collection.find import MANIFEST
from latentpress.collection.lines import parsed
from latentpress.collection.remote_manifest import RemoteManifest
from latentpress.collection.unit import Row, Unit
from latentpress.errors import OutputError
from latentpress.system.files import locked, output_error
from latentpress.system.sources import unreadable
from latentpress.system.stores import FolderStore, Store

SIZE_BITS = 48  # a file of 281 TB
SHA256_DIGITS = 64


def fingerprint(request: Mapping[str, object]) -> str:
    """Of what was asked: another one where something else was."""
    text = json.dumps(request, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def as_line(row: Row, request: str) -> dict[str, Any]:
    """A row as the manifest holds it."""
    line: dict[str, Any] = {"source": row.source}
    if row.member:
        line["member"] = row.member
    line |= {
        "output": row.output,
        "source_bytes": row.source_bytes,
        "output_bytes": row.output_bytes,
        **row.fields,
        "seconds": round(row.seconds, 3),
        "source_sha256": row.source_sha256,
        "output_sha256": row.output_sha256,
        "error": row.error,
        "notices": list(row.notices),
        "version": row.version,
        "request": request,
    }
    return line


class Earlier:
    """What earlier runs recorded, as far as this one needs it: 130 MB for a million outputs, about.

    checksums: whether those of the outputs and their sources are kept, too.
    """

    def __init__(self, checksums: bool = False) -> None:
        # hash of an output -> its bytes, and above them a hash of its version and request
        self._states: dict[int, int] = {}
        self._checksums: dict[int, bytes] | None = {} if checksums else None

    def add(self, line: Mapping[str, Any]) -> None:
        """Take a line of a manifest into account."""
        if "run" in line or line.get("member") or line.get("error"):
            return
        output, size = line.get("output"), line.get("output_bytes")
        if not isinstance(output, str) or not isinstance(size, int):
            return
        state = _mixed(line.get("version"), line.get("request"))
        self._states[hash(output)] = state << SIZE_BITS | size
        if self._checksums is not None:
            with contextlib.suppress(ValueError):
                both = (line.get("output_sha256"), line.get("source_sha256") or "")
                self._checksums[hash(output)] = bytes.fromhex(f"{both[0]}{both[1]}")

    def size(self, output: str) -> int | None:
        """The bytes of an output as they were recorded, None where it was not. 0: it was left out
        on purpose.
        """
        state = self._states.get(hash(output))
        return None if state is None else state & (1 << SIZE_BITS) - 1

    def is_done(self, unit: Unit, request: str) -> bool:
        """Whether this was recorded of this version of the source, under the same request."""
        state = self._states.get(hash(unit.output))
        return state is not None and state >> SIZE_BITS == _mixed(unit.version, request)

    def checksums(self, output: str) -> tuple[str, str]:
        """The recorded SHA-256 of an output and of its source, "" where it is not known."""
        both = (self._checksums or {}).get(hash(output), b"").hex()
        return both[:SHA256_DIGITS], both[SHA256_DIGITS:]


def _mixed(version: object, request: object) -> int:
    return hash((str(version), request)) & (1 << 63) - 1


class Manifest(Protocol):
    """The record of a folder of outputs, to be read and written by one run at a time."""

    def lines(self) -> Iterator[dict[str, Any]]:
        """Its lines so far, in order."""
        ...

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write lines. OutputError."""
        ...

    def close(self) -> None:
        """No more will come."""
        ...


class LocalManifest:
    """The manifest of a local folder, which is made where it is not there.

    Raises:
        OutputError: it cannot be written, or another run is writing it.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = os.path.join(folder, MANIFEST)
        try:
            os.makedirs(folder or ".", exist_ok=True)
            # without O_BINARY Windows ends lines in two characters
            way = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._file = os.open(self.path, way, 0o666)
        except OSError as error:
            raise output_error(self.path, error) from None
        try:
            if not locked(self._file):
                raise OutputError(f"{self.path}: another run is writing there")
            self._end_in_a_line()
        except OSError as error:
            self.close()
            raise output_error(self.path, error) from None
        except BaseException:
            self.close()
            raise

    def _end_in_a_line(self) -> None:
        """Drop a torn last line."""
        end = size = os.fstat(self._file).st_size
        with open(self.path, "rb") as stream:
            while end:
                start = max(0, end - 65536)
                stream.seek(start)
                at = stream.read(end - start).rfind(b"\n")
                if at >= 0:
                    end = start + at + 1
                    break
                end = start
        if end < size:
            os.ftruncate(self._file, end)

    def lines(self) -> Iterator[dict[str, Any]]:
        """As of Manifest."""
        return read_lines(self.path)

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """As of Manifest: all lines at once."""
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        try:
            if os.fstat(self._file).st_nlink == 0:
                raise OutputError(f"{self.path}: was removed while the run was writing it")
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            raise output_error(self.path, error) from None

    def close(self) -> None:
        """As of Manifest."""
        with contextlib.suppress(OSError):
            os.close(self._file)


def read_lines(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The lines of a manifest; what is no line of one is left out. ImageError where it cannot be
    read.
    """
    try:
        with open(path, "rb") as stream:
            yield from parsed(stream)
    except OSError as error:
        raise unreadable(os.fspath(path), error) from error


class Readable:
    """A manifest of a local folder that is only read."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = os.path.join(folder, MANIFEST)

    def lines(self) -> Iterator[dict[str, Any]]:
        """As of Manifest. ImageError where there is none."""
        return read_lines(self.path)

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Not possible."""
        raise OutputError(f"{self.path}: was opened to be read")

    def close(self) -> None:
        """As of Manifest."""


def open_manifest(store: Store, read_only: bool = False) -> Manifest:
    """The manifest of a store of outputs. read_only: for who does not write it."""
    if isinstance(store, FolderStore):
        return Readable(store.url or ".") if read_only else LocalManifest(store.url or ".")
    return RemoteManifest(store.url, read_only)
