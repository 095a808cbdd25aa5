"""Stage 2 of 5, bounded memory: strips of latent rows, each transformed in tiles with a halo.

A convolutional transform with zero padding sees at most `halo` latent positions to each side; a
tile that brings that much of its neighbors gives the same numbers as the whole picture. Real
borders get no halo: there the padding is right.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from latentpress._typing import Floats, Pixels

if TYPE_CHECKING:
    from latentpress.image.picture import Picture

STRIP_ROWS = 64  # latent rows a strip
# latent positions a tile, halo included: about 0.3 GB of activations in lp1
TILE_POSITIONS = 12_000
WHOLE_POSITIONS = 4_096  # up to so many, a picture is one call: a megapixel in lp1
LARGE = 125_000  # latent positions of pictures that need the memory for themselves: 32 megapixels


def strips(rows: int) -> Iterator[tuple[int, int]]:
    """(first, end) latent rows of each strip."""
    for first in range(0, rows, STRIP_ROWS):
        yield first, min(first + STRIP_ROWS, rows)


def with_halo(first: int, end: int, halo: int, length: int) -> tuple[int, int]:
    """The interval widened by halo, within 0..length."""
    return max(0, first - halo), min(length, end + halo)


def is_large(rows: int, columns: int) -> bool:
    """Whether a latent of rows x columns needs the memory for itself."""
    return rows * columns > LARGE


def tile_columns(rows: int, columns: int, halo: int, positions: int) -> list[tuple[int, int]]:
    """(first, end) latent columns of equal tiles so that rows x (columns + 2 halo) stays within
    positions.
    """
    widest = positions // rows
    if columns <= widest:
        return [(0, columns)]
    count = -(-columns // max(1, widest - 2 * halo))
    edges = [round(i * columns / count) for i in range(count + 1)]
    return list(itertools.pairwise(edges))


def windows(
    latent_strips: Iterable[Floats], rows: int, halo: int
) -> Iterator[tuple[list[Floats], int, int]]:
    """Strips (C, r, w) in order -> each with up to halo rows of its neighbors: (parts, first own
    row, end) within them.

    The parts lie one below the other; two strips and halo rows are held, more only where halo
    exceeds a strip.
    """
    source = iter(latent_strips)
    held: list[tuple[int, Floats]] = []  # (first row, strip)
    read = 0
    for first, end in strips(rows):
        low, high = with_halo(first, end, halo, rows)
        while read < high:
            held.append((read, next(source)))
            read += held[-1][1].shape[1]
        yield (
            [
                s[:, max(0, low - top) : high - top]
                for top, s in held
                if top < high and top + s.shape[1] > low
            ],
            first - low,
            end - low,
        )
        first_kept = max(0, end - halo)  # copied, so that the strip itself can go
        held = [
            (top, s) if top >= first_kept else (first_kept, s[:, first_kept - top :].copy())
            for top, s in held
            if top + s.shape[1] > first_kept
        ]


def padded_pixels(picture: Picture, top: int, bottom: int, left: int, right: int) -> Pixels:
    """Pixels of a window of the picture, (bottom - top, right - left, 3); past the picture its last
    row and column repeat. top, left: within the picture.
    """
    pixels = picture.pixels(top, min(bottom, picture.height), left, min(right, picture.width))
    below = bottom - top - pixels.shape[0]
    beside = right - left - pixels.shape[1]
    if not below and not beside:
        return pixels
    return np.pad(pixels, ((0, below), (0, beside), (0, 0)), mode="edge")
