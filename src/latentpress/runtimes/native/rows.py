"""Rolling windows of rows: a tensor of a picture that comes from top to bottom."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.runtimes.native import SLACK


class Rows:
    """Rows first .. end of a tensor, (rows, columns + 2 border, channels), with its border in its
    first row and columns. fill: what the border holds.

    first: row of the picture at index 0, below 0 at the picture's upper border. end: the first row
    that is not known yet.
    """

    def __init__(self, dtype: Any, columns: int, channels: int, border: int, fill: int) -> None:
        self.dtype = np.dtype(dtype)
        self.border, self.fill = border, fill
        self.channels = channels
        self.shape = (columns + 2 * border, channels)
        self.pitch = self.shape[0] * channels
        self.array = np.empty((0, *self.shape), self.dtype)
        self.restart()

    def restart(self) -> None:
        """As at the top of a picture."""
        self.first = -self.border
        self.end = 0
        self.array[: self.border] = self.fill

    def reserve(self, end: int) -> None:
        """Make room up to this row, and for the border below it."""
        count = end + self.border - self.first
        if count <= len(self.array):
            return
        numbers = count * self.pitch
        whole = np.empty(numbers + SLACK // self.dtype.itemsize, self.dtype)
        whole[numbers:] = 0
        larger = whole[:numbers].reshape(count, *self.shape)
        old = max(self.border, self.end - self.first)
        larger[:old] = self.array[:old] if len(self.array) else self.fill
        if self.border:
            larger[:, : self.border] = self.fill
            larger[:, -self.border :] = self.fill
        self.array = larger

    def finish(self) -> None:
        """Put the border below the last row."""
        self.reserve(self.end)
        at = self.end - self.first
        self.array[at : at + self.border] = self.fill

    def drop(self, up_to: int) -> None:
        """Let the rows above go."""
        if up_to > self.first:
            kept = self.array[up_to - self.first : self.end - self.first]
            self.array[: len(kept)] = kept.copy()
            self.first = up_to

    def inside(self, start: int, end: int) -> NDArray[Any]:
        """Rows of the picture, without the border."""
        rows = self.array[start - self.first : end - self.first]
        return rows[:, self.border : self.shape[0] - self.border]

    def address(self, row: int, column: int) -> int:
        """Of the first channel at a place of the picture."""
        at = (row - self.first) * self.pitch + (column + self.border) * self.channels
        return int(self.array.ctypes.data) + at * self.dtype.itemsize
