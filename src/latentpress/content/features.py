"""What a look at the pixels says of each cell (32 x 32 pixels), in little time: screens are flat
with sharp edges, fine patterns change from pixel to pixel, photographs do neither.

Of each cell four rows in the middle are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentpress._typing import Floats, Pixels
from latentpress.image.picture import Picture
from latentpress.screen.mask import CELL, Mask, grid

ROW, HEIGHT = 14, 4  # of a cell: the first row that is looked at, and how many
BAND = 64  # rows of cells that are looked at at a time
FLAT = 0.4  # share of pixels that equal both neighbors, from which on a cell is flat
EDGE = 48  # levels between neighbors of a sharp edge
EDGES = 0.02  # share of pixels at sharp edges, from which on a flat cell is drawn
# by how many levels, and by which share of the difference between neighbors, pixels of a fine
# pattern differ from the mean of both their neighbors
FINE, SHARP = 20, 0.75


@dataclass(frozen=True)
class Features:
    """Of each cell, (rows, columns): flat: the share of pixels that equal their neighbors to the
    left and above. drawn: whether it is flat, with sharp edges. fine: by how many levels pixels
    differ from their neighbors' mean; 0 where that is no fine pattern.
    """

    flat: Floats
    drawn: Mask
    fine: Floats


def features(picture: Picture) -> Features:
    """The features of a picture, a band of rows at a time."""
    rows, columns = grid(picture.width, picture.height)
    flat, fine = np.empty((2, rows, columns), np.float32)
    drawn = np.empty((rows, columns), bool)
    for top in range(0, rows, BAND):
        bottom = min(top + BAND, rows)
        looked = _looked_at(picture, top, bottom, columns)
        flat[top:bottom], drawn[top:bottom] = _flat_and_drawn(looked)
        fine[top:bottom] = _fine(looked)
    return Features(flat, drawn, fine)


def _looked_at(picture: Picture, top: int, bottom: int, columns: int) -> Pixels:
    """What is looked at of rows of cells: (rows, HEIGHT, width, 3), the last row and column
    repeated up to whole cells.
    """
    out = np.empty((bottom - top, HEIGHT, CELL * columns, 3), np.uint8)
    for i in range(bottom - top):
        first = CELL * (top + i)
        end = min(first + CELL, picture.height)
        start = max(first, min(first + ROW, end - HEIGHT))
        pixels = picture.pixels(start, min(start + HEIGHT, end), 0, picture.width)
        high, wide = HEIGHT - pixels.shape[0], CELL * columns - pixels.shape[1]
        if high or wide:
            pixels = np.pad(pixels, ((0, high), (0, wide), (0, 0)), mode="edge")
        out[i] = pixels
    return out


def _flat_and_drawn(looked: Pixels) -> tuple[Floats, Mask]:
    here = looked[:, 1:, 1:]
    beside = _most(_difference(here, looked[:, 1:, :-1]))
    above = _most(_difference(here, looked[:, :-1, 1:]))
    steps = np.maximum(beside, above)
    flat = _means((steps == 0)[..., None])[..., 0]
    edges = _means((steps >= EDGE)[..., None])[..., 0]
    return flat, (flat >= FLAT) & (edges >= EDGES)


def _fine(looked: Pixels) -> Floats:
    """As of Features: the most of both directions and all channels."""
    found = []
    for axis in (1, 2):
        first, middle, last = (
            looked[(slice(None),) * axis + (slice(i, looked.shape[axis] - 2 + i),)]
            for i in range(3)
        )
        step = _means(_difference(first, middle))
        bend = _means(_difference(middle, first // 2 + last // 2))
        found.append(np.where((bend >= FINE) & (bend >= SHARP * step), bend, 0).max(2))
    return np.maximum(*found)


def _difference(a: Pixels, b: Pixels) -> Pixels:
    return np.maximum(a, b) - np.minimum(a, b)


def _most(values: Pixels) -> Pixels:
    """Of the three channels, which NumPy's own max takes five times as long for."""
    return np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2])


def _means(values: Pixels | Mask) -> Floats:
    """Of each cell: (rows, n, up to whole cells wide, channels) -> (rows, columns, channels)."""
    rows, n, width, channels = values.shape
    columns = -(-width // CELL)
    sums = values.sum(1, dtype=np.uint32)  # of each column of pixels
    whole = np.zeros((rows, CELL * columns, channels), np.uint32)
    whole[:, :width] = sums
    totals = whole.reshape(rows, columns, CELL, channels).sum(2)
    counts = np.full(columns, CELL)
    counts[-1] -= CELL * columns - width
    return np.asarray(totals / (n * counts[:, None]), np.float32)
