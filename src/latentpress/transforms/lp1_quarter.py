"""Stage 2 of 5, a quarter of the size: the latent of space lp1 -> pixels of its picture at 1/4,
without the synthesis network.

    t = E y_hat                                at each position: 320 -> 48 numbers
    q = b + sum over the 3 x 3 neighbors W t   4 x 4 pixels of RGB a position

A linear map, fitted to what the synthesis gives, reduced (`training/lp1/quarter.py`). Floats, after
all integers: no part of exactness, nor of the model's hash.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from latentpress import models
from latentpress._typing import Floats, Pixels
from latentpress.spaces import LP1
from latentpress.system.blas import unwarned
from latentpress.transforms.tiling import windows

FILE = "quarter.npz"
REDUCTION = 4  # pixels of the picture, each way, a pixel of the small one
CELL = LP1.factor // REDUCTION  # pixels of the small one, each way, a latent position
HALO = 1  # latent positions that an output sees on each side


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the small picture, rounded up as by Pillow's `reduce`."""
    return -(-width // REDUCTION), -(-height // REDUCTION)


def is_shipped() -> bool:
    """Whether there is a map for the shipped model: the file names the model that it was fitted
    to.
    """
    shipped = models.manifest(LP1.name)
    if FILE not in shipped["sha256"]:
        return False
    found = models.arrays(LP1.name, FILE)["model_hash"]
    return bool(found.tobytes().hex() == shipped["model_hash"])


def synthesize_quarter(latent: Iterable[Floats], width: int, height: int) -> Iterator[Pixels]:
    """Strips of the quantized latent (C, r, w) -> strips of pixels (rows, columns, 3) of the small
    picture.

    width, height: of the whole picture.
    """
    columns, rows = reduced_size(width, height)
    weights = models.arrays(LP1.name, FILE)
    project, taps, bias = (weights[k].astype(np.float32) for k in ("project", "taps", "bias"))
    projected = (_product(project, strip) for strip in latent)
    done = 0
    for parts, first, end in windows(projected, -(-height // LP1.factor), HALO):
        cells = cells_of(np.concatenate(parts, axis=1), taps) + bias
        pixels = _pixels(cells[first:end])[: rows - done, :columns]
        done += len(pixels)
        yield pixels


def cells_of(t: Floats, taps: Floats) -> Floats:
    """The sum over neighbors: (R, h, w) and (3, 3, R, N) -> (h, w, N). Past the border the outmost
    positions repeat.
    """
    h, w = t.shape[1:]
    padded = np.pad(np.moveaxis(t, 0, -1), ((1, 1), (1, 1), (0, 0)), mode="edge")
    cells = np.zeros((h, w, taps.shape[3]), np.float32)
    with unwarned():
        for dy in range(3):
            for dx in range(3):
                cells += padded[dy : dy + h, dx : dx + w] @ taps[dy, dx]
    return cells


def _product(project: Floats, strip: Floats) -> Floats:
    """(R, C) and (C, r, w) -> (R, r, w)."""
    with unwarned():
        return np.tensordot(project, strip, 1)


def _pixels(cells: Floats) -> Pixels:
    """Cells side by side: (h, w, CELL * CELL * 3) -> (CELL h, CELL w, 3), rounded."""
    h, w = cells.shape[:2]
    levels = np.rint(cells.clip(0, 255)).astype(np.uint8)
    blocks = levels.reshape(h, w, CELL, CELL, 3).swapaxes(1, 2)
    return blocks.reshape(CELL * h, CELL * w, 3)
