"""Places that hold files under names: a local folder here, object stores and archives behind the
same interface.

A key is the name of a file within its store, its parts joined by "/". A key of a local file whose
name is no UTF-8 holds surrogates, as `os.fsdecode` makes them.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from latentpress.system.files import atomic_write, output_error, replacing
from latentpress.system.sources import read_source, unreadable

MEMORY_BYTES = 1 << 24  # of an output that is kept in memory; a longer one waits on disk


@dataclass(frozen=True)
class Entry:
    """A file of a store. size: bytes. version: another one where the content may be another: the
    size and the time of the last change, or what the store itself gives.
    """

    key: str
    size: int
    version: str


class Store(Protocol):
    """A place of files. Threads and processes may share one."""

    url: str

    def entries(self) -> Iterator[Entry]:
        """Its files, in the order of their keys; no hidden ones. ImageError where it is not
        there or cannot be listed.
        """
        ...

    def entry(self, key: str) -> Entry | None:
        """One file, None where it is not there."""
        ...

    def read(self, key: str) -> bytes:
        """The bytes of a file; ImageError where it cannot be read."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """A whole file or nothing; an existing one is replaced. OutputError."""
        ...


class FolderStore:
    """A local folder, made when the first file is written."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.url = os.fspath(folder)
        self._folder = Path(folder)

    def path(self, key: str) -> Path:
        """Where a file lies."""
        return self._folder / key

    def entries(self) -> Iterator[Entry]:
        """As of Store; links that lead out of the folder are left out."""
        raise NotImplementedError

    def entry(self, key: str) -> Entry | None:
        """As of Store."""
        try:
            status = self.path(key).stat()
        except OSError:
            return None
        return Entry(key, status.st_size, f"{status.st_size}-{status.st_mtime_ns}")

    def read(self, key: str) -> bytes:
        """As of Store."""
        return read_source(self.path(key))

    def write(self, key: str, data: bytes) -> None:
        """As of Store."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, data, overwrite=True)

    def open(self, key: str) -> BinaryIO:
        """As `opened`."""
        try:
            return open(self.path(key), "rb")
        except OSError as error:
            raise unreadable(str(self.path(key)), error) from error

    @contextmanager
    def writing(self, key: str) -> Iterator[BinaryIO]:
        """As `writing`."""
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(path.parent, error) from error
        with replacing(path, overwrite=True) as stream:
            yield stream


def opened(store: Store, key: str) -> BinaryIO:
    """A file of a store as a stream that can seek, by the store's own `open` where it has one:
    then it is not held whole. ImageError where it cannot be read.
    """
    own = getattr(store, "open", None)
    stream: BinaryIO = io.BytesIO(store.read(key)) if own is None else own(key)
    return stream


@contextmanager
def writing(store: Store, key: str) -> Iterator[BinaryIO]:
    """A stream whose bytes become a file of a store when the block ends, all of them, and nothing
    when it fails; by the store's own `writing` where it has one. OutputError.
    """
    own = getattr(store, "writing", None)
    if own is not None:
        with own(key) as stream:
            yield stream
        return
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as spool:
        try:
            yield spool  # type: ignore[misc]  # a stream in all but its class, before Python 3.11
        except OSError as error:
            raise output_error(tempfile.gettempdir(), error) from error
        spool.seek(0)
        whole = io.BytesIO()
        shutil.copyfileobj(spool, whole)
        store.write(key, whole.getvalue())


def open_store(url: str) -> Store:
    """The store of a folder's path or of a URL.

    Raises:
        UsageError: what the URL needs is not installed, or nothing is known for its scheme.
    """
    return FolderStore(url)
