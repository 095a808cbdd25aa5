"""Places that hold files under names: a local folder here, object stores and archives behind the
same interface.

A key is the name of a file within its store, its parts joined by "/". A key of a local file whose
name is no UTF-8 holds surrogates, as `os.fsdecode` makes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from latentpress.system.files import atomic_write
from latentpress.system.places import UrlPath, as_path
from latentpress.system.remote import opened
from latentpress.system.sources import read_source
from latentpress.system.urls import shown


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


class ObjectStore:
    """What lies below a URL, through fsspec; as `remote.Remote` says."""

    def __init__(self, url: str) -> None:
        self.url = url
        opened(url)  # where it cannot be, the command ends before any work

    def __str__(self) -> str:
        return shown(self.url)

    def entries(self) -> Iterator[Entry]:
        """As of Store."""
        return (Entry(*found) for found in opened(self.url).entries())

    def entry(self, key: str) -> Entry | None:
        """As of Store."""
        found = opened(self.url).find(key)
        return None if found is None else Entry(*found)

    def read(self, key: str) -> bytes:
        """As of Store."""
        return opened(self.url).read(key)

    def write(self, key: str, data: bytes) -> None:
        """As of Store."""
        opened(self.url).write(data, key)


def open_store(url: str) -> Store:
    """The store of a folder's path or of a URL.

    Raises:
        UsageError: what the URL needs is not installed, or nothing is known for its scheme.
    """
    found = as_path(url)
    return ObjectStore(url) if isinstance(found, UrlPath) else FolderStore(found)
