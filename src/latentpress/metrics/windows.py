"""Symmetric separable windows over planes of real numbers, as SSIM-like metrics need them."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats

BAND_SAMPLES = 1 << 15  # of a plane at a time: the maps of a band stay in the processor's cache

Real = TypeVar("Real", Floats, NDArray[np.float64])


def blur(t: Real, half: Real) -> Real:
    """Weighted sums at every place where the window fits: (H, W) -> (H - 2 r, W - 2 r), for a
    window of 2 r + 1 taps a side.

    half: its r + 1 weights, center first; the window is symmetric.
    """
    r = len(half) - 1
    h, w = t.shape[0] - 2 * r, t.shape[1] - 2 * r
    down = t[r : r + h] * half[0]
    for k in range(1, r + 1):
        down += (t[r - k : r - k + h] + t[r + k : r + k + h]) * half[k]
    across = down[:, r : r + w] * half[0]
    for k in range(1, r + 1):
        across += (down[:, r - k : r - k + w] + down[:, r + k : r + k + w]) * half[k]
    return across


def bands(rows: int, columns: int, overlap: int) -> list[slice]:
    """Slices of rows that cover a plane, each of about BAND_SAMPLES samples and `overlap` rows that
    the next one reads again.
    """
    step = max(1, BAND_SAMPLES // columns)
    return [
        slice(top, min(top + step, rows - overlap) + overlap)
        for top in range(0, rows - overlap, step)
    ]
