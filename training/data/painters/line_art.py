"""Line art: strokes, hatching, engraving, contour lines, floor plans and comics."""

import numpy as np
from numpy.typing import NDArray

from training.data.painters import words
from training.data.painters.canvas import Canvas, Sheet, look
from training.data.painters.chance import happens, log_span, pick, span, weighted, whole
from training.data.painters.colors import (
    BLACK,
    WHITE,
    Color,
    blend,
    hsv,
    light_paper,
    palette,
    paper_and_ink,
)
from training.data.painters.fields import Field, between, cloud, rounded, tone
from training.data.painters.fonts import Fonts


def _inks(rng: np.random.Generator) -> tuple[Color, Color]:
    """Mostly black on white."""
    if happens(rng, 0.55):
        return (WHITE, BLACK) if happens(rng, 0.85) else (BLACK, WHITE)
    return paper_and_ink(rng)


def _curve(rng: np.random.Generator, size: int, points: int = 40) -> NDArray[np.float64]:
    """A smooth curve through the picture, (points, 2): x and y."""
    t = np.linspace(0, 1, points)[:, None]
    ends = rng.random((4, 2)) * size * 1.4 - size * 0.2
    return (  # Bezier's cubic
        (1 - t) ** 3 * ends[0]
        + 3 * t * (1 - t) ** 2 * ends[1]
        + 3 * t * t * (1 - t) * ends[2]
        + t**3 * ends[3]
    )


