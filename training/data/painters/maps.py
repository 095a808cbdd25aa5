"""Maps: regions with wobbling borders, roads, rivers and names of places."""

import numpy as np

from training.data.painters import words
from training.data.painters.canvas import Canvas, look
from training.data.painters.chance import happens, pick, span, whole
from training.data.painters.colors import (
    BLACK,
    WHITE,
    any_color,
    blend,
    palette,
)
from training.data.painters.fields import cloud
from training.data.painters.fonts import Fonts

_LANDS = ((242, 239, 233), (173, 209, 158), (200, 215, 171), (249, 178, 156), (238, 240, 213))


def land(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """A map: regions with wobbling borders, roads with casings, a river, names of places."""
    seeds = rng.random((whole(rng, 5, 16), 2)).astype(np.float32) * size
    wobble = (cloud(rng, size, size, 6, 5) - np.float32(0.5)) * np.float32(span(rng, 10, 100))
    y = np.arange(size, dtype=np.float32)[:, None] + wobble
    x = np.arange(size, dtype=np.float32)[None, :] + wobble.T
    nearest, owner = np.full((size, size), np.inf, np.float32), np.zeros((size, size), np.uint8)
    for index, (down, across) in enumerate(seeds):
        distance = (y - down) ** 2 + (x - across) ** 2
        closer = distance < nearest
        np.minimum(nearest, distance, out=nearest)
        owner[closer] = index
    shades = list(_LANDS) if happens(rng, 0.5) else palette(rng, 6)
    sea = pick(rng, ((170, 211, 223), (155, 200, 240), any_color(rng)))
    table = np.asarray([sea if happens(rng, 0.25) else pick(rng, shades) for _ in seeds], np.uint8)
    colors = table[owner]
    if happens(rng, 0.7):
        edge = np.zeros((size, size), bool)
        edge[:, 1:] |= owner[:, 1:] != owner[:, :-1]
        edge[1:] |= owner[1:] != owner[:-1]
        colors[edge] = pick(rng, ((120, 100, 120), BLACK, WHITE))
    canvas = Canvas(size, colors)
    for _ in range(whole(rng, 0, 14)):
        _road(rng, canvas)
    _names(rng, canvas, fonts)
    return canvas


def _road(rng: np.random.Generator, canvas: Canvas) -> None:
    """A road or a river: a line with a darker casing, or a thin one."""
    places = np.linspace(rng.random(2) * 1.4 - 0.2, rng.random(2) * 1.4 - 0.2, 24) * canvas.size
    places += np.cumsum(rng.standard_normal((24, 2)), 0) * canvas.size * span(rng, 0, 0.012)
    width = pick(rng, (1, 1, 2, 3, 5, 7))
    color = pick(
        rng, ((255, 255, 255), (249, 178, 156), (252, 214, 164), (232, 146, 162), (90, 90, 90))
    )
    flat = places.ravel().tolist()
    if width > 2:
        canvas.draw.line(flat, blend(color, BLACK, 0.35), width + 2, "curve")
    canvas.draw.line(flat, color, width, "curve")


def _names(rng: np.random.Generator, canvas: Canvas, fonts: Fonts) -> None:
    """Names of places with a light halo."""
    style, face = look(rng), fonts.choose(rng)
    for _ in range(whole(rng, 2, 18)):
        font = fonts.open(face, pick(rng, (8, 9, 10, 11, 13, 18, 24)))
        x, y = whole(rng, 0, canvas.size), whole(rng, 0, canvas.size)
        name = words.words(rng, 1)[0].title()
        if happens(rng, 0.6):
            for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                canvas.text((x + dx, y + dy), name, font, WHITE, style, "mm")
        canvas.text((x, y), name, font, (40, 40, 40), style, "mm")
