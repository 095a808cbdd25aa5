"""Places that hold files under names: a local folder here, object stores and archives behind the
same interface.

A key is the name of a file within its store, its parts joined by "/". A key of a local file whose
name is no UTF-8 holds surrogates, as `os.fsdecode` makes them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from latentpress.errors import ImageError
from latentpress.system.files import atomic_write, output_error, remove_stale
from latentpress.system.places import UrlPath, as_path
from latentpress.system.sources import read_source, unreadable
from latentpress.system.urls import shown

if TYPE_CHECKING:
    from latentpress.system.remote import Remote


@dataclass(frozen=True)
class Entry:
    """A file of a store. size: bytes. version: another one where the content may be another: the
    size and the time of the last change, or what the store itself gives.
    """

    key: str
    size: int
    version: str


@dataclass
class LeftOut:
    """What a listing leaves out. hidden: files and folders whose names begin with a dot. links:
    those that lead out of the store, to a folder, or nowhere. problems: folders that cannot be
    listed.
    """

    hidden: int = 0
    links: int = 0
    problems: list[ImageError] = field(default_factory=list)


class Store(Protocol):
    """A place of files. Threads and processes may share one."""

    url: str

    def entries(self, left_out: LeftOut | None = None) -> Iterator[Entry]:
        """Its files, in the order of their keys; no hidden ones. ImageError where it is not
        there or cannot be listed. left_out: is told what is not among them.
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

    def entries(self, left_out: LeftOut | None = None) -> Iterator[Entry]:
        """As of Store. A link to a file within the folder counts as a file; links to folders are
        not followed, so that the walk ends and nothing is taken twice.
        """
        left_out = LeftOut() if left_out is None else left_out
        try:
            top = _listed(self.url or ".")
            real = os.path.realpath(self.url or ".")
        except OSError as error:
            raise unreadable(self.url, error) from error
        waiting = [iter(top)]
        prefixes = [""]
        while waiting:
            found = next(waiting[-1], None)
            if found is None:
                waiting.pop()
                prefixes.pop()
                continue
            key = prefixes[-1] + found.name
            if found.name.startswith("."):
                left_out.hidden += 1
            elif found.is_symlink():
                if (entry := self._linked(key, real)) is None:
                    left_out.links += 1
                else:
                    yield entry
            elif _is_folder(found):
                try:
                    waiting.append(iter(_listed(found.path)))
                    prefixes.append(f"{key}/")
                except OSError as error:
                    left_out.problems.append(unreadable(found.path, error))
            elif (entry := self.entry(key)) is not None:
                yield entry

    def _linked(self, key: str, real: str) -> Entry | None:
        """The file that a link within the folder leads to; None of any other link."""
        end = os.path.realpath(self.path(key))
        return self.entry(key) if end.startswith(os.path.join(real, "")) else None

    def entry(self, key: str) -> Entry | None:
        """As of Store."""
        try:
            status = self.path(key).stat()
        except (OSError, ValueError):  # the latter of a null character
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return Entry(key, status.st_size, f"{status.st_size}-{status.st_mtime_ns}")

    def read(self, key: str) -> bytes:
        """As of Store."""
        return read_source(self.path(key))

    def write(self, key: str, data: bytes, *, like: str | os.PathLike[str] | None = None) -> None:
        """As of Store. like: a file whose permissions a new one does not exceed."""
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(path, error) from None
        atomic_write(path, data, overwrite=True, like=like)

    def tidy(self, key: str) -> None:
        """Remove what writers that were killed left beside a file."""
        remove_stale(self.path(key).parent)


def _listed(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, in the order of the keys: a folder sorts as its name with "/"."""
    with os.scandir(folder) as found:
        return sorted(found, key=lambda e: f"{e.name}/" if _is_folder(e) else e.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


class ObjectStore:
    """What lies below a URL, through fsspec. Hidden is a key with an empty part ("a//b"), too."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._remote()  # where it cannot be, the command ends before any work

    def _remote(self) -> Remote:
        from latentpress.system.remote import opened

        return opened(self.url)

    def __str__(self) -> str:
        return shown(self.url)

    def entries(self, left_out: LeftOut | None = None) -> Iterator[Entry]:
        """As of Store."""
        for found in self._remote().entries():
            if all(part and not part.startswith(".") for part in found.key.split("/")):
                yield Entry(*found)
            elif left_out is not None:
                left_out.hidden += 1

    def is_there(self) -> bool:
        """Whether it holds anything."""
        return self._remote().is_folder()

    def entry(self, key: str) -> Entry | None:
        """As of Store."""
        found = self._remote().find(key)
        return None if found is None else Entry(*found)

    def read(self, key: str) -> bytes:
        """As of Store."""
        return self._remote().read(key)

    def write(self, key: str, data: bytes) -> None:
        """As of Store."""
        self._remote().write(data, key)


def open_store(url: str) -> Store:
    """The store of a folder's path or of a URL.

    Raises:
        UsageError: what the URL needs is not installed, or nothing is known for its scheme.
    """
    found = as_path(url)
    return ObjectStore(url) if isinstance(found, UrlPath) else FolderStore(found)
