"""A .zip file as a store that is only read: its members are the files."""

from __future__ import annotations

import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from latentpress.errors import ImageError, OutputError
from latentpress.system.members import check_size
from latentpress.system.sources import unreadable
from latentpress.system.stores import Entry

# deflate expands to 1032 times at most; other methods have no bound that reading could keep
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
CREATED_ON_UNIX = 3
CUT = "no .zip file, or one that is cut off"


class ZipStore:
    """The members of a .zip file. It can be pickled, and is opened by each process for itself.

    Of members of one name the last counts, as in every reader. A name may lead out of a folder:
    who writes to a place of that name looks at it before.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.url = os.fspath(path)
        self._lock = threading.Lock()
        self._file: zipfile.ZipFile | None = None
        self._stream: BinaryIO | None = None
        self._process = 0

    def entries(self) -> Iterator[Entry]:
        """As of Store; folders and links are left out, and what macOS puts beside the files."""
        archive = self._opened()
        for name in sorted(archive.NameToInfo):
            info = archive.NameToInfo[name]
            if _is_file(info) and not _is_hidden(name):
                yield _entry(info)

    def entry(self, key: str) -> Entry | None:
        """As of Store."""
        info = self._opened().NameToInfo.get(key)
        return _entry(info) if info is not None and _is_file(info) else None

    def read(self, key: str) -> bytes:
        """As of Store; ImageError too where the member is encrypted, damaged, compressed in a way
        that is not read, or promises more than is held in memory.
        """
        archive = self._opened()
        info = archive.NameToInfo.get(key)
        if info is None:
            raise ImageError(f"{self.url}: holds no {key}")
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
            raise ImageError(f"{self.url}/{key}: {error}") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise ImageError(f"{self.url}/{key}: is damaged: {error}") from error
        except NotImplementedError as error:
            raise ImageError(f"{self.url}/{key}: {error}") from error

    def write(self, key: str, data: bytes) -> None:
        """Refused: OutputError."""
        raise OutputError(f"{self.url}: a .zip file is only read; name a folder for the outputs")

    def __del__(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def __getstate__(self) -> dict[str, str]:
        return {"url": self.url}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__init__(state["url"])  # type: ignore[misc]

    def _opened(self) -> zipfile.ZipFile:
        with self._lock:
            if self._file is None or self._process != os.getpid():
                self._file, self._process = self._open(), os.getpid()
            return self._file

    def _open(self) -> zipfile.ZipFile:
        try:
            stream: BinaryIO = open(self.url, "rb")  # noqa: SIM115  closed in __del__
        except OSError as error:
            raise unreadable(self.url, error) from error
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            stream.close()
            raise ImageError(f"{self.url}: {CUT}: {error}") from error
        self._stream = stream
        return archive


def _entry(info: zipfile.ZipInfo) -> Entry:
    return Entry(info.filename, info.file_size, f"{info.file_size}-{info.CRC:08x}")


def _is_file(info: zipfile.ZipInfo) -> bool:
    mode = info.external_attr >> 16 if info.create_system == CREATED_ON_UNIX else 0
    return not info.is_dir() and (not stat.S_IFMT(mode) or stat.S_ISREG(mode))


def _is_hidden(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "__MACOSX" or any(
        part.startswith(".") and part not in (".", "..") for part in parts
    )
