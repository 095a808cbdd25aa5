"""The floor under every picture: blocks whose mean color the latent moves, at the qualities that
promise to keep it.

What the synthesis draws beyond black and white is cut off, and where edges end there, that moves
the mean. So blocks with strong edges, many pixels at the ends of the range and much color are
risky: a few of a photograph, if any. These are decoded, and compared.
"""

from __future__ import annotations

import numpy as np

from latentpress._typing import Floats, Pixels
from latentpress.content.features import difference
from latentpress.content.lost import BLOCK, SIDE, shift
from latentpress.content.trial import Trial
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.image.picture import Picture
from latentpress.screen.encoder import PROMISED
from latentpress.screen.mask import CELL, Mask

RISKY = 40  # the risk of a block from which on it is decoded
ENDS = (2, 253)  # levels from which on a pixel is at an end of the range
FEW, PALE = 0.02, 5  # added to a block's share of such pixels, and to its color in levels
COMPARED = (PROMISED + 100) / 2  # quality at which blocks are compared
# levels of the mean color there; 3 are promised. Steps that follow the activity of a place, which
# are left out here, add up to .6.
MOST_MOVED = 2.4
WINDOW = 2 * BLOCK  # cells: side of the squares whose blocks are decoded together
AROUND = 1  # cells around them, which the synthesis sees too


def moved_blocks(trial: Trial, mask: Mask) -> Mask:
    """The cells of those blocks outside a mask whose mean color the latent moves too far."""
    moved = np.zeros_like(mask)
    risky = risks(trial.picture) >= RISKY
    if not risky.any():
        return moved
    coder = HyperpriorCoder(trial.options.space.name, COMPARED)
    step = WINDOW // BLOCK
    for top in range(0, risky.shape[0], step):
        for left in range(0, risky.shape[1], step):
            blocks = np.argwhere(risky[top : top + step, left : left + step])
            cells = [(BLOCK * (top + int(y)), BLOCK * (left + int(x))) for y, x in blocks]
            cells = [(y, x) for y, x in cells if not mask[y : y + BLOCK, x : x + BLOCK].all()]
            for y, x in _moved(trial, coder, cells) if cells else ():
                moved[y : y + BLOCK, x : x + BLOCK] = True
    return moved & ~mask


def risks(picture: Picture) -> Floats:
    """The risk of each block: its differences between neighbors, times the share of its pixels at
    the ends of the range, times the root of its color.
    """
    rows, columns = -(-picture.height // SIDE), -(-picture.width // SIDE)
    out = np.empty((rows, columns), np.float32)
    for y in range(rows):
        bottom = min(SIDE * (y + 1), picture.height)
        pixels = picture.pixels(SIDE * y, bottom, 0, picture.width)
        beside = np.zeros(pixels.shape, np.uint8)
        above = np.zeros(pixels.shape, np.uint8)
        beside[:, 1:] = difference(pixels[:, 1:], pixels[:, :-1])
        above[1:] = difference(pixels[1:], pixels[:-1])
        ends = (pixels <= ENDS[0]) | (pixels >= ENDS[1])
        edges = (_means(beside) + _means(above)).max(1)
        means = _means(pixels)
        color = means.max(1) - means.min(1)
        out[y] = edges * (_means(ends).mean(1) + FEW) * np.sqrt(color + PALE)
    return out


def _moved(
    trial: Trial, coder: HyperpriorCoder, cells: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Those of some blocks beside each other, by their first cells, that are moved."""
    height, width = trial.picture.height, trial.picture.width
    top, left = (CELL * max(0, min(c[i] for c in cells) - AROUND) for i in (0, 1))
    bottom, right = (CELL * (max(c[i] for c in cells) + BLOCK + AROUND) for i in (0, 1))
    pixels = trial.picture.pixels(top, min(bottom, height), left, min(right, width))
    decoded = trial.rounded(trial.analyzed(pixels), coder, pixels)
    found = []
    for y, x in cells:
        a, b = CELL * y - top, CELL * x - left
        block = np.s_[a : a + SIDE, b : b + SIDE]
        if shift(pixels[block], decoded[block]) > MOST_MOVED:
            found.append((y, x))
    return found


def _means(values: Pixels | Mask) -> Floats:
    """Of each block of a row of blocks: (rows, width, 3) -> (blocks, 3)."""
    rows, width, _ = values.shape
    sums = values.sum(0, dtype=np.uint32)
    starts = np.arange(0, width, SIDE)
    counts = rows * np.minimum(SIDE, width - starts)
    return np.asarray(np.add.reduceat(sums, starts, 0) / counts[:, None], np.float32)
