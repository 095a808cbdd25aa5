"""Read a .ltps file: any latent without the others."""

from __future__ import annotations

import io
import operator
import os
from collections.abc import Iterator
from threading import Lock
from types import TracebackType
from typing import Any

import google_crc32c

from latentpress.errors import FormatError, prefixed
from latentpress.latents import index, record
from latentpress.latents.dtypes import to_torch
from latentpress.latents.record import Info
from latentpress.system.places import elsewhere, located, path_name
from latentpress.system.sources import unreadable


class Reader:
    """The latents of a .ltps file as a sequence, each read without the others.

    `reader[n]` is (C, H, W), float32 or float16 as it was saved (bfloat16 shows as float32). It may
    be pickled; what comes back has opened the file anew.

    Args:
        file: a path, or a URL, whose file is then copied.
        torch: tensors instead of NumPy arrays, without a copy but for bfloat16.

    Raises:
        FormatError: the index (on opening) or a latent (on reading) does not match its checksum.
        ImageError: the file cannot be read.

    Example:
        >>> with Reader("set.ltps") as reader:  # doctest: +SKIP
        ...     y = reader[123]
    """

    def __init__(self, file: str | os.PathLike[str], *, torch: bool = False) -> None:
        file = located(file)
        self.file = os.fspath(file)
        self._place = elsewhere(file)
        self.torch = torch
        self._open()

    def _open(self) -> None:
        try:
            self._stream = self._file()
        except OSError as error:
            raise unreadable(path_name(self.file), error) from error
        try:
            self._index = index.read_index(self._stream, os.fstat(self._stream.fileno()).st_size)
        except FormatError as error:
            self._stream.close()
            raise prefixed(path_name(self.file), error) from error
        except OSError as error:
            self._stream.close()
            raise unreadable(path_name(self.file), error) from error
        self._lock = Lock()
        self._process = os.getpid()

    def _file(self) -> io.FileIO:
        """The file, opened; of a URL a copy of it, which is gone when it is closed."""
        place = self._place
        if place is None:
            return open(self.file, "rb", buffering=0)
        import tempfile  # which takes a while

        with tempfile.TemporaryFile() as copy:
            place.copy(copy)
            copy.flush()
            return os.fdopen(os.dup(copy.fileno()), "rb", buffering=0)

    @property
    def space(self) -> str:
        """sd15, sdxl, sd3, flux1 or raw."""
        return index.space_name(self._index.space)

    def __len__(self) -> int:
        return len(self._index.rows)

    def __getitem__(self, n: int) -> Any:
        return self.read(n)[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[n] for n in range(len(self)))

    def read(self, n: int) -> tuple[Any, Info]:
        """(latent n, its name, metadata and more); negative n count from the end. IndexError beyond
        the file.
        """
        array, kind, info = self._named(n, lambda data: record.unpack(data, self._index.space))
        return (to_torch(array, kind) if self.torch else array), info

    def info(self, n: int) -> Info:
        """What latent n says of itself, its numbers not decoded."""
        info: Info = self._named(n, record.unpack_head)[2]
        return info

    def names(self) -> list[str]:
        """The names of all latents, in file order; reads all records."""
        return [self.info(n).name for n in range(len(self))]

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            self._stream.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"file": self.file, "torch": self.torch}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["file"], torch=state["torch"])  # type: ignore[misc]

    def _named(self, n: int, work: Any) -> Any:
        """work(the bytes of record n), errors with the file's name."""
        n = operator.index(n)
        # forked: a descriptor shared with the parent would share its position
        if os.getpid() != self._process:
            self._open()
        if not -len(self) <= n < len(self):  # of the file that is there now
            raise IndexError(
                f"{path_name(self.file)} holds {len(self)} latents; there is no number {n}"
            )
        n %= len(self)
        start, size = self._index.span(n)
        try:
            with self._lock:
                self._stream.seek(start)
                data = self._stream.read(size)
        except OSError as error:
            raise unreadable(path_name(self.file), error) from error
        try:
            if google_crc32c.value(data) != int(self._index.rows["crc"][n]):
                raise FormatError("it is damaged: its checksum does not match")
            return work(data)
        except FormatError as error:
            raise prefixed(f"{path_name(self.file)}, latent {n}", error) from error
