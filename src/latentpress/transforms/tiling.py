"""Stage 2 of 5, bounded memory: strips of latent rows, each transformed in tiles with a halo.

A convolutional transform with zero padding sees at most `halo` latent positions to each side; a tile that brings that
much of its neighbours gives the same numbers as the whole picture. Real borders get no halo: there the padding is right.
"""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

STRIP_ROWS = 64        # latent rows a strip
TILE_POSITIONS = 12_000       # latent positions a tile, halo included: about 0.3 GB of activations in lp1
TILE_POSITIONS_LARGE = 7_000  # the same for pictures of more than LARGE positions, which need their memory for themselves
LARGE = 125_000               # 32 megapixels


def strips(rows: int) -> Iterator[tuple[int, int]]:
    """(first, end) latent rows of each strip."""
    for first in range(0, rows, STRIP_ROWS):
        yield first, min(first + STRIP_ROWS, rows)


def with_halo(first: int, end: int, halo: int, length: int) -> tuple[int, int]:
    """The interval widened by halo, within 0..length."""
    return max(0, first - halo), min(length, end + halo)


def tile_positions(rows: int, columns: int) -> int:
    """Positions a tile may have in a latent of rows x columns."""
    return TILE_POSITIONS if rows * columns <= LARGE else TILE_POSITIONS_LARGE


def tile_columns(rows: int, columns: int, halo: int, positions: int) -> list[tuple[int, int]]:
    """(first, end) latent columns of equal tiles so that rows x (columns + 2 halo) stays within positions."""
    widest = positions // rows
    if columns <= widest:
        return [(0, columns)]
    count = -(-columns // max(1, widest - 2 * halo))
    edges = [round(i * columns / count) for i in range(count + 1)]
    return list(itertools.pairwise(edges))


def windows(latent_strips: Iterable[NDArray[np.float32]], rows: int, halo: int) -> Iterator[tuple[NDArray[np.float32], int, int]]:
    """Strips (C, r, w) in order -> each with up to halo rows of its neighbours: (window, first own row, end) within it.

    Holds three strips at most.
    """
    source = iter(latent_strips)
    held: NDArray[np.float32] | None = None
    start = read = 0
    for first, end in strips(rows):
        low, high = with_halo(first, end, halo, rows)
        while read < high:
            strip = next(source)
            held = strip if held is None else np.concatenate([held, strip], axis=1)
            read += strip.shape[1]
        assert held is not None  # for the type checker: rows >= 1
        yield held[:, low - start : high - start], first - low, end - low
        keep = max(low, end - halo)
        held, start = held[:, keep - start :], keep
