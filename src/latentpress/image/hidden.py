"""Colors under full transparency: nobody sees them, so the encoder puts there what costs least.

Push-pull (Gortler et al., "The Lumigraph", SIGGRAPH 1996): a pyramid of opacity-weighted means is
built upwards ("pull"), and downwards each hole is filled from the next coarser level, bilinearly
("push"). What was stored under an opacity of 0 has no influence on the result.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from PIL import Image

from latentpress._typing import Floats, Pixels
from latentpress.image.color import BAND_PIXELS
from latentpress.image.picture import Picture
from latentpress.system.once import cached_property

LEVELS = 4  # of the pyramid that a window makes for itself
CELL = 1 << LEVELS  # pixels a side of the coarsest of them, which is kept for the whole picture
NEAR_PIXELS = 1 << 16  # of a band of rows whose levels a core's cache holds
NEUTRAL = 128.0  # where no pixel of the picture is seen


def fill_hidden(picture: Picture) -> Picture:
    """The picture with colors under an alpha of 0 that follow from the visible ones; the picture
    itself where nothing is hidden.

    The colors are made window by window when pixels are asked for: beside the picture, 12 bytes for
    16 x 16 pixels are kept.
    """
    if picture.alpha is None or isinstance(picture, FilledPicture) or picture.alpha.all():
        return picture
    parts = {f.name: getattr(picture, f.name) for f in fields(Picture)}
    return FilledPicture(**parts, cells=_filled(_cells(picture, picture.alpha)))


@dataclass(frozen=True, eq=False, kw_only=True)
class FilledPicture(Picture):
    """A picture whose hidden colors are filled. cells: (ceil(height / 16), ceil(width / 16), 3)
    float32, the filled level 4 of the pyramid.
    """

    cells: Floats

    @cached_property
    def image(self) -> Image.Image:
        """As of Picture."""
        image = Image.new("RGB", (self.width, self.height))
        rows = max(1, BAND_PIXELS // self.width)
        for top in range(0, self.height, rows):
            bottom = min(top + rows, self.height)
            image.paste(Image.fromarray(self.pixels(top, bottom, 0, self.width)), (0, top))
        return image

    def pixels(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        """As of Picture."""
        out = super().pixels(top, bottom, left, right)
        if self.alpha is None:
            return out
        hidden = self.alpha[top:bottom, left:right] == 0
        if not hidden.any():
            return out
        rows = max(CELL, 2 * NEAR_PIXELS // max(1, right - left))  # with a cell above and below
        for start in range(top, bottom, rows):
            end = min(start + rows, bottom)
            part = hidden[start - top : end - top]
            found = np.flatnonzero(part.any(axis=0))
            if found.size:  # the columns from the first hidden pixel to the last
                a, b = int(found[0]), int(found[-1]) + 1
                fill = self._fill(self.alpha, start, end, left + a, left + b)
                np.copyto(out[start - top : end - top, a:b], fill, where=part[:, a:b, None])
        return out

    def _fill(self, alpha: Pixels, top: int, bottom: int, left: int, right: int) -> Pixels:
        """The filled finest level of a window, (rows, columns, 3). A cell more on each side is
        read, since what a level gets wrong at the window's edge adds up to 15 pixels.
        """
        cells_high, cells_wide = self.cells.shape[:2]
        first, last = max(0, top // CELL - 1), min(cells_high, -(-bottom // CELL) + 1)
        begin, end = max(0, left // CELL - 1), min(cells_wide, -(-right // CELL) + 1)
        y, x = CELL * first, CELL * begin
        window = super().pixels(y, min(CELL * last, self.height), x, min(CELL * end, self.width))
        level = _weighted(window, alpha[y : y + len(window), x : x + window.shape[1]])
        holes = [level]
        for _ in range(LEVELS - 1):
            holes.append(_halved(holes[-1]))
        colors = self.cells[first:last, begin:end]
        for level in reversed(holes):
            colors = _pushed(level, colors)
        own = colors[top - y : bottom - y, left - x : right - x]
        return np.rint(own).clip(0, 255).astype(np.uint8)


def _cells(picture: Picture, alpha: Pixels) -> Floats:
    """Level 4 of the pyramid, unfilled, a band of rows at a time."""
    out = np.empty((-(-picture.height // CELL), -(-picture.width // CELL), 4), np.float32)
    rows = CELL * max(1, NEAR_PIXELS // CELL // picture.width)
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        pixels = picture.pixels(top, bottom, 0, picture.width)
        level = _weighted(pixels, alpha[top:bottom])
        for _ in range(LEVELS):
            level = _halved(level)
        out[top // CELL : top // CELL + len(level)] = level
    return out


def _weighted(pixels: Pixels, alpha: Pixels) -> Floats:
    """The finest level, (rows, columns, 4) float32, padded to whole cells: color times opacity, and
    the opacity, 0 to 1.
    """
    height, width = alpha.shape
    out = np.zeros((-(-height // CELL) * CELL, -(-width // CELL) * CELL, 4), np.float32)
    opacity = alpha * np.float32(1 / 255)
    for channel in range(3):  # one after the other, since NumPy is slow at three numbers at a time
        np.multiply(pixels[:, :, channel], opacity, out=out[:height, :width, channel])
    out[:height, :width, 3] = opacity
    return out


def _halved(level: Floats) -> Floats:
    """The next coarser level: means of 2 x 2, zeros beyond an odd edge."""
    odd = [(0, n % 2) for n in level.shape[:2]]
    padded = np.pad(level, (*odd, (0, 0))) if any(pad for _, pad in odd) else level
    rows = padded[0::2] + padded[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.25)


def _filled(level: Floats) -> Floats:
    """A level (h, w, 4) -> its colors (h, w, 3), the holes filled."""
    if level.shape[:2] == (1, 1):
        return _pushed(level, None)
    return _pushed(level, _filled(_halved(level)))


def _pushed(level: Floats, coarser: Floats | None) -> Floats:
    """The colors of a level; those of the next coarser one where no pixel is seen."""
    weight = level[:, :, 3:]
    if coarser is None:
        below: Floats = np.full((*level.shape[:2], 3), NEUTRAL, np.float32)
    else:
        below = _doubled(_doubled(coarser, 0), 1)[: level.shape[0], : level.shape[1]]
    seen = weight > 0
    return np.where(seen, level[:, :, :3] / np.where(seen, weight, np.float32(1)), below)


def _doubled(colors: Floats, axis: int) -> Floats:
    """Twice the size along an axis, linearly between the centers of the cells."""
    moved = np.moveaxis(colors, axis, 0)
    out = np.empty((2 * len(moved), *moved.shape[1:]), np.float32)
    three = moved * np.float32(0.75)
    out[0::2] = three + np.float32(0.25) * np.concatenate([moved[:1], moved[:-1]])
    out[1::2] = three + np.float32(0.25) * np.concatenate([moved[1:], moved[-1:]])
    return np.moveaxis(out, 0, axis)
