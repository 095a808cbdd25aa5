"""Regions of cells: what belongs to a screen, and what lies alone within it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Pixels
from latentpress.content.features import FLAT, Features
from latentpress.image.picture import Picture
from latentpress.screen.mask import CELL, Mask, grid

DRAWN_CELLS, DRAWN_SHARE = 4, 0.05  # of a region of flat cells, from which on it is a screen
MOSTLY = 0.5  # share of a picture, from which on its flat cells are a screen without sharp edges
PARTLY_FLAT = 0.1  # share of flat pixels of a cell beside a screen, from which on it belongs to it
# share of the pixels along a cell's side from which flat color goes on into the next cell, so many
# pixels deep, from which on what is drawn in the one goes on in the other
GOES_ON, DEEP = 0.2, 4
STEPS = 4  # cells as far as it goes on: over lines of dense text, and around a corner
ALONE = 12  # cells: smaller regions within a screen belong to it

Cells = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows and columns of some cells of a mask


def drawn_region(found: Features) -> Mask:
    """The cells that look like a screen: regions of flat cells with sharp edges among them, what is
    partly flat beside them, and small regions within.
    """
    flat = found.flat >= FLAT
    screen = np.zeros_like(flat)
    for region in regions(flat):
        drawn = int(found.drawn[region].sum())
        size = len(region[0])
        if (drawn >= DRAWN_CELLS and drawn >= DRAWN_SHARE * size) or size >= MOSTLY * flat.size:
            screen[region] = True
    if not screen.any():
        return screen
    screen |= grown(screen) & (found.flat >= PARTLY_FLAT)
    return filled(screen)


def continued(mask: Mask, picture: Picture) -> Mask:
    """The mask with the cells into which what is drawn goes on, so that its borders lie where the
    drawing's do, and not some rows off them.
    """
    right, left, down, up = _goes_on(picture)
    out = mask.copy()
    for _ in range(STEPS):
        known = out.copy()
        out[:, 1:] |= known[:, :-1] & right
        out[:, :-1] |= known[:, 1:] & left
        out[1:] |= known[:-1] & down
        out[:-1] |= known[1:] & up
    return filled(out)


def filled(mask: Mask) -> Mask:
    """The mask with the small regions that lie outside it, beside it, taken in."""
    out, left, large = mask.copy(), ~mask, np.zeros_like(mask)
    for start in np.argwhere(grown(mask) & ~mask):
        if left[tuple(start)] and not large[tuple(start)]:
            cells = _region(left, start, ALONE)
            is_small = len(cells[0]) < ALONE
            (out if is_small else large)[cells] = True
            left[cells] = not is_small  # the rest of a large region is connected by them
    return out


def grown(mask: Mask) -> Mask:
    """The mask and the eight neighbors of each of its cells."""
    wide = np.pad(mask, 1)
    rows, columns = mask.shape
    out = np.zeros_like(mask)
    for y in range(3):
        for x in range(3):
            out |= wide[y : y + rows, x : x + columns]
    return out


def regions(mask: Mask) -> Iterator[Cells]:
    """The connected regions of a mask, cells that touch at a side or a corner."""
    left = mask.copy()
    for start in np.argwhere(mask):
        if left[tuple(start)]:
            yield _region(left, start, mask.size)


def _goes_on(picture: Picture) -> tuple[Mask, Mask, Mask, Mask]:
    """Whether flat color goes on from a cell into the next one: to the right and to the left,
    (rows, columns - 1), down and up, (rows - 1, columns).
    """
    height, width = picture.height, picture.width
    rows, columns = grid(width, height)
    right, left = np.zeros((2, rows, columns - 1), bool)
    down, up = np.zeros((2, rows - 1, columns), bool)
    x = np.arange(CELL, width, CELL)
    ends = np.minimum(x + DEEP, width) - 1
    for y in range(rows):
        top, bottom = CELL * y, min(CELL * (y + 1), height)
        pixels = picture.pixels(top, bottom, 0, width)
        right[y] = _flat(pixels[:, x - 1], pixels[:, ends]).mean(0) >= GOES_ON
        left[y] = _flat(pixels[:, x], pixels[:, x - DEEP]).mean(0) >= GOES_ON
        if bottom < height:
            below = picture.pixels(bottom, min(bottom + DEEP, height), 0, width)
            down[y] = _of_sides(_flat(pixels[-1, :, None], below[-1, :, None])) >= GOES_ON
            up[y] = _of_sides(_flat(below[0, :, None], pixels[-DEEP, :, None])) >= GOES_ON
    return right, left, down, up


def _flat(one: Pixels, other: Pixels) -> Mask:
    """Whether two pixels across, and the two before them along the line, are all equal:
    (n, lines, 3) twice -> (n, lines).
    """
    across = (one == other).all(2)
    flat = np.zeros_like(across)
    flat[1:] = across[1:] & across[:-1] & (one[1:] == one[:-1]).all(2)
    return flat


def _of_sides(flat: Mask) -> Floats:
    """The share of each cell's side that is flat: (width, 1) -> (columns,)."""
    starts = np.arange(0, len(flat), CELL)
    counts = np.minimum(CELL, len(flat) - starts)
    return np.asarray(np.add.reduceat(flat[:, 0], starts, dtype=np.int64) / counts)


def _region(left: Mask, start: NDArray[np.intp], most: int) -> Cells:
    """Cells that are connected with one of a mask, as many as were found when they were `most` or
    all; they are taken from the mask.
    """
    height, width = left.shape
    region = [(int(start[0]), int(start[1]))]
    left[region[0]] = False
    for y, x in region:  # which grows
        if len(region) >= most:
            break
        for b in range(max(0, y - 1), min(height, y + 2)):
            for a in range(max(0, x - 1), min(width, x + 2)):
                if left[b, a]:
                    left[b, a] = False
                    region.append((b, a))
    rows, columns = np.transpose(region)
    return rows, columns
