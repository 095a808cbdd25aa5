"""The manifest of outputs in an object store, whose files cannot be appended to.

While a run goes, its rows are written in parts, manifest/RUN-NUMBER.jsonl, each whole. At its end
they become a part of manifest.jsonl and are deleted. A run that is killed leaves its parts, which
the next one reads and takes up; it loses the rows of the last seconds, whose outputs are found to
be there when their pictures come again.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from latentpress.collection.find import MANIFEST, PARTS
from latentpress.collection.lines import parsed, split
from latentpress.errors import ImageError, OutputError
from latentpress.system.faults import MissingError
from latentpress.system.files import output_error
from latentpress.system.remote import opened
from latentpress.system.urls import joined, shown

SECONDS = 10.0  # at most between a row and its part, where rows come
ROWS = 2000  # of a part


class RemoteManifest:
    """The record of a store of outputs.

    Two runs into one store at a time each record their own rows; the one that ends last may leave
    out rows of the other, whose pictures are then found to be there.

    Args:
        url: of the store.
        read_only: for who does not write it.
    """

    def __init__(self, url: str, read_only: bool = False) -> None:
        self.url = url
        self.read_only = read_only
        when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._run = f"{when}-{secrets.token_hex(4)}"
        self._waiting: list[bytes] = []
        self._number = 0
        self._written = time.monotonic()

    def lines(self) -> Iterator[dict[str, Any]]:
        """As of Manifest. ImageError where it cannot be read, or is read only and not there."""
        found = False
        for _, chunks in self._files():
            found = True
            yield from parsed(split(chunks))
        if self.read_only and not found:
            raise ImageError(f"{shown(joined(self.url, MANIFEST))}: no such file")

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """As of Manifest; the first lines are written at once, so that a store that cannot be
        written to ends the run before its work.
        """
        if self.read_only:
            raise OutputError(f"{shown(self.url)}: was opened to be read")
        self._waiting += [json.dumps(line).encode() + b"\n" for line in lines]
        is_late = time.monotonic() - self._written > SECONDS
        if is_late or len(self._waiting) >= ROWS or not self._number:
            self._flush()

    def close(self) -> None:
        """Write what waits, and make one manifest of all parts. Where that fails, the parts stay
        and are read by the next run.
        """
        if self.read_only or not (self._number or self._waiting):
            return
        self._flush()
        remote = opened(self.url)
        parts = []
        with tempfile.TemporaryDirectory(prefix="latentpress-") as folder:
            whole = Path(folder, MANIFEST)
            try:
                with whole.open("wb") as stream:
                    for key, chunks in self._files():
                        if key != MANIFEST:
                            parts.append(key)
                        stream.writelines(line for line in split(chunks) if line.endswith(b"\n"))
            except OSError as error:
                raise output_error(whole, error) from None
            remote.write_file(whole, MANIFEST)
        for key in parts:
            remote.remove(key)

    def _flush(self) -> None:
        if self._waiting:
            key = f"{PARTS}{self._run}-{self._number:06}.jsonl"
            opened(self.url).write(b"".join(self._waiting), key)
            self._number += 1
            self._waiting = []
        self._written = time.monotonic()

    def _files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The manifest and the parts, in the order of their writing: keys and bytes."""
        remote = opened(self.url)
        if remote.find(MANIFEST) is not None:
            yield MANIFEST, remote.chunks(MANIFEST)
        parts = opened(joined(self.url, PARTS))
        if parts.is_folder():
            for found in list(parts.entries()):
                key = PARTS + found.key
                yield key, _there(remote.chunks(key))


def _there(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of a part; none where another run that ends has taken it up."""
    with contextlib.suppress(MissingError):
        yield from chunks
