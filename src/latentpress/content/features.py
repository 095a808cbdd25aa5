"""What a look at the pixels says of each cell (32 x 32 pixels), in little time: screens are flat
with sharp edges, fine patterns change from pixel to pixel, photographs do neither.

Of each cell four rows in the middle are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from latentpress._typing import Floats, Pixels
from latentpress.image.picture import Picture
from latentpress.screen.mask import CELL, Mask, grid
from latentpress.system.blas import unwarned

ROW, HEIGHT = 14, 4  # of a cell: the first row that is looked at, and how many
BAND_PIXELS = 1 << 16  # that are looked at at a time, a row of cells at least
FLAT = 0.4  # share of pixels that equal both neighbors, from which on a cell is flat
EDGE = 48  # levels between neighbors of a sharp edge
EDGES = 0.02  # share of pixels at sharp edges, from which on a flat cell is drawn
BUSY = 0.1  # that share, from which on a cell is busy
# by how many levels, and by which share of the difference between neighbors, pixels of a fine
# pattern differ from the mean of both their neighbors
FINE, SHARP = 20, 0.8
ROUNDING = 2  # levels: halves of neighbors are rounded down
# the most that the middle ones of HEIGHT rows differ from their neighbors' mean, as a share of the
# differences between rows
MOST_BENT = 1.5
# of the bytes of a row of pixels of a cell, their channels
CHANNELS = np.tile(np.eye(3, dtype=np.float32), (CELL, 1))
SAMPLED = 16  # cells whose colors are counted
WRITTEN = 0.2  # share of busy cells, from which on a picture may be written
GROUND, GROUNDED = 16, 0.4  # levels of green that a ground spans, share of a cell's pixels there
MOSTLY_GROUNDED = 0.9  # share of the busy cells that have a ground in what is written
MOSTLY_PAPER = 0.75  # share of the other cells that have its color
LETTERED, MANY_GROUNDED = 0.15, 0.75  # the first and the third of these where grounds may differ
HALF = 0.5  # share of a cell's pixels at the ground, in the median there; squares of a mosaic .44


@dataclass(frozen=True)
class Features:
    """Of each cell, (rows, columns): flat: the share of pixels that equal their neighbors to the
    left and above. drawn: whether it is flat, with sharp edges. busy: whether it has many sharp
    edges, flat or not. fine: by how many levels pixels differ from their neighbors' mean; 0 where
    that is no fine pattern.
    """

    flat: Floats
    drawn: Mask
    busy: Mask
    fine: Floats


def features(picture: Picture) -> Features:
    """The features of a picture, a band of rows at a time."""
    rows, columns = grid(picture.width, picture.height)
    flat, fine = np.empty((2, rows, columns), np.float32)
    drawn, busy = np.empty((2, rows, columns), bool)
    band = max(1, BAND_PIXELS // (HEIGHT * CELL * columns))
    for top in range(0, rows, band):
        bottom = min(top + band, rows)
        looked = _looked_at(picture, top, bottom, columns)
        beside = _most(difference(looked[:, :, 1:], looked[:, :, :-1]))
        above = _most(difference(looked[:, 1:, 1:], looked[:, :-1, 1:]))
        steps = np.maximum(beside[:, 1:], above)
        flat[top:bottom] = _means(steps == 0)
        edges = _means(steps >= EDGE)
        drawn[top:bottom] = (flat[top:bottom] >= FLAT) & (edges >= EDGES)
        busy[top:bottom] = edges >= BUSY
        coarse = np.maximum(_means(beside), MOST_BENT * _means(above))
        fine[top:bottom] = _fine(looked, coarse >= FINE - ROUNDING)
    return Features(flat, drawn, busy, fine)


def color_share(picture: Picture, cells: Mask) -> float:
    """How many colors there are among the pixels that differ from a neighbor, as a share of these
    pixels: the median of some cells of a mask. Lettering and drawings repeat a few colors; of
    foliage before a sky that is all white, nearly every pixel has its own.
    """
    shares = []
    for y, x in _sampled(cells):
        pixels = _cell(picture, y, x).astype(np.uint32)
        packed = pixels @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        inner = packed[1:, 1:]
        differing = (inner != packed[1:, :-1]) | (inner != packed[:-1, 1:])
        shares.append(np.unique(packed).size / max(1, int(differing.sum())))
    return float(np.median(shares))


def is_written(picture: Picture, busy: Mask) -> bool:
    """Whether a picture is lettering or line drawing on paper: many cells are busy, nearly all of
    these have a ground, one level or a few, and most others have its color. Noise and what a JPEG
    leaves about letters take the flatness of paper, but not its color.
    """
    if busy.mean() < WRITTEN:
        return False
    sampled = _sampled(busy)
    left = (1 - MOSTLY_GROUNDED) * len(sampled)  # that may have none
    grounds = []
    for y, x in sampled:
        ground, share = _ground(_green(picture, y, x))
        grounds.append(ground)
        left -= share < GROUNDED
        if left < 0:
            return False
    low, high = np.median(grounds) - GROUND, np.median(grounds) + 2 * GROUND
    levels = [np.median(_green(picture, y, x)) for y, x in _sampled(~busy)]
    return sum(bool(low <= level <= high) for level in levels) >= MOSTLY_PAPER * len(levels)


def is_lettered(picture: Picture, busy: Mask, part: Mask) -> bool:
    """Whether much of a part is lettering or lines on grounds that may differ, as of a map."""
    lettered = busy & part
    if lettered.sum() < LETTERED * max(1, part.sum()):
        return False
    shares = [_ground(_green(picture, y, x))[1] for y, x in _sampled(lettered)]
    many = sum(share >= GROUNDED for share in shares) >= MANY_GROUNDED * len(shares)
    return many and bool(np.median(shares) >= HALF)


def difference(a: Pixels, b: Pixels) -> Pixels:
    """By how many levels samples differ."""
    return np.maximum(a, b) - np.minimum(a, b)


def _sampled(cells: Mask) -> NDArray[np.intp]:
    """Rows and columns of some cells of a mask: (n, 2)."""
    places = np.argwhere(cells)
    return places[:: max(1, -(-len(places) // SAMPLED))]


def _cell(picture: Picture, y: int, x: int) -> Pixels:
    """The pixels of a cell, (rows, columns, 3)."""
    top, left = CELL * int(y), CELL * int(x)
    bottom, right = min(top + CELL, picture.height), min(left + CELL, picture.width)
    return picture.pixels(top, bottom, left, right)


def _green(picture: Picture, y: int, x: int) -> Pixels:
    """The green of a cell, (pixels,)."""
    return _cell(picture, y, x)[..., 1].ravel()


def _ground(green: Pixels) -> tuple[int, float]:
    """The first of the levels within which most pixels are, and the share of these."""
    sums = np.append(0, np.bincount(green, minlength=255 + GROUND).cumsum())
    within = sums[GROUND:] - sums[:-GROUND]
    return int(within.argmax()), float(within.max() / green.size)


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


def _fine(looked: Pixels, where: Mask) -> Floats:
    """As of Features, of the cells of a mask, outside which it is 0: the most of both directions
    and all channels.
    """
    out = np.zeros(where.shape, np.float32)
    if not where.any():
        return out
    wide = np.concatenate([looked, *[looked[:, :, -1:]] * 2], 2)  # two pixels more
    of_row, of_line = wide.strides[:2]
    shape = (*where.shape, HEIGHT, 3 * CELL + 6)
    cells = as_strided(wide, shape, (of_row, 3 * CELL, of_line, 1), writeable=False)
    found = cells[where]
    halves = found >> 1
    right = _bent(found[..., :-6], found[..., 3:-3], halves[..., :-6] + halves[..., 6:])
    found, halves = found[..., :-6], halves[..., :-6]
    down = _bent(found[:, :-2], found[:, 1:-1], halves[:, :-2] + halves[:, 2:])
    out[where] = np.maximum(right, down)
    return out


def _bent(first: Pixels, middle: Pixels, neighbors: Pixels) -> Floats:
    """By how many levels pixels differ from the mean of their neighbors, of each cell; 0 where
    they do not differ as those of a fine pattern do. first: one of the two neighbors.
    """
    step = _means_of_channels(difference(first, middle))
    bend = _means_of_channels(difference(middle, neighbors))
    return np.where((bend >= FINE) & (bend >= SHARP * step), bend, np.float32(0)).max(1)


def _means_of_channels(values: Pixels) -> Floats:
    """Of each cell: (cells, n, 3 * CELL) -> (cells, 3)."""
    sums = values.sum(1, dtype=np.uint16).astype(np.float32)
    with unwarned():
        return np.asarray(sums @ (CHANNELS / np.float32(values.shape[1] * CELL)))


def _most(values: Pixels) -> Pixels:
    """Of the three channels, which NumPy's own max takes five times as long for."""
    return np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2])


def _means(values: Pixels | Mask) -> Floats:
    """Of each cell: (rows, n, up to whole cells wide) -> (rows, columns)."""
    rows, n, width = values.shape
    columns = -(-width // CELL)
    whole = np.zeros((rows, CELL * columns), np.float32)
    whole[:, :width] = values.sum(1, dtype=np.uint16)
    with unwarned():
        totals = whole.reshape(-1, CELL) @ np.ones(CELL, np.float32)
    counts = np.full(columns, n * CELL, np.float32)
    counts[-1] -= n * (CELL * columns - width)
    return np.asarray(totals.reshape(rows, columns) / counts, np.float32)
