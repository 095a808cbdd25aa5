"""Pixel art: small symmetric sprites and tiles of few colors, enlarged by whole factors."""

import numpy as np
from numpy.typing import NDArray

from training.data.painters.canvas import opaque
from training.data.painters.chance import happens, pick, span, whole
from training.data.painters.colors import BLACK, any_color, blend, deep, hsv, palette
from training.data.painters.fonts import Fonts

Pixels = NDArray[np.uint8]


def sprite(rng: np.random.Generator, side: int) -> tuple[Pixels, NDArray[np.bool_]]:
    """A creature or a thing: colors (side, side, 3) uint8 and where it is, (side, side) bool.

    One half is drawn cell by cell, smoothed once so that it hangs together, and mirrored.
    """
    half = -(-side // 2)
    y = np.linspace(-1, 1, side)[:, None]
    x = np.linspace(1, 0, half)[None, :]
    body = rng.random((side, half)) + 0.75 - (x * x + y * y) * span(rng, 0.7, 1.2) > 0.62
    shades = np.asarray(palette(rng, whole(rng, 2, 5)), np.uint8)
    rows = rng.integers(0, len(shades), (-(-side // 3), -(-half // 2)))
    part = rows.repeat(3, 0)[:side].repeat(2, 1)[:, :half]
    part = np.where(rng.random((side, half)) < 0.12, rng.integers(0, len(shades), part.shape), part)
    body[[0, -1]] = False
    body[:, 0] = False
    inside = np.concatenate([body, body[:, ::-1][:, side % 2 :]], axis=1)
    colors = shades[np.concatenate([part, part[:, ::-1][:, side % 2 :]], axis=1)]
    if happens(rng, 0.6):  # light from above
        fall = np.linspace(1.15, 0.7, side)[:, None, None]
        colors = np.clip(np.floor(colors * fall / 16) * 16, 0, 255).astype(np.uint8)
    if happens(rng, 0.7):
        return _outlined(colors, inside, deep(rng) if happens(rng, 0.4) else BLACK)
    return colors, inside


def _outlined(
    colors: Pixels, inside: NDArray[np.bool_], ink: tuple[int, int, int]
) -> tuple[Pixels, NDArray[np.bool_]]:
    """The sprite with an outline one pixel wide."""
    wide = np.pad(inside, 1)
    near = wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    line = near & ~inside
    colors = colors.copy()
    colors[line] = ink
    return colors, inside | line


def tile(rng: np.random.Generator, side: int) -> Pixels:
    """A piece of ground, wall, water or grass, (side, side, 3) uint8, of three or four colors."""
    base = any_color(rng)
    shades = [base, blend(base, BLACK, 0.25), blend(base, (255, 255, 255), 0.25)]
    kind = pick(rng, ("bricks", "speckles", "waves", "planks", "bevel"))
    y, x = np.mgrid[:side, :side]
    which = np.zeros((side, side), np.int64)
    if kind == "bricks":
        course = max(3, side // 4)
        shift = (y // course % 2) * (side // 4)
        which[(y % course == 0) | ((x + shift) % max(4, side // 2) == 0)] = 1
        which[(y % course == 1) & (which == 0)] = 2
    elif kind == "speckles":
        which = np.where(rng.random((side, side)) < 0.2, rng.integers(1, 3, (side, side)), 0)
    elif kind == "waves":
        which[(y + (np.sin(x * 2 * np.pi / side) * 1.6).round().astype(int)) % 4 == 0] = 2
    elif kind == "planks":
        which[x % max(3, side // 4) == 0] = 1
    else:
        which[(x == 0) | (y == 0)] = 2
        which[(x == side - 1) | (y == side - 1)] = 1
    return np.asarray(shades, np.uint8)[which]


def tile_map(rng: np.random.Generator, rows: int, columns: int) -> Pixels:
    """A map of tiles in patches, (rows, columns, 3) uint8."""
    side = pick(rng, (8, 8, 16, 16, 12))
    tiles = np.asarray([tile(rng, side) for _ in range(whole(rng, 2, 6))])
    down, across = -(-rows // side), -(-columns // side)
    coarse = rng.integers(0, len(tiles), (down // 3 + 1, across // 3 + 1))
    plan = coarse.repeat(3, 0)[:down].repeat(3, 1)[:, :across]
    swap = rng.random(plan.shape) < 0.1
    plan = np.where(swap, rng.integers(0, len(tiles), plan.shape), plan)
    grid = tiles[plan].transpose(0, 2, 1, 3, 4)
    return grid.reshape(down * side, across * side, 3)[:rows, :columns].copy()


def _ground(rng: np.random.Generator, rows: int, columns: int) -> Pixels:
    """What sprites stand on: one color, bands of sky, or a map."""
    kind = pick(rng, ("flat", "bands", "map", "map"))
    if kind == "map":
        return tile_map(rng, rows, columns)
    if kind == "flat":
        return np.full((rows, columns, 3), any_color(rng), np.uint8)
    hue = span(rng, 0, 1)
    steps = whole(rng, 3, 8)
    bands = [hsv(hue + 0.02 * i, span(rng, 0.4, 0.8), (i + 2) / (steps + 2)) for i in range(steps)]
    place = np.minimum(np.arange(rows) * steps // max(1, rows), steps - 1)
    return np.asarray(bands, np.uint8)[place][:, None].repeat(columns, 1)


def _stamp(rng: np.random.Generator, ground: Pixels, top: int, left: int, side: int) -> None:
    colors, inside = sprite(rng, side)
    rows, columns = min(side, len(ground) - top), min(side, ground.shape[1] - left)
    colors, inside = colors[:rows, :columns], inside[:rows, :columns]
    ground[top : top + rows, left : left + columns][inside] = colors[inside]


def art(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """A scene, (H, W, 3) uint8: a ground with sprites strewn over it or in rows."""
    factor = whole(rng, 1, 8)
    rows, columns = -(-height // factor), -(-width // factor)
    ground = _ground(rng, rows, columns)
    if happens(rng, 0.4):  # a sheet of sprites
        side = pick(rng, (8, 12, 16, 24, 32))
        for top in range(1, max(2, rows - 4), side + 2):
            for left in range(1, max(2, columns - 4), side + 2):
                if top < rows and left < columns and happens(rng, 0.85):
                    _stamp(rng, ground, top, left, side)
    else:
        for _ in range(max(1, min(40, rows * columns // 900))):
            side = whole(rng, 6, 32)
            _stamp(rng, ground, whole(rng, 0, rows - 1), whole(rng, 0, columns - 1), side)
    return ground.repeat(factor, 0)[:height].repeat(factor, 1)[:, :width].copy()


def paint(rng: np.random.Generator, size: int, fonts: Fonts) -> NDArray[np.uint8]:
    """Pixel art, (size, size, 4) uint8 with an empty mask."""
    return opaque(art(rng, size, size))