def _blob(rng: np.random.Generator, size: int, reach: float) -> NDArray[np.float64]:
    """A closed shape with a wobbling outline, (48, 2)."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones(48)
    for wave in range(2, 6):
        radius += span(rng, 0, 0.5 / wave) * np.sin(wave * turn + span(rng, 0, 6.3))
    center = rng.random(2) * size
    stretch = np.asarray([reach, reach * span(rng, 0.5, 1.5)])
    return center + np.stack([np.cos(turn), np.sin(turn)], 1) * radius[:, None] * stretch


def _brush(
    sheet: Sheet, curve: NDArray[np.float64], ink: Color, widths: NDArray[np.float64]
) -> None:
    """A stroke whose width varies: a polygon along both of its sides."""
    along = np.gradient(curve, axis=0)
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)
    normal = np.stack([-along[:, 1], along[:, 0]], 1) / length[:, None]
    side = normal * widths[:, None] / 2
    sheet.polygon(np.concatenate([curve + side, (curve - side)[::-1]]), ink)


def strokes(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """Pen and brush strokes, closed shapes, dots."""
    paper, ink = _inks(rng)
    sheet = Sheet(size, paper, pick(rng, (1, 2, 3)))
    broad = log_span(rng, 1.2, 14)
    colors = [ink] if happens(rng, 0.7) else palette(rng, 4)
    for _ in range(whole(rng, 6, 40)):
        kind, color = pick(rng, ("brush", "brush", "pen", "blob", "dots")), pick(rng, colors)
        if kind == "brush":
            press = np.sin(np.linspace(0.1, np.pi - 0.05, 40)) * broad * span(rng, 0.4, 1.5) + 0.7
            _brush(sheet, _curve(rng, size), color, press)
        elif kind == "pen":
            sheet.line(_curve(rng, size), color, span(rng, 0.6, 2.5))
        elif kind == "blob":
            fill = pick(rng, (None, paper, color))
            sheet.polygon(_blob(rng, size, log_span(rng, 6, size / 4)), fill, color, broad / 2)
        else:
            for x, y in (
                rng.random(2) * size + rng.standard_normal((whole(rng, 5, 40), 2)) * size / 12
            ):
                sheet.ellipse((x - 1.2, y - 1.2, x + 1.2, y + 1.2), color)
    return Canvas(size, sheet.reduced())


def _shade(shape: Field, field: Field, period: float, angle: float, sharp: float) -> Field:
    """Lines as thick as the field (0 to 1) is dark; shape holds their wobble in pixels."""
    height, width = field.shape
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :]
    turn = np.radians(angle)
    across = x * np.float32(np.sin(turn)) + y * np.float32(np.cos(turn)) + shape
    saw = np.abs((across / np.float32(period)) % 1 - np.float32(0.5)) * 2
    return np.clip((field - saw) * np.float32(sharp * period / 2) + np.float32(0.5), 0, 1)


def engraving(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """Waving lines whose thickness gives the tone, in one, two or three directions."""
    paper, ink = _inks(rng)
    dark, period = tone(rng, size, size), span(rng, 3, 11)
    wobble = (cloud(rng, size, size, 3, 3) - np.float32(0.5)) * np.float32(span(rng, 0, 60))
    sharp, angle = pick(rng, (1.0, 1.0, 50.0)), span(rng, 0, 180)
    cover = np.zeros((size, size), np.float32)
    for layer in range(pick(rng, (1, 1, 2, 3))):
        part = np.clip(dark * 1.1 - np.float32(0.3 * layer), 0, 1)
        cover = np.maximum(cover, _shade(wobble, part, period, angle + 55 * layer, sharp))
    return Canvas(size, rounded(between(cover, paper, ink)))


def hatching(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """Closed shapes filled with straight hatching at angles, with outlines."""
    paper, ink = _inks(rng)
    sheet = Sheet(size, WHITE, 2)
    masks = Sheet(size, BLACK, 1)
    count = whole(rng, 3, 9)
    for index in range(count):
        rim = _blob(rng, size, log_span(rng, size / 12, size / 3))
        masks.polygon(rim, (index + 1, 0, 0))
        sheet.polygon(rim, WHITE, BLACK, span(rng, 0.8, 3))
    which = np.asarray(masks.image)[..., 0]
    cover: Field = 1 - np.asarray(sheet.reduced(), np.float32)[..., 0] / np.float32(255)
    straight = np.zeros((size, size), np.float32)
    for index in range(count):
        weight = np.full((size, size), span(rng, 0.1, 0.45), np.float32)
        lines = _shade(
            straight, weight, span(rng, 3, 12), pick(rng, (45.0, 135.0, span(rng, 0, 180))), 1
        )
        cover = np.where(which == index + 1, np.maximum(cover, lines), cover)
    return Canvas(size, rounded(between(cover, paper, ink)))


def contours(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """Lines of equal height of a landscape, every fifth thicker, with tints now and then."""
    paper, ink = _inks(rng)
    height = cloud(rng, size, size, whole(rng, 2, 5), 3) * np.float32(span(rng, 6, 30))
    down, across = np.gradient(height)
    slope = np.maximum(np.hypot(down, across), np.float32(1e-4))
    thin, thick = span(rng, 0.8, 1.4), span(rng, 1.6, 3)
    near = np.abs(height - np.round(height)) / slope
    fifth = np.abs(height / 5 - np.round(height / 5)) * 5 / slope
    cover = np.maximum(np.clip(thin - near, 0, 1), np.clip(thick - fifth, 0, 1))
    if happens(rng, 0.3):
        cover = np.round(cover)
    ground = between(cover * 0, paper, ink)
    if happens(rng, 0.35):
        steps = np.asarray([blend(paper, c, 0.5) for c in palette(rng, 8)], np.float32)
        ground = steps[np.clip(height.astype(np.int64) // 4, 0, 7)]
    colors = ground + cover[..., None] * (np.asarray(ink, np.float32) - ground)
    return Canvas(size, rounded(colors))


def floor_plan(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """Rooms with thick walls, doors that swing, furniture in thin lines, names and measures."""
    paper, ink = _inks(rng) if happens(rng, 0.8) else (hsv(0.6, 0.8, 0.5), WHITE)
    sheet, wall = Sheet(size, paper, pick(rng, (1, 2))), whole(rng, 2, 7)
    rooms = _rooms(rng, (size // 16, size // 16, size - size // 16, size - size // 16))
    for left, top, right, bottom in rooms:
        sheet.box((left, top, right + wall, bottom + wall), None, ink, wall)
    for left, top, right, bottom in rooms:
        door = min(26, right - left - 2 * wall, bottom - top - 2 * wall)
        if door > 8:
            x = whole(rng, left + wall, right - door)
            sheet.box((x, bottom, x + door, bottom + wall), paper)
            sheet.arc((x - door, bottom - door, x + door, bottom + door), 270, 360, ink)
            sheet.line([(x, bottom - door), (x, bottom)], ink)
        if right - left > 60 and bottom - top > 60:
            x, y = left + wall + 4, top + wall + 4
            sheet.box((x, y, x + whole(rng, 14, 30), y + whole(rng, 14, 40)), None, ink)
            sheet.ellipse((right - 26, top + wall + 4, right - 6, top + wall + 24), None, ink)
    canvas, style = Canvas(size, sheet.reduced()), look(rng)
    font = fonts.font(rng, whole(rng, 8, 14))
    for left, top, right, bottom in rooms:
        if right - left > 50 and bottom - top > 30 and happens(rng, 0.85):
            middle = (left + right) / 2, (top + bottom) / 2
            canvas.text(middle, words.words(rng, 1)[0].upper(), font, ink, style, "mm")
            area = f"{(right - left) * (bottom - top) / 900:.1f} sqm"
            canvas.text((middle[0], middle[1] + font.size + 2), area, font, ink, style, "mm")
    return canvas


def _rooms(
    rng: np.random.Generator, box: tuple[int, int, int, int]
) -> list[tuple[int, int, int, int]]:
    """A box split in two again and again until the parts are as small as rooms."""
    left, top, right, bottom = box
    wide, tall = right - left, bottom - top
    if max(wide, tall) < 90 or (max(wide, tall) < 220 and happens(rng, 0.3)):
        return [box]
    share = span(rng, 0.35, 0.65)
    if wide > tall:
        cut = left + round(wide * share)
        return _rooms(rng, (left, top, cut, bottom)) + _rooms(rng, (cut, top, right, bottom))
    cut = top + round(tall * share)
    return _rooms(rng, (left, top, right, cut)) + _rooms(rng, (left, cut, right, bottom))


def comic(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """Panels of flat colors with black outlines, figures and balloons of words."""
    paper = light_paper(rng)
    sheet = Sheet(size, paper, pick(rng, (1, 2, 2)))
    colors = palette(rng, 6) if happens(rng, 0.8) else [WHITE, (128, 128, 128), BLACK]
    weight, balloons = span(rng, 1.2, 4), []
    rows, columns = whole(rng, 1, 3), whole(rng, 1, 3)
    tall, wide = size // rows, size // columns
    for top in range(0, rows * tall, tall):
        for left in range(0, columns * wide, wide):
            panel = Sheet(max(tall, wide), pick(rng, colors), sheet.scale)
            _scene(rng, panel, colors, weight)
            inner = (left + 4, top + 4, left + wide - 4, top + tall - 4)
            scale = sheet.scale
            crop = panel.image.crop((0, 0, (wide - 8) * scale, (tall - 8) * scale))
            sheet.image.paste(crop, (inner[0] * scale, inner[1] * scale))
            sheet.box(inner, None, BLACK, weight)
            if happens(rng, 0.7) and wide > 90:
                x, y = whole(rng, left + 8, left + wide // 3), whole(rng, top + 8, top + tall // 3)
                box = (x, y, min(x + wide // 2, left + wide - 8), y + min(70, tall // 3))
                foot = ((box[0] + box[2]) / 2, box[3] - 8)
                sheet.polygon(
                    [foot, (foot[0] + 14, foot[1]), (foot[0] - 10, foot[1] + 28)],
                    WHITE,
                    BLACK,
                    weight,
                )
                sheet.ellipse(box, WHITE, BLACK, weight)
                balloons.append(box)
    canvas, style = Canvas(size, sheet.reduced()), look(rng)
    font = fonts.font(rng, whole(rng, 9, 14))
    for left, top, right, bottom in balloons:
        letters = max(4, int((right - left) * 0.7 / (font.size * 0.6)))
        lines = words.wrap([w.upper() for w in words.prose(rng, 9)], letters)
        lines = lines[: max(1, int((bottom - top) * 0.7 / (font.size * 1.15)))]
        first = (top + bottom) / 2 - (len(lines) - 1) * font.size * 0.575
        for row, line in enumerate(lines):
            place = ((left + right) / 2, first + row * font.size * 1.15)
            canvas.text(place, line, font, BLACK, style, "mm")
    return canvas


def _scene(rng: np.random.Generator, panel: Sheet, colors: list[Color], weight: float) -> None:
    """A ground, some hills or things, and a head with eyes."""
    size = panel.image.width / panel.scale
    horizon = size * span(rng, 0.4, 0.8)
    panel.box((0, horizon, size, size), pick(rng, colors), BLACK, weight)
    for _ in range(whole(rng, 1, 5)):
        rim = _blob(rng, round(size), log_span(rng, size / 14, size / 3))
        panel.polygon(rim, pick(rng, colors), BLACK, weight)
    x, y, reach = (
        size * span(rng, 0.2, 0.8),
        size * span(rng, 0.3, 0.7),
        size * span(rng, 0.08, 0.2),
    )
    body = [(x - reach, size), (x - reach * 0.7, y), (x + reach * 0.7, y), (x + reach, size)]
    panel.polygon(body, pick(rng, colors), BLACK, weight)
    skin = hsv(span(rng, 0.04, 0.1), span(rng, 0.15, 0.7), span(rng, 0.4, 1))
    panel.ellipse((x - reach, y - reach * 1.2, x + reach, y + reach), skin, BLACK, weight)
    for side in (-0.4, 0.4):
        eye = x + side * reach
        panel.ellipse(
            (eye - reach / 6, y - reach / 3, eye + reach / 6, y), WHITE, BLACK, weight / 2
        )
        panel.ellipse((eye - reach / 14, y - reach / 5, eye + reach / 14, y), BLACK)
    panel.arc((x - reach / 2, y, x + reach / 2, y + reach * 0.6), 20, 160, BLACK, weight)


ARTS = {strokes: 0.26, engraving: 0.16, hatching: 0.14, contours: 0.1, floor_plan: 0.14, comic: 0.2}


def art(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """Any of these drawings."""
    return weighted(rng, ARTS)(rng, size, fonts)


def paint(rng: np.random.Generator, size: int, fonts: Fonts) -> NDArray[np.uint8]:
    """Line art, (size, size, 4) uint8; the mask has the words of comics and plans."""
    return art(rng, size, fonts).pixels()
