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
    """The mask with the small regions that lie outside it taken in."""
    out = mask.copy()
    for region in regions(~mask):
        if region.sum() < ALONE and (grown(region) & mask).any():
            out |= region
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
    left: NDArray[np.bool_] = mask.copy()
    rows, columns = mask.shape
    for start in np.argwhere(mask):
        if not left[tuple(start)]:
            continue
        region = np.zeros_like(mask)
        waiting = [(int(start[0]), int(start[1]))]
        left[waiting[0]] = False
        while waiting:
            y, x = waiting.pop()
            region[y, x] = True
            for b in range(max(0, y - 1), min(rows, y + 2)):
                for a in range(max(0, x - 1), min(columns, x + 2)):
                    if left[b, a]:
                        left[b, a] = False
                        waiting.append((b, a))
        yield region
