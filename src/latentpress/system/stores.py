"""Places that hold files under names: a local folder here, object stores and archives behind the
same interface.

A key is the name of a file within its store, its parts joined by "/". A key of a local file whose
name is no UTF-8 holds surrogates, as `os.fsdecode` makes them.
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Protocol

from latentpress.errors import ImageError, OutputError
from latentpress.system.files import atomic_write, output_error, remove_stale, replacing
from latentpress.system.places import UrlPath, as_path, is_file
from latentpress.system.sources import read_source, unreadable
from latentpress.system.urls import bare, shown
from latentpress.system.zips import Zip

if TYPE_CHECKING:
    from latentpress.system.remote import Remote

JUNCTION: int | None = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)


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
    those that lead out of the store, to a folder, or nowhere. others: pipes, sockets and devices.
    problems: folders that cannot be listed, and files of which the system tells nothing.
    """

    hidden: int = 0
    links: int = 0
    others: int = 0
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
            raise unreadable(self.url, error, listed=True) from error
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
            elif _is_link(found):
                if (entry := self._linked(key, real)) is None:
                    left_out.links += 1
                else:
                    yield entry
            elif _is_folder(found):
                try:
                    waiting.append(iter(_listed(found.path)))
                    prefixes.append(f"{key}/")
                except OSError as error:
                    left_out.problems.append(unreadable(found.path, error, listed=True))
            else:
                try:
                    entry = self._known(key)
                except FileNotFoundError:  # it was removed meanwhile
                    continue
                except OSError as error:
                    left_out.problems.append(unreadable(found.path, error))
                    continue
                if entry is not None:
                    yield entry
                else:
                    left_out.others += 1

    def _linked(self, key: str, real: str) -> Entry | None:
        """The file that a link within the folder leads to; None of any other link."""
        end = os.path.realpath(self.path(key))
        return self.entry(key) if end.startswith(os.path.join(real, "")) else None

    def entry(self, key: str) -> Entry | None:
        """As of Store."""
        try:
            return self._known(key)
        except (OSError, ValueError):  # the latter of a null character
            return None

    def _known(self, key: str) -> Entry | None:
        """As of `entry`; None of what is no file."""
        status = self.path(key).stat()
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

    def open(self, key: str) -> BinaryIO:
        """As `open_file`."""
        try:
            return open(self.path(key), "rb")
        except OSError as error:
            raise unreadable(str(self.path(key)), error) from error

    @contextmanager
    def writing(
        self, key: str, *, like: str | os.PathLike[str] | None = None
    ) -> Iterator[BinaryIO]:
        """As `writing`. like: as of `write`."""
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(path.parent, error) from error
        with replacing(path, overwrite=True, like=like) as stream:
            yield stream

    def remove(self, key: str) -> None:
        """Delete a file, where it is there. OutputError."""
        path = self.path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(path, error) from None

    def tidy(self, key: str) -> None:
        """Remove what writers that were killed left beside a file."""
        remove_stale(self.path(key).parent)


def _listed(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, in the order of the keys: a folder sorts as its name with "/"."""
    with os.scandir(folder) as found:
        return sorted(found, key=lambda e: f"{e.name}/" if _is_folder(e) else e.name)


def _is_link(entry: os.DirEntry[str]) -> bool:
    """Whether it is a symbolic link, or a junction, which Windows has for folders."""
    if JUNCTION is None or entry.is_symlink():
        return entry.is_symlink()
    return getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0) == JUNCTION


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


class ZipStore:
    """The members of a .zip file, which are only read. Their names may lead out of a folder: who
    writes under such a name looks at it before.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.url = os.fspath(path)
        self._zip = Zip(path)

    def entries(self, left_out: LeftOut | None = None) -> Iterator[Entry]:
        """As of Store. What macOS puts beside the files counts as hidden."""
        left_out = LeftOut() if left_out is None else left_out
        for found in self._zip.files():
            parts = found.name.split("/")
            if parts[0] == "__MACOSX" or any(p[0] == "." and p != ".." for p in parts if p):
                left_out.hidden += 1
            else:
                yield Entry(*found)

    def entry(self, key: str) -> Entry | None:
        """As of Store."""
        found = self._zip.find(key)
        return Entry(*found) if found else None

    def read(self, key: str) -> bytes:
        """As of Store."""
        return self._zip.read(key)

    def write(self, key: str, data: bytes) -> None:
        """Refused: OutputError."""
        raise OutputError(f"{self.url}: a .zip file is only read: name a folder for the outputs")


def is_zip(url: str) -> bool:
    """Whether it is the path or the URL of a .zip file, whose members are taken as a tree."""
    return bare(url).lower().endswith(".zip") and is_file(as_path(url))


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
            if not is_hidden(found.key):
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

    def remove(self, key: str) -> None:
        """Delete a file, where it is there. OutputError."""
        self._remote().remove(key)

    def open(self, key: str) -> BinaryIO:
        """As `open_file`: fetched into a temporary file, a part at a time."""
        file = tempfile.TemporaryFile()  # noqa: SIM115  closed by who reads it
        try:
            for chunk in self._remote().chunks(key):
                _spool(file, chunk)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    @contextmanager
    def writing(self, key: str) -> Iterator[BinaryIO]:
        """As `writing`: sent when it is whole."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "output"
            with replacing(path, overwrite=True) as stream:
                yield stream
            self._remote().write_file(path, key)


def is_hidden(key: str) -> bool:
    """Whether an object store does not list a file, by its name."""
    return any(not part or part.startswith(".") for part in key.split("/"))


def _spool(file: IO[bytes], data: bytes) -> None:
    """Write to a temporary file. OutputError."""
    try:
        file.write(data)
    except OSError as error:
        raise output_error(tempfile.gettempdir(), error) from error


def open_file(store: Store, key: str) -> BinaryIO:
    """A file of a store as a stream that can seek; of a folder and of an object store it is not
    held whole. ImageError where it cannot be read.
    """
    if isinstance(store, FolderStore | ObjectStore):
        return store.open(key)
    return io.BytesIO(store.read(key))


@contextmanager
def writing(
    store: Store, key: str, *, like: str | os.PathLike[str] | None = None
) -> Iterator[BinaryIO]:
    """A stream whose bytes become a file of a store when the block ends, all of them, and nothing
    when it fails. What it holds is on disk meanwhile, of a folder and of an object store.
    OutputError. like: as of `FolderStore.write`.
    """
    if isinstance(store, FolderStore):
        with store.writing(key, like=like) as stream:
            yield stream
    elif isinstance(store, ObjectStore):
        with store.writing(key) as stream:
            yield stream
    else:
        whole = io.BytesIO()
        yield whole
        store.write(key, whole.getvalue())


def open_store(url: str) -> Store:
    """The store of a folder's path, of a .zip file's, or of a URL.

    Raises:
        UsageError: what the URL needs is not installed, or nothing is known for its scheme.
    """
    if is_zip(url):
        return ZipStore(url)
    found = as_path(url)
    return ObjectStore(url) if isinstance(found, UrlPath) else FolderStore(found)
