"""Compositions: a picture with others inside it, sharp edges between kinds that differ."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.data.painters.chance import happens, pick, whole
from training.data.painters.colors import any_color
from training.data.painters.fonts import Fonts

Painter = Callable[[np.random.Generator, int, Fonts], NDArray[np.uint8]]
SMALLEST = 64


def compose(
    rng: np.random.Generator, picture: NDArray[np.uint8], fonts: Fonts, painters: list[Painter]
) -> NDArray[np.uint8]:
    """The picture (size, size, 4) with one to three smaller ones of these painters laid over it."""
    size = len(picture)
    if size < 2 * SMALLEST:
        return picture
    picture = picture.copy()
    for _ in range(whole(rng, 1, 3)):
        side = whole(rng, SMALLEST, size * 3 // 5)
        inset = pick(rng, painters)(rng, side, fonts)
        inset = inset[: whole(rng, side // 3, side)] if happens(rng, 0.6) else inset
        if happens(rng, 0.4):
            line = (*any_color(rng), 0)
            inset[[0, -1]] = line
            inset[:, [0, -1]] = line
        top, left = whole(rng, 0, size - len(inset)), whole(rng, 0, size - side)
        picture[top : top + len(inset), left : left + side] = inset
    return picture
