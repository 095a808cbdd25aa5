"""Interfaces: desktops with windows, dialogs, lists, terminals, sites and phone screens."""

import numpy as np
from numpy.typing import NDArray

from training.data.painters import words
from training.data.painters.chance import happens, pick, weighted, whole
from training.data.painters.colors import (
    BLACK,
    WHITE,
    any_color,
    ink_on,
    luma,
)
from training.data.painters.content import content
from training.data.painters.flats import flat
from training.data.painters.fonts import Fonts
from training.data.painters.icons import app_icon, icon
from training.data.painters.screen import Screen


def desktop(screen: Screen) -> None:
    """A wallpaper, icons, windows over each other, a task bar."""
    rng, size = screen.rng, screen.canvas.size
    wallpaper = pick(rng, ("color", "flat", "content"))
    if wallpaper == "flat":
        screen.canvas.put(flat(rng, size, size), (0, 0))
    elif wallpaper == "content":
        screen.canvas.put(content(rng, size, size), (0, 0))
    else:
        screen.canvas.fill((0, 0, size, size), any_color(rng))
    for y in range(10, size - 70, 76):
        icon(screen, (20, y, 52, y + 32))
        screen.write((36, y + 42), words.label(rng), WHITE, "mm", 70)
    for _ in range(whole(rng, 1, 3)):
        left, top = whole(rng, -40, size // 2), whole(rng, -20, size // 2)
        wide, tall = whole(rng, size // 2, size), whole(rng, size // 3, size)
        if happens(rng, 0.5):  # a hard shadow
            screen.canvas.fill((left + 4, top + 4, left + wide + 4, top + tall + 4), (60, 60, 60))
        screen.window((left, top, left + wide, top + tall))
    if happens(rng, 0.5):
        bar = screen.row + 8
        screen.canvas.fill((0, size - bar, size, size), screen.theme.panel)
        screen.tools(0, size - bar + 2, size)
        screen.canvas.fill((size - 60, size - bar, size, size), screen.theme.panel)
        screen.write((size - 8, size - bar // 2), "12:45", None, "rm")


def maximized(screen: Screen) -> None:
    """One window that fills the screen and more: its corner is not always in sight."""
    rng, size = screen.rng, screen.canvas.size
    shift = (whole(rng, -60, 0), whole(rng, -40, 0))
    screen.window((shift[0], shift[1], size + whole(rng, 0, 60), size + whole(rng, 0, 60)))


def dialog(screen: Screen) -> None:
    """A box over a darkened ground: an icon, a question, two buttons."""
    rng, size = screen.rng, screen.canvas.size
    maximized(screen)
    screen.canvas.image.paste(screen.canvas.image.point([v // 2 for v in range(256)] * 3))
    wide, tall = min(size - 8, whole(rng, 200, 380)), min(size - 8, whole(rng, 90, 190))
    left, top = (size - wide) // 2, (size - tall) // 2
    box = (left, top, left + wide, top + tall)
    screen.canvas.glyphs.paste(0, box)
    screen.box(box, screen.theme.back, screen.theme.border)
    icon(screen, (left + 14, top + 14, left + 46, top + 46))
    for line in range(max(1, (tall - screen.row - 40) // screen.row)):
        text = " ".join(words.prose(rng, whole(rng, 4, 8)))
        y = top + 24 + line * screen.row
        screen.write((left + 58, y), text, room=wide - 70)
    for index in range(2):
        right = left + wide - 12 - index * 92
        screen.button((right - 84, top + tall - screen.row - 10, right, top + tall - 10))


def phone(screen: Screen) -> None:
    """A phone: a status bar, a title, then messages, tiles or a list, and a row of icons."""
    rng, size, shape = screen.rng, screen.canvas.size, screen.theme
    screen.radius = max(8, screen.radius)
    screen.write((10, 10), "9:41")
    screen.canvas.rounded((size - 34, 5, size - 10, 15), 3, shape.text)
    screen.write((12, 38), words.label(rng), pixels=round(screen.pixels * 1.6), room=size - 24)
    top, bottom = 60, size - 48
    kind = pick(rng, ("messages", "tiles", "list", "cards"))
    if kind == "messages":
        _messages(screen, top, bottom)
    elif kind == "tiles":
        side = max(24, size // whole(rng, 4, 7))
        for y in range(top, bottom - side + 1, side):
            for x in range(6, size - side + 1, side):
                app_icon(screen, (x + 8, y + 2, x + side - 8, y + side - 14))
                screen.write((x + side / 2, y + side - 8), words.label(rng), None, "mm", side - 4)
    elif kind == "list":
        screen.row = round(screen.row * 1.6)
        screen.entries((0, top, size, bottom))
    else:
        for y in range(top, bottom - 60, 116):
            screen.box((10, y, size - 10, min(bottom, y + 106)), shape.panel, shape.border)
            screen.picture((18, y + 8, 98, min(bottom, y + 98) - 2))
            screen.write((108, y + 22), words.label(rng), room=size - 130)
            screen.write((108, y + 44), " ".join(words.prose(rng, 8)), shape.muted, room=size - 130)
    screen.canvas.fill((0, bottom, size, bottom + 1), shape.border)
    for index in range(5):
        x = size * (2 * index + 1) // 10
        icon(screen, (x - 11, bottom + 10, x + 11, bottom + 32))


def _messages(screen: Screen, top: int, bottom: int) -> None:
    """Bubbles at the left and at the right."""
    rng, size, y = screen.rng, screen.canvas.size, top
    while y < bottom - screen.row - 8:
        text = " ".join(words.prose(rng, whole(rng, 2, 7), screen.script))
        wide = min(size - 60, round(len(text) * screen.pixels * 0.58) + 20)
        mine = happens(rng, 0.5)
        left = size - wide - 10 if mine else 10
        color = screen.theme.accent if mine else screen.theme.panel
        ink = BLACK if luma(color) > 150 else WHITE
        screen.canvas.rounded((left, y, left + wide, y + screen.row + 6), 12, color)
        screen.write((left + 10, y + 3 + screen.row // 2), text, ink, room=wide - 18)
        y += screen.row + whole(rng, 12, 22)


def signage(screen: Screen) -> None:
    """Flat areas of strong colors with lines one pixel wide and a few words: a slide, a banner."""
    rng, size = screen.rng, screen.canvas.size
    screen.canvas.fill((0, 0, size, size), any_color(rng))
    for _ in range(whole(rng, 2, 9)):
        left, top = whole(rng, -20, size - 20), whole(rng, -20, size - 20)
        box = (left, top, left + whole(rng, 20, size), top + whole(rng, 10, size // 2))
        color = any_color(rng)
        screen.box(box, color, any_color(rng) if happens(rng, 0.5) else None)
        if happens(rng, 0.5):
            y = whole(rng, top, box[3])
            screen.canvas.fill((left, y, box[2], y + 1), ink_on(rng, color))
        if happens(rng, 0.7):
            middle, pixels = (top + box[3]) / 2, whole(rng, 9, 60)
            text = " ".join(words.words(rng, 3)).title()
            screen.write(
                (left + 8, middle), text, ink_on(rng, color), room=box[2] - left, pixels=pixels
            )


SCREENS = {desktop: 0.24, maximized: 0.28, dialog: 0.1, phone: 0.22, signage: 0.16}


def paint(rng: np.random.Generator, size: int, fonts: Fonts) -> NDArray[np.uint8]:
    """A screen, (size, size, 4) uint8 with the mask of its words."""
    screen = Screen(rng, size, fonts)
    weighted(rng, SCREENS)(screen)
    return screen.canvas.pixels()
