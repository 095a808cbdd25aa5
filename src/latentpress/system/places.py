"""Paths to files that lie elsewhere than in the file system, where a path is expected: URLs here,
standard input and output in the command line.

`read_source` and `replacing` ask `elsewhere` first, so that all that reads or writes a file
through them takes such paths.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from latentpress.errors import ImageError, OutputError
from latentpress.system.urls import bare, is_url, joined, scheme, shown

if TYPE_CHECKING:
    from latentpress.system.remote import Remote

    LocalPath = Path
else:
    LocalPath = type(Path())  # of the system, which Python 3.11 cannot derive from Path

Asked = TypeVar("Asked")
LOCAL = ("file", "local")  # schemes of URLs that are paths


class Elsewhere(LocalPath):
    """A path to a file that the system does not know by that path. What looks at the file itself
    is defined here or in a subclass, and so is what takes the name apart.
    """

    text: str

    def __new__(cls, text: str, *_: object) -> Elsewhere:
        """text: the whole name, kept as it is."""
        path = super().__new__(cls, text)
        path.text = text
        return path

    def load(self) -> bytes:
        """All bytes; ImageError."""
        raise NotImplementedError

    def copy(self, file: IO[bytes]) -> None:
        """Write all bytes into an open file; ImageError, OSError of that file."""
        file.write(self.load())

    def save(self, file: Path) -> None:
        """Write what a file on disk holds, all of it or nothing; OutputError."""
        raise NotImplementedError

    def size(self) -> int | None:
        """Bytes; None where there is no such file."""
        raise NotImplementedError

    def check(self, overwrite: bool) -> None:
        """OutputError where a file may not be written."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text

    def __fspath__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> Any:
        return type(self), (self.text,)

    @property
    def suffix(self) -> str:
        """As of Path."""
        return os.path.splitext(self.name)[1]

    @property
    def stem(self) -> str:
        """As of Path."""
        return os.path.splitext(self.name)[0]

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """As of Path."""
        return self.is_dir() or self.is_file()

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """As of Path."""
        return self.size() is not None

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """As of Path."""
        return False

    def samefile(self, other_path: Any) -> bool:
        """As of Path."""
        return bool(self == other_path)

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: folders are where their files are."""

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """As of Path, but of the size alone."""
        size = self.size()
        if size is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        return os.stat_result((stat.S_IFREG | 0o644, 0, 0, 1, 0, 0, size, 0, 0, 0))

    def open(self, mode: str = "rb", *_: object, **__: object) -> IO[Any]:  # type: ignore[override]
        """The whole file in memory, to be read as bytes."""
        if mode != "rb":
            raise io.UnsupportedOperation(f"{self} is opened in mode rb alone")
        return io.BufferedReader(io.BytesIO(self.load()))

    def read_bytes(self) -> bytes:
        """As of Path."""
        return self.load()


class UrlPath(Elsewhere):
    """The URL of a file, or of what lies below it. Its text is shown without secrets."""

    @property
    def _remote(self) -> Remote:
        from latentpress.system import remote

        return remote.opened(self.text)

    def load(self) -> bytes:
        """As of Elsewhere."""
        return self._remote.read()

    def copy(self, file: IO[bytes]) -> None:
        """As of Elsewhere; a part at a time."""
        file.writelines(self._remote.chunks())

    def save(self, file: Path) -> None:
        """As of Elsewhere."""
        self._remote.write_file(file)

    def size(self) -> int | None:
        """As of Elsewhere; asks the store."""
        found = self._remote.find()
        return None if found is None else found.size

    def check(self, overwrite: bool) -> None:
        """As of Elsewhere."""
        if self.text.endswith("/"):
            raise OutputError(f"{self}: is a folder, not a file")
        if overwrite:
            return
        try:
            exists = self.is_file()
        except ImageError as error:
            raise OutputError(str(error)) from error
        if exists:
            raise OutputError(f"{self}: exists already, and overwriting was not asked for")

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it ends in a slash, or files lie below it."""
        return self.text.endswith("/") or self._remote.is_folder()

    def __str__(self) -> str:
        return shown(self.text)

    @property
    def name(self) -> str:
        """As of Path; of a web address without its query. What was quoted there may be a slash,
        behind which the name begins.
        """
        name = bare(self.text).partition("://")[2].rstrip("/").rpartition("/")[2]
        return os.path.basename(_unquoted(name)) if self.text.startswith("http") else name

    @property
    def parent(self) -> UrlPath:
        """As of Path."""
        start, _, rest = bare(self.text).partition("://")
        return UrlPath(f"{start}://{rest.rstrip('/').rpartition('/')[0]}")

    def with_name(self, name: str) -> UrlPath:
        """As of Path."""
        whole = bare(self.text).rstrip("/")
        return UrlPath(whole[: whole.rindex("/") + 1] + name)

    def with_suffix(self, suffix: str) -> UrlPath:
        """As of Path."""
        return self.with_name(self.stem + suffix)

    def joinpath(self, *keys: Any) -> UrlPath:
        """As of Path."""
        path = self
        for key in keys:
            path = path / key
        return path

    def __truediv__(self, key: Any) -> UrlPath:
        return UrlPath(joined(self.text, key if isinstance(key, str) else Path(key).as_posix()))


def as_path(text: str) -> Path:
    """A path, or what stands for a URL; file:// is a path."""
    if not is_url(text):
        return Path(text)
    if scheme(text) in LOCAL:
        path = _unquoted("/" + text.partition("://")[2].partition("/")[2])
        return Path(path[1:] if os.path.splitdrive(path[1:])[0] else path)  # "/C:/photo.jpg"
    return UrlPath(text)


def is_folder(path: Path) -> bool:
    """Whether it is a folder, as far as the system tells. `Path.is_dir` raises before Python 3.14
    where the system does not, as in a folder that may not be searched.
    """
    return path.is_dir() if elsewhere(path) else os.path.isdir(path)


def is_file(path: Path) -> bool:
    """Whether it is a file, as far as the system tells, as of `is_folder`."""
    return path.is_file() if elsewhere(path) else os.path.isfile(path)


def located(path: Asked) -> Asked | Path:
    """The path that a URL with file:// names; all else as it is."""
    if isinstance(path, str) and is_url(path) and scheme(path) in LOCAL:
        return as_path(path)
    return path


def _unquoted(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text)


def path_name(path: str | os.PathLike[str]) -> str:
    """What messages call a file: its path, or its URL without secrets."""
    found = elsewhere(path)
    return os.fsdecode(path) if found is None else str(found)


def elsewhere(path: object) -> Elsewhere | None:
    """The path, where it leads elsewhere than into the file system; else None."""
    if isinstance(path, Elsewhere):
        return path
    if isinstance(path, str) and is_url(path):
        found = as_path(path)
        return found if isinstance(found, Elsewhere) else None
    return None
