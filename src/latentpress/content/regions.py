"""Regions of cells: what belongs to a screen, and what lies alone within it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from latentpress.content.features import FLAT, Features
from latentpress.screen.mask import Mask

DRAWN_CELLS, DRAWN_SHARE = 4, 0.1  # of a region of flat cells, from which on it is a screen
MOSTLY = 0.5  # share of a picture, from which on its flat cells are a screen without sharp edges
PARTLY_FLAT = 0.1  # share of flat pixels of a cell beside a screen, from which on it belongs to it
ALONE = 12  # cells: smaller regions within a screen belong to it


def drawn_region(found: Features) -> Mask:
    """The cells that look like a screen: regions of flat cells with sharp edges among them, what is
    partly flat beside them, and small regions within.
    """
    flat = found.flat >= FLAT
    screen = np.zeros_like(flat)
    for region in regions(flat):
        drawn = int(found.drawn[region].sum())
        size = int(region.sum())
        if (drawn >= DRAWN_CELLS and drawn >= DRAWN_SHARE * size) or size >= MOSTLY * flat.size:
            screen |= region
    if not screen.any():
        return screen
    screen |= grown(screen) & (found.flat >= PARTLY_FLAT)
    return filled(screen)


def filled(mask: Mask) -> Mask:
    """The mask with the small regions that lie outside it, beside it, taken in."""
    out, left, large = mask.copy(), ~mask, np.zeros_like(mask)
    for start in np.argwhere(grown(mask) & ~mask):
        if left[tuple(start)] and not large[tuple(start)]:
            cells = tuple(np.transpose(_region(left, start, ALONE)))
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


def regions(mask: Mask) -> Iterator[Mask]:
    """The connected regions of a mask, cells that touch at a side or a corner."""
    left = mask.copy()
    for start in np.argwhere(mask):
        if left[tuple(start)]:
            region = np.zeros_like(mask)
            region[tuple(np.transpose(_region(left, start, mask.size)))] = True
            yield region


def _region(left: Mask, start: NDArray[np.intp], most: int) -> list[tuple[int, int]]:
    """Cells that are connected with one of a mask, as many as were found when they were `most` or
    all; they are taken from the mask.
    """
    rows, columns = left.shape
    region = [(int(start[0]), int(start[1]))]
    left[region[0]] = False
    for y, x in region:  # which grows
        if len(region) >= most:
            break
        for b in range(max(0, y - 1), min(rows, y + 2)):
            for a in range(max(0, x - 1), min(columns, x + 2)):
                if left[b, a]:
                    left[b, a] = False
                    region.append((b, a))
    return region
