"""Patterns: stripes, checkers, dithers, halftones, combing, fabric, zone plates and grids."""

import numpy as np
from numpy.typing import NDArray

from training.data.painters.canvas import opaque
from training.data.painters.chance import happens, log_span, pick, span, weighted, whole
from training.data.painters.colors import BLACK, WHITE, Color, any_color, blend, paper_and_ink
from training.data.painters.dithers import dither
from training.data.painters.fields import Field, between, photo, rounded, tone
from training.data.painters.fonts import Fonts


def _pair(rng: np.random.Generator) -> tuple[Color, Color]:
    """Two colors: black and white, any two, or two of little contrast."""
    if happens(rng, 0.35):
        return BLACK, WHITE
    if happens(rng, 0.3):
        return paper_and_ink(rng)
    first, second = any_color(rng), any_color(rng)
    return first, blend(first, second, span(rng, 0.08, 0.6)) if happens(rng, 0.3) else second


def _two(which: NDArray[np.bool_], first: Color, second: Color) -> NDArray[np.uint8]:
    return np.where(which[..., None], np.asarray(second, np.uint8), np.asarray(first, np.uint8))


def _axes(height: int, width: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Rows (H, 1) and columns (1, W)."""
    return np.arange(height, dtype=np.int32)[:, None], np.arange(width, dtype=np.int32)[None, :]


def stripes(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Stripes of a period of 2 to 16 pixels: across, down or diagonal, of two or three colors."""
    y, x = _axes(height, width)
    direction = pick(rng, ("rows", "columns", "rising", "falling", "shallow"))
    along = {"rows": y + 0 * x, "columns": x + 0 * y, "rising": x + y, "falling": x - y}.get(
        direction, x + whole(rng, 2, 4) * y
    )
    period = pick(rng, (2, 2, 2, 3, 4, 5, 6, 8, 10, 12, 16))
    phase = (along + whole(rng, 0, 15)) % period
    first, second = _pair(rng)
    thick = whole(rng, 1, period - 1)
    pixels = _two(phase < thick, first, second)
    if period > 4 and happens(rng, 0.25):
        pixels[phase == 0] = any_color(rng)
    return pixels


def checker(
    rng: np.random.Generator, height: int, width: int, cell: int | None = None
) -> NDArray[np.uint8]:
    """A checkerboard of cells of 1 to 8 pixels."""
    y, x = _axes(height, width)
    cell = cell or pick(rng, (1, 1, 2, 2, 3, 4, 5, 6, 7, 8))
    offset = whole(rng, 0, 7)
    return _two(((y + offset) // cell + (x + offset) // cell) % 2 == 0, *_pair(rng))


def _screen(height: int, width: int, period: float, angle: float, round_dots: bool) -> Field:
    """A halftone screen: thresholds, 0 to 1, in cells of a period at an angle, (H, W) float32."""
    y, x = (v.astype(np.float32) for v in _axes(height, width))
    turn = np.radians(angle)
    cosine, sine = np.float32(np.cos(turn) / period), np.float32(np.sin(turn) / period)
    u = np.abs((x * cosine + y * sine) % 1 - np.float32(0.5)) * 2
    if not round_dots:  # lines
        return u
    v = np.abs((y * cosine - x * sine) % 1 - np.float32(0.5)) * 2
    return (u * u * (3 - 2 * u) + v * v * (3 - 2 * v)) / 2  # dots, diamonds at half, holes


def _printed(ink: Field, screen: Field, period: float) -> Field:
    """Where ink lies: 0 to 1 with an edge about a pixel wide."""
    return np.clip((ink - screen) * np.float32(period * 0.6) + np.float32(0.5), 0, 1)


def halftone(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Dots or lines of one ink whose size gives the tone."""
    period, angle = span(rng, 3, 14), pick(rng, (0.0, 45.0, 45.0, 30.0, span(rng, 0, 90)))
    screen = _screen(height, width, period, angle, happens(rng, 0.75))
    cover = _printed(tone(rng, height, width), screen, period)
    if happens(rng, 0.3):
        cover = np.round(cover)
    paper, ink = paper_and_ink(rng)
    return rounded(between(cover, paper, ink))


def process(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A picture printed in cyan, magenta, yellow and black at the usual angles."""
    colors = photo(rng, height, width).astype(np.float32) / 255
    period = span(rng, 3, 9)
    black = 1 - colors.max(2)
    inks = [1 - colors[..., c] - black * np.float32(0.7) for c in range(3)]
    page = np.ones((height, width, 3), np.float32)
    angles = (15.0, 75.0, 0.0)
    for channel, (ink, angle) in enumerate(zip(inks, angles, strict=True)):
        cover = _printed(ink, _screen(height, width, period, angle, True), period)
        page[..., channel] *= 1 - cover * np.float32(0.95)
    cover = _printed(black * np.float32(0.8), _screen(height, width, period, 45.0, True), period)
    page *= 1 - cover[..., None] * np.float32(0.9)
    return rounded(page * 255)


def interlaced(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Combing: the even rows show the picture some pixels further than the odd rows."""
    source = pick(rng, (photo, checker, stripes, dither, rings))
    pixels = source(rng, height, width)
    if source is not photo:
        pixels = pixels.repeat(6, 0)[:height].repeat(6, 1)[:, :width]
    pixels = pixels.copy()
    pixels[::2] = np.roll(pixels[::2], whole(rng, 2, 14), axis=1)
    return pixels


def fabric(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Woven threads: which lies above alternates; each thread is rounded by its shading."""
    y, x = _axes(height, width)
    thread = pick(rng, (2, 3, 4, 5, 6, 8, 12))
    float_over = pick(rng, (2, 2, 3, 4))  # 2: plain weave, more: twill
    row, column = y // thread, x // thread
    over = (row + column) % float_over == 0
    profile = np.sin((np.arange(thread) + 0.5) / thread * np.pi).astype(np.float32)
    shade = np.where(over, profile[y % thread] + 0 * x, profile[x % thread] + 0 * y)
    warp, weft = _pair(rng)
    colors = np.where(over[..., None], np.asarray(warp, np.float32), np.asarray(weft, np.float32))
    if happens(rng, 0.4):  # a tartan: some warp and weft threads of other colors
        bands = np.asarray([any_color(rng) for _ in range(4)], np.float32)
        order = rng.integers(0, 4, 12).repeat(whole(rng, 1, 4))
        colors = np.where(
            over[..., None], bands[order[row % len(order)]], bands[order[column % len(order)]]
        )
    depth = np.float32(span(rng, 0.2, 0.8))
    uneven = rng.standard_normal((height, width), dtype=np.float32) * np.float32(span(rng, 0, 0.08))
    return rounded(colors * (1 - depth + depth * shade + uneven)[..., None])


def zone_plate(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Rings that get finer outward up to and beyond the finest that pixels can show."""
    y, x = (v.astype(np.float32) for v in _axes(height, width))
    y -= np.float32(height * span(rng, -0.1, 1.1))
    x -= np.float32(width * span(rng, -0.1, 1.1))
    rate = np.float32(np.pi * log_span(rng, 0.2, 1.2) / max(height, width))
    wave: Field = (np.cos(rate * (x * x + y * y)) / 2 + 0.5).astype(np.float32)
    if happens(rng, 0.3):
        wave = np.round(wave)
    return rounded(between(wave, *_pair(rng)))


def rings(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Two sets of rings or lines over each other: moire."""
    y, x = (v.astype(np.float32) for v in _axes(height, width))
    period, both = span(rng, 2.5, 12), []
    for _ in range(2):
        if happens(rng, 0.5):
            across = x - width * np.float32(span(rng, 0, 1))
            distance = np.sqrt(across**2 + (y - height * np.float32(span(rng, 0, 1))) ** 2)
        else:
            turn = span(rng, 0, np.pi)
            distance = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
        both.append(np.abs(distance / np.float32(period * span(rng, 0.9, 1.1)) % 1 * 2 - 1))
    sharp = np.float32(pick(rng, (period, period / 2, 100.0)))
    wave = [np.clip((b - np.float32(0.5)) * sharp + np.float32(0.5), 0, 1) for b in both]
    return rounded(between((wave[0] * wave[1]).astype(np.float32), *_pair(rng)))


def grid(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Lines or dots in a grid of 3 to 64 pixels on a flat ground."""
    y, x = _axes(height, width)
    step = round(log_span(rng, 3, 64))
    thick = 1 if step < 8 or happens(rng, 0.6) else whole(rng, 1, 3)
    first, second = _pair(rng)
    kind = pick(rng, ("lines", "dots", "crosses", "major"))
    rows, columns = y % step < thick, x % step < thick
    if kind == "dots":
        return _two(rows & columns, first, second)
    if kind == "crosses":
        reach = max(1, step // 4)
        near = ((y + reach) % step <= 2 * reach) & ((x + reach) % step <= 2 * reach)
        return _two((rows | columns) & near, first, second)
    pixels = _two(rows | columns, first, second)
    if kind == "major":
        fifth = (y % (5 * step) < thick) | (x % (5 * step) < thick)
        pixels[fifth] = blend(second, any_color(rng), 0.7)
    return pixels


def tiling(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A random tile of 2 to 16 pixels again and again."""
    side = pick(rng, (2, 3, 4, 4, 8, 8, 16))
    colors = np.asarray([any_color(rng) for _ in range(whole(rng, 2, 4))], np.uint8)
    tile = rng.integers(0, len(colors), (side, side))
    if happens(rng, 0.5):
        tile = np.maximum(tile, tile.T)
    y, x = _axes(height, width)
    return colors[tile[y % side, x % side]]


def screen_door(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Transparency by a pattern: every second or fourth pixel of one picture shows another."""
    y, x = _axes(height, width)
    holes = (x + y) % 2 == 0 if happens(rng, 0.6) else (x % 2 == 0) & (y % 2 == 0)
    under = photo(rng, height, width) if happens(rng, 0.5) else stripes(rng, height, width)
    return np.where(holes[..., None], np.asarray(any_color(rng), np.uint8), under)


PATTERNS = {
    stripes: 0.2,
    checker: 0.12,
    dither: 0.24,
    halftone: 0.09,
    process: 0.05,
    interlaced: 0.05,
    fabric: 0.06,
    zone_plate: 0.03,
    rings: 0.04,
    grid: 0.06,
    tiling: 0.04,
    screen_door: 0.02,
}


def pattern(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Any of these pictures, or now and then two of them side by side, (H, W, 3) uint8."""
    pixels = weighted(rng, PATTERNS)(rng, height, width)
    if happens(rng, 0.2):
        other = weighted(rng, PATTERNS)(rng, height, width)
        left, top = whole(rng, 0, width // 2), whole(rng, 0, height // 2)
        right, bottom = left + whole(rng, width // 4, width), top + whole(rng, height // 4, height)
        pixels[top:bottom, left:right] = other[top:bottom, left:right]
    return pixels


def paint(rng: np.random.Generator, size: int, fonts: Fonts) -> NDArray[np.uint8]:
    """A pattern, (size, size, 4) uint8 with an empty mask."""
    return opaque(pattern(rng, size, size))
