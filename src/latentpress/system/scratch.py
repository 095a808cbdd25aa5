"""Arrays kept on disk for a while: memory is set by one of them, not by all."""

import io
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.errors import OutputError
from latentpress.system.files import output_error


class Unnamed:
    """A temporary file, gone with this object, that is read and written at places: threads, and
    processes that are forked from this one, share no position in it. OSError as of any file.

    Attributes:
        folder: where it lies, in words.
    """

    def __init__(self) -> None:
        self._file, self.folder = _opened()
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()

    def write(self, array: NDArray[Any], place: int) -> None:
        """Put the bytes of a contiguous array at a place."""
        left = array.reshape(-1).view(np.uint8).data
        while left:
            done = self._write_some(left, place)
            left = left[done:]
            place += done

    def read(self, size: int, place: int) -> bytes:
        """So many bytes at a place; fewer where the file ends."""
        data = self._read_some(size, place)
        while len(data) < size and (more := self._read_some(size - len(data), place + len(data))):
            data += more
        return data

    def _write_some(self, data: memoryview, place: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file.fileno(), data, place)
        with self._lock:  # Windows
            self._file.seek(place)
            return self._file.write(data)

    def _read_some(self, size: int, place: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), size, place)
        with self._lock:  # Windows
            self._file.seek(place)
            return self._file.read(size)


def _opened() -> tuple[io.FileIO, str]:
    """A file without a name and where it lies: in memory where no folder takes temporary files, as
    in a container that is read-only, and the system has such files. OSError where it has none.
    """
    import tempfile  # small pictures need none

    # unbuffered: what a buffer holds, a forked process would write once more
    try:
        return tempfile.TemporaryFile(buffering=0), tempfile.gettempdir()
    except OSError:
        if not hasattr(os, "memfd_create"):
            raise
        return io.FileIO(os.memfd_create("latentpress"), "r+b"), "memory"


class Scratch:
    """A temporary file that is gone with the last `Kept` in it. One for all that are kept at a
    time, so that descriptors do not add up.
    """

    def __init__(self) -> None:
        try:
            self._file = Unnamed()
        except OSError as error:
            raise OutputError(f"temporary files: {error.strerror or error}") from error
        self._lock = threading.Lock()
        self._end = 0

    def write(self, array: Floats) -> int:
        """Append an array -> where it begins. DiskFullError where there is no room."""
        data = np.ascontiguousarray(array, np.float32)
        with self._lock:
            begin = self._end
            try:
                self._file.write(data, begin)
            except OSError as error:
                raise output_error(self._file.folder, error) from error
            self._end += data.nbytes
        return begin

    def read(self, begin: int, shape: tuple[int, ...]) -> Floats:
        """The array that begins there, a new one."""
        data = self._file.read(4 * int(np.prod(shape)), begin)
        return np.frombuffer(data, np.float32).reshape(shape).copy()


class Kept:
    """Arrays (float32, any shapes) on disk; every iteration reads them again, in order, one at a
    time.
    """

    def __init__(self, arrays: Iterable[Floats]) -> None:
        self._scratch = _shared()
        self._places = [(self._scratch.write(array), array.shape) for array in arrays]

    def __iter__(self) -> Iterator[Floats]:
        for place in self._places:
            yield self._scratch.read(*place)


_lock = threading.Lock()
_current: weakref.ref[Scratch] | None = None


def _shared() -> Scratch:
    global _current
    with _lock:
        scratch = _current() if _current else None
        if scratch is None:
            scratch = Scratch()
            _current = weakref.ref(scratch)
        return scratch


def _forget() -> None:
    """In a forked process: what it keeps goes into a file of its own."""
    global _lock, _current
    _lock = threading.Lock()
    _current = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
