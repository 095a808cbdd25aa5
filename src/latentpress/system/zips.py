"""The members of a .zip file, of which hostile ones do no harm."""

from __future__ import annotations

import io
import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from latentpress.errors import ImageError
from latentpress.system.members import check_size
from latentpress.system.places import path_name
from latentpress.system.sources import unreadable
from latentpress.system.urls import is_url

# deflate expands to 1032 times at most; other methods have no bound that reading could keep
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
CREATED_ON_UNIX = 3
AHEAD = 1 << 20  # bytes of a file behind a URL that a request fetches, at least
CUT = "no .zip file, or one that is cut off"


class Found(NamedTuple):
    """A regular file in an archive. version: another one where the bytes are others."""

    name: str
    size: int
    version: str


class Zip:
    """The regular files of a .zip file, or of one behind a URL. Threads may share it; it can be
    pickled, and each process opens it for itself.

    Of members of one name the last counts, as in every reader.

    Raises:
        ImageError: of every method: the file cannot be read, or is no .zip file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._lock = threading.Lock()
        self._file: zipfile.ZipFile | None = None
        self._stream: BinaryIO | None = None
        self._process = 0

    def files(self) -> Iterator[Found]:
        """All, in the order of their names."""
        archive = self._opened()
        for name in sorted(archive.NameToInfo):
            info = archive.NameToInfo[name]
            if _is_file(info):
                yield _found(info)

    def find(self, name: str) -> Found | None:
        """One, None where it is not there."""
        info = self._opened().NameToInfo.get(name)
        return _found(info) if info is not None and _is_file(info) else None

    def read(self, name: str) -> bytes:
        """The bytes of one; ImageError too where it is encrypted, damaged, compressed in a way
        that is not read, or promises more than is held in memory.
        """
        archive = self._opened()
        info = archive.NameToInfo.get(name)
        if info is None:
            raise ImageError(f"{path_name(self.path)}: holds no {name}")
        try:
            if info.flag_bits & ENCRYPTED:
                raise ImageError("is encrypted")
            if info.compress_type not in METHODS:
                raise ImageError(
                    f"is compressed by method {info.compress_type}; read are stored and deflated "
                    "members"
                )
            check_size(info.file_size)
            with archive.open(info) as stream:
                data = stream.read()
            if len(data) != info.file_size:
                raise ImageError("is cut off")
            return data
        except ImageError as error:
            raise ImageError(f"{path_name(self.path)}/{name}: {error}") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise ImageError(f"{path_name(self.path)}/{name}: is damaged: {error}") from error
        except NotImplementedError as error:
            raise ImageError(f"{path_name(self.path)}/{name}: {error}") from error

    def __del__(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def __getstate__(self) -> dict[str, str]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    def _opened(self) -> zipfile.ZipFile:
        with self._lock:
            if self._file is None or self._process != os.getpid():
                self._file, self._process = self._open(), os.getpid()
            return self._file

    def _open(self) -> zipfile.ZipFile:
        stream = self._file_itself()
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            stream.close()
            raise ImageError(f"{path_name(self.path)}: {CUT}: {error}") from error
        self._stream = stream
        return archive

    def _file_itself(self) -> BinaryIO:
        """Closed in __del__."""
        if is_url(self.path):
            from latentpress.system.remote import RemoteFile

            return cast(BinaryIO, io.BufferedReader(RemoteFile(self.path), AHEAD))
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise unreadable(self.path, error) from error


def _found(info: zipfile.ZipInfo) -> Found:
    return Found(info.filename, info.file_size, f"{info.file_size}-{info.CRC:08x}")


def _is_file(info: zipfile.ZipInfo) -> bool:
    mode = info.external_attr >> 16 if info.create_system == CREATED_ON_UNIX else 0
    return not info.is_dir() and (not stat.S_IFMT(mode) or stat.S_ISREG(mode))
