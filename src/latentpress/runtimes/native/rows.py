"""Memory for the rows of a tensor: a picture that comes from top to bottom."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.runtimes import native
from latentpress.runtimes.native import SLACK
from latentpress.runtimes.native.layers import Tensor

DTYPES = (np.float32, np.uint16, np.uint8)  # of the kinds of numbers: floats, bfloat16, bytes
LINE = 64  # bytes, of which every array begins at a multiple


class Window:
    """Rows of a tensor with so many columns, in the kinds of numbers that are read of it.

    rows: what the C library knows of it. Its border is zero, whatever byte stands for that.
    """

    def __init__(self, rows: native.Rows, tensor: Tensor, columns: int) -> None:
        self._rows = rows
        self._border = rows.border = tensor.border
        self._shape = (columns + 2 * tensor.border, tensor.channels)
        rows.channels = tensor.channels
        rows.fill = round(tensor.zero)
        is_held = tensor.has_floats, tensor.has_halves, tensor.steps is not None
        self._arrays: list[NDArray[Any] | None] = [
            np.empty((0, *self._shape), dtype) if is_there else None
            for dtype, is_there in zip(DTYPES, is_held, strict=True)
        ]
        for kind, is_there in enumerate(is_held):
            rows.pitches[kind] = self._shape[0] * self._shape[1] * is_there
        self.restart()

    def restart(self) -> None:
        """As at the top of a picture."""
        self._rows.first, self._rows.end = -self._border, 0
        for array in self._arrays:
            if array is not None:
                array[: self._border] = self._fill(array)

    def make_room(self) -> None:
        """Room for the planned rows and the border below them."""
        count = self._rows.planned + self._border - self._rows.first
        if count <= self._rows.room:
            return
        old = self._rows.end - self._rows.first
        for kind, array in enumerate(self._arrays):
            if array is None:
                continue
            larger = aligned((count, *self._shape), array.dtype)
            larger[...] = self._fill(array)
            larger[: min(old, len(array))] = array[:old]
            self._arrays[kind] = larger
            self._rows.kinds[kind] = larger.ctypes.data
        self._rows.room = count

    def inside(self, start: int, end: int) -> list[NDArray[Any] | None]:
        """Rows of the picture without the border, in each kind of numbers that is held."""
        first, columns = self._rows.first, slice(self._border, self._shape[0] - self._border)
        return [
            None if a is None else a[start - first : end - first, columns]
            for a in self._arrays
        ]

    def _fill(self, array: NDArray[Any]) -> int:
        return int(self._rows.fill) if array.dtype == np.uint8 else 0


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array that begins where a line of the cache does, with SLACK bytes of zeros after it."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    whole = np.empty(size + SLACK + LINE, np.uint8)
    whole[size:] = 0
    start = -whole.ctypes.data % LINE
    return whole[start : start + size].view(dtype).reshape(shape)
