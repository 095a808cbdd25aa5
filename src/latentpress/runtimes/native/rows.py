"""Memory for the rows of a tensor: a picture that comes from top to bottom."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.runtimes import native
from latentpress.runtimes.native import SLACK
from latentpress.runtimes.native.layers import Tensor

FLOATS, HALVES, BYTES = range(3)  # kinds of numbers: floats, bfloat16, bytes
DTYPES = (np.float32, np.uint16, np.uint8)
LINE = 64  # bytes, of which every array begins at a multiple


class Window:
    """Rows of a tensor with so many columns, in the kinds of numbers that are read of it.

    rows: what the C library knows of it. Its border is zero, whatever byte stands for that.
    """

    def __init__(self, rows: native.Rows, tensor: Tensor, columns: int) -> None:
        self._rows = rows
        rows.channels, rows.border = tensor.channels, tensor.border
        rows.fill = round(tensor.zero)
        self._shape = (columns + 2 * tensor.border, tensor.channels)
        is_held = tensor.has_floats, tensor.has_halves, tensor.steps is not None
        self._arrays: dict[int, NDArray[Any]] = {
            kind: np.empty((0, *self._shape), DTYPES[kind]) for kind in range(3) if is_held[kind]
        }
        for kind in self._arrays:
            rows.pitches[kind] = self._shape[0] * self._shape[1]
        self.restart()

    def restart(self) -> None:
        """As at the top of a picture."""
        self._rows.first, self._rows.end = -self._rows.border, 0
        for array in self._arrays.values():
            array[: self._rows.border] = self._fill(array)

    def make_room(self) -> None:
        """Room for the planned rows and the border below them."""
        rows = self._rows
        count = max(1, rows.planned + rows.border - rows.first)
        if count <= rows.room:
            return
        held = range(rows.first + rows.border, max(rows.end, 0) + rows.border)
        for kind, array in self._arrays.items():
            larger = aligned((count, *self._shape), array.dtype)
            larger[...] = self._fill(array)
            for row in held if len(array) else ():
                larger[row % count] = array[row % rows.room]
            self._arrays[kind] = larger
            rows.kinds[kind] = larger.ctypes.data
        rows.room = count

    @property
    def kinds(self) -> set[int]:
        """The kinds of numbers that are held."""
        return set(self._arrays)

    def _fill(self, array: NDArray[Any]) -> int:
        return int(self._rows.fill) if array.dtype == np.uint8 else 0


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array that begins where a line of the cache does, with SLACK bytes of zeros after it."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    whole = np.empty(size + SLACK + LINE, np.uint8)
    whole[size:] = 0
    start = -whole.ctypes.data % LINE
    return whole[start : start + size].view(dtype).reshape(shape)
