"""Painters: synthetic pictures of what photographs do not teach, with the mask of their text."""

import numpy as np
from numpy.typing import NDArray

from training.data.painters import (
    chart,
    flats,
    interface,
    line_art,
    noise,
    patterns,
    pixel_art,
    text,
)
from training.data.painters.chance import happens, weighted
from training.data.painters.composition import Painter, compose
from training.data.painters.fonts import Fonts

__all__ = ["PAINTERS", "SHARES", "TEXTLESS", "Fonts", "paint"]

PAINTERS: dict[str, Painter] = {
    "text": text.paint,
    "interface": interface.paint,
    "chart": chart.paint,
    "line_art": line_art.paint,
    "pixel_art": pixel_art.paint,
    "patterns": patterns.paint,
    "flats": flats.paint,
    "noise": noise.paint,
}
SHARES: dict[str, float] = {
    "text": 0.28,
    "interface": 0.2,
    "chart": 0.1,
    "line_art": 0.1,
    "pixel_art": 0.06,
    "patterns": 0.12,
    "flats": 0.08,
    "noise": 0.06,
}
TEXTLESS = ("pixel_art", "patterns", "flats", "noise")  # their masks are empty
_COMPOSED = {
    "text": 0.3,
    "interface": 0.25,
    "chart": 0.33,
    "line_art": 0.33,
    "pixel_art": 0.25,
    "noise": 0.25,
}


def paint(
    rng: np.random.Generator, size: int, fonts: Fonts, kind: str | None = None
) -> NDArray[np.uint8]:
    """One picture, (size, size, 4) uint8: red, green, blue and the mask of text (255 or 0).

    The mask takes in what is within about two pixels of a glyph. A kind is drawn by SHARES where
    none is named. Some pictures hold smaller ones of other kinds; textless kinds stay textless.
    """
    kind = kind or weighted(rng, SHARES)
    picture = PAINTERS[kind](rng, size, fonts)
    if kind in _COMPOSED and happens(rng, _COMPOSED[kind]):
        names = TEXTLESS if kind in TEXTLESS else tuple(PAINTERS)
        return compose(rng, picture, fonts, [PAINTERS[name] for name in names])
    return picture
