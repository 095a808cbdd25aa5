"""Stage 2 of 5, a quarter of the size: the latent of space lp1 -> pixels of its picture at 1/4,
without the synthesis network.

    h = relu(W1 y_hat + b1)                        at each position
    q = V y_hat + b + sum over 3 x 3 of W2 h       4 x 4 pixels of RGB a position

V, W1 and W2 were fitted to what the synthesis gives, reduced (`training/lp1/quarter.py`). Floats,
after all integers: no part of exactness.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from latentpress import models
from latentpress._typing import Floats, Pixels
from latentpress.spaces import LP1
from latentpress.transforms.tiling import windows

FILE = "quarter.npz"
REDUCTION = 4  # pixels of the picture, each way, a pixel of the small one
CELL = LP1.factor // REDUCTION  # pixels of the small one, each way, a latent position
HALO = 1  # latent positions that an output sees on each side


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the small picture, rounded up as by Pillow's `reduce`."""
    return -(-width // REDUCTION), -(-height // REDUCTION)


def synthesize_quarter(latent: Iterable[Floats], width: int, height: int) -> Iterator[Pixels]:
    """Strips of the quantized latent (C, r, w) -> strips of pixels (rows, columns, 3) of the small
    picture.

    width, height: of the whole picture.
    """
    columns, rows = reduced_size(width, height)
    done = 0
    for parts, first, end in windows(latent, -(-height // LP1.factor), HALO):
        cells = _cells(np.concatenate(parts, axis=1))[first:end]
        pixels = _pixels(cells)[: rows - done, :columns]
        done += len(pixels)
        yield pixels


def _cells(y_hat: Floats) -> Floats:
    """(C, h, w) -> (h, w, CELL * CELL * 3), in levels."""
    weights = {name: a.astype(np.float32) for name, a in models.arrays(LP1.name, FILE).items()}
    y = np.moveaxis(y_hat, 0, -1)
    h, w = y.shape[:2]
    hidden = np.maximum(y @ weights["w1"] + weights["b1"], 0)
    padded = np.pad(hidden, ((1, 1), (1, 1), (0, 0)))
    cells: Floats = y @ weights["v"] + weights["b"]
    for dy in range(3):
        for dx in range(3):
            cells += padded[dy : dy + h, dx : dx + w] @ weights["w2"][dy, dx]
    return cells


def _pixels(cells: Floats) -> Pixels:
    """Cells side by side: (h, w, CELL * CELL * 3) -> (CELL h, CELL w, 3), rounded."""
    h, w = cells.shape[:2]
    levels = np.rint(cells.clip(0, 255)).astype(np.uint8)
    blocks = levels.reshape(h, w, CELL, CELL, 3).swapaxes(1, 2)
    return blocks.reshape(CELL * h, CELL * w, 3)
