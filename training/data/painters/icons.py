"""Icons: small signs of one or two colors, tiny pictures, the signs of programs."""

from typing import TYPE_CHECKING

from training.data.painters import words
from training.data.painters.canvas import Box
from training.data.painters.chance import happens, pick
from training.data.painters.colors import (
    BLACK,
    WHITE,
    blend,
    luma,
    saturated,
)
from training.data.painters.content import content
from training.data.painters.flats import flat

if TYPE_CHECKING:
    from training.data.painters.screen import Screen


def icon(screen: "Screen", box: Box) -> None:
    """A small sign: a shape of one or two colors, or a tiny picture."""
    left, top, right, bottom = box
    if right - left < 6 or bottom - top < 6:
        return
    color = pick(screen.rng, (screen.theme.accent, screen.theme.text, saturated(screen.rng)))
    kind = pick(
        screen.rng,
        (
            "disc",
            "box",
            "bars",
            "cross",
            "house",
            "picture",
            "folder",
            "letter",
            "ring",
            "arrow",
        ),
    )
    draw = screen.canvas.draw
    if kind == "disc":
        screen.canvas.rounded(box, (right - left) // 2, color)
    elif kind == "box":
        screen.canvas.rounded(box, 3, color, blend(color, BLACK, 0.4))
    elif kind == "bars":
        for y in range(top + 2, bottom - 1, 4):
            screen.canvas.fill((left, y, right, y + 2), color)
    elif kind == "cross":
        draw.line((left, top, right - 1, bottom - 1), color, 2)
        draw.line((left, bottom - 1, right - 1, top), color, 2)
    elif kind == "house":
        draw.polygon(
            (left, (top + bottom) // 2, (left + right) // 2, top, right, (top + bottom) // 2),
            color,
        )
        screen.canvas.fill((left + 2, (top + bottom) // 2, right - 2, bottom), color)
    elif kind == "letter":
        screen.canvas.rounded(box, 4, color)
        ink = BLACK if luma(color) > 150 else WHITE
        middle = ((left + right) / 2, (top + bottom) / 2)
        name = pick(screen.rng, words.LABELS)[0]
        screen.write(middle, name, ink, "mm", pixels=max(7, (bottom - top) * 3 // 4))
    elif kind == "ring":
        radius = (right - left) // 2
        screen.canvas.rounded(box, radius, color)
        inner = (left + 2, top + 2, right - 2, bottom - 2)
        screen.canvas.rounded(inner, radius - 2, screen.theme.panel)
        screen.canvas.fill(
            ((left + right) // 2, top + 4, (left + right) // 2 + 1, bottom - 4), color
        )
    elif kind == "arrow":
        row = (top + bottom) // 2
        draw.line((left, row, right - 1, row), color, 2)
        draw.line(((left + right) // 2, top, right - 1, row), color, 2)
        draw.line(((left + right) // 2, bottom - 1, right - 1, row), color, 2)
    elif kind == "folder":
        screen.canvas.fill((left, top + 2, (left + right) // 2, top + 5), blend(color, BLACK, 0.2))
        screen.canvas.fill((left, top + 4, right, bottom - 1), color)
    else:
        screen.canvas.put(content(screen.rng, bottom - top, right - left), (left, top))


def app_icon(screen: "Screen", box: Box) -> None:
    """The sign of a program: a rounded square of a color or a picture with a shape inside."""
    left, top, right, bottom = box
    side = min(right - left, bottom - top)
    if side < 16:
        return
    left = (left + right - side) // 2
    color, radius = saturated(screen.rng), side // 4
    screen.canvas.rounded((left, top, left + side, top + side), radius, color)
    if happens(screen.rng, 0.4):
        height = side - radius * 2 if happens(screen.rng, 0.5) else side // 3
        screen.canvas.put(flat(screen.rng, height, side), (left, top + radius))
    inset = side // pick(screen.rng, (3, 4, 5))
    inner = (left + inset, top + inset, left + side - inset, top + side - inset)
    kind, white = pick(screen.rng, ("disc", "square", "letter", "bubble", "icon")), WHITE
    if kind == "disc":
        screen.canvas.rounded(inner, side // 2, white)
    elif kind == "square":
        screen.canvas.rounded(inner, 3, white, blend(color, BLACK, 0.3))
    elif kind == "letter":
        middle = (left + side / 2, top + side / 2)
        name = pick(screen.rng, words.LABELS)[0]
        screen.write(middle, name, white, "mm", pixels=max(8, side * 2 // 3))
    elif kind == "bubble":
        screen.canvas.rounded((inner[0], inner[1], inner[2], inner[3] - 3), side // 4, white)
        foot = (inner[0] + 3, inner[3], inner[0] + 3, inner[3] - 8, inner[0] + 12, inner[3] - 6)
        screen.canvas.draw.polygon(foot, white)
    else:
        icon(screen, inner)
