"""Arrays kept on disk for a while: memory is set by one of them, not by all."""

import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator

import numpy as np

from latentpress._typing import Floats
from latentpress.system.files import output_error


class Scratch:
    """A temporary file that is gone with the last `Kept` in it. One for all that are kept at a
    time, so that descriptors do not add up.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by the next line
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self._end = 0

    def write(self, array: Floats) -> int:
        """Append an array -> where it begins. DiskFullError where there is no room."""
        data = np.ascontiguousarray(array, np.float32)
        with self._lock:
            begin = self._end
            try:
                self._file.seek(begin)
                self._file.write(data.tobytes())
                self._file.flush()
            except OSError as error:
                raise output_error(tempfile.gettempdir(), error) from error
            self._end += data.nbytes
        return begin

    def read(self, begin: int, shape: tuple[int, ...]) -> Floats:
        """The array that begins there, a new one."""
        with self._lock:
            self._file.seek(begin)
            data = self._file.read(4 * int(np.prod(shape)))
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
