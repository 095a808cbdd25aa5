"""A screen: a canvas with one theme, and the parts that windows are made of."""

import numpy as np

from training.data.painters import words
from training.data.painters.canvas import Box, Canvas, Look, look
from training.data.painters.chance import happens, pick, span, weighted, whole
from training.data.painters.colors import (
    BLACK,
    WHITE,
    Color,
    Theme,
    luma,
    theme,
)
from training.data.painters.content import content
from training.data.painters.fonts import Fonts
from training.data.painters.icons import icon
from training.data.painters.pens import Hand, paragraph
from training.data.painters.text import program


class Screen:
    """A canvas with one theme, one face and one look, as a real screen has them."""

    def __init__(self, rng: np.random.Generator, size: int, fonts: Fonts) -> None:
        self.rng, self.fonts = rng, fonts
        self.theme: Theme = theme(rng)
        self.canvas = Canvas(size, self.theme.back)
        self.look: Look = look(rng)
        self.face = fonts.choose(rng, upright=happens(rng, 0.9))
        self.script = "latin" if happens(rng, 0.7) else pick(rng, fonts.scripts(self.face))
        self.pixels = pick(rng, (9, 10, 11, 11, 12, 12, 13, 13, 14, 16, 18))
        self.radius = pick(rng, (0, 0, 2, 4, 6, 10))
        self.row = round(self.pixels * span(rng, 1.7, 2.4))

    def write(
        self,
        place: tuple[float, float],
        text: str,
        ink: Color | None = None,
        anchor: str = "lm",
        room: float | None = None,
        pixels: int | None = None,
    ) -> None:
        """One line, cut where it would be wider than its room."""
        font = self.fonts.open(self.face, pixels or self.pixels)
        if room is not None:
            letters = max(0, int(room / (font.getlength("abcdehnorst") / 11)))
            if len(text) > letters:
                text = text[: max(0, letters - 2)] + "..." * (letters > 3)
        if text:
            self.canvas.text(place, text, font, ink or self.theme.text, self.look, anchor)

    def box(self, box: Box, fill: Color, border: Color | None = None) -> None:
        """A rectangle with the corners of this screen."""
        if self.radius:
            self.canvas.rounded(box, self.radius, fill, border)
        else:
            self.canvas.fill(box, fill)
            if border is not None and box[2] > box[0] and box[3] > box[1]:
                self.canvas.frame(box, border)

    def button(self, box: Box) -> None:
        """A button: flat, outlined, filled with the accent, or raised by light and dark edges."""
        kind = pick(self.rng, ("flat", "outlined", "accent", "raised"))
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        if kind == "accent":
            self.box(box, self.theme.accent)
            ink = BLACK if luma(self.theme.accent) > 150 else WHITE
        else:
            self.box(box, self.theme.panel, None if kind == "flat" else self.theme.border)
            ink = self.theme.text
        if kind == "raised" and not self.radius:
            self.canvas.fill((box[0], box[1], box[2], box[1] + 1), WHITE)
            self.canvas.fill((box[0], box[1], box[0] + 1, box[3]), WHITE)
        self.write(middle, words.label(self.rng), ink, "mm", box[2] - box[0] - 6)

    def picture(self, box: Box) -> None:
        """Pixels of any kind in a box, as a photograph or a banner stands there."""
        if box[2] - box[0] > 4 and box[3] - box[1] > 4:
            self.canvas.put(content(self.rng, box[3] - box[1], box[2] - box[0]), box[:2])

    def menu(self, left: int, top: int, right: int) -> int:
        """A row of menus; the row below it."""
        self.canvas.fill((left, top, right, top + self.row), self.theme.panel)
        x = left + 8
        while x < right - 40:
            name = pick(self.rng, words.LABELS)
            self.write((x, top + self.row // 2), name)
            x += round(len(name) * self.pixels * 0.6) + 12
        self.canvas.fill((left, top + self.row - 1, right, top + self.row), self.theme.border)
        return top + self.row

    def tools(self, left: int, top: int, right: int) -> int:
        """A row of icons; the row below it."""
        side = pick(self.rng, (12, 16, 16, 20, 24))
        for x in range(left + 6, right - side, side + 8):
            if happens(self.rng, 0.9):
                icon(self, (x, top + 4, x + side, top + 4 + side))
        self.canvas.fill((left, top + side + 8, right, top + side + 9), self.theme.border)
        return top + side + 9

    def entries(self, box: Box) -> None:
        """A list: rows with icons, names, dates; one is selected."""
        left, top, right, bottom = box
        selected, icons = whole(self.rng, 0, 12), happens(self.rng, 0.7)
        striped, lined = happens(self.rng, 0.3), happens(self.rng, 0.4)
        for index, y in enumerate(range(top, bottom - self.row + 1, self.row)):
            ink = self.theme.text
            if index == selected:
                self.canvas.fill((left, y, right, y + self.row), self.theme.accent)
                ink = BLACK if luma(self.theme.accent) > 150 else WHITE
            elif striped and index % 2:
                self.canvas.fill((left, y, right, y + self.row), self.theme.panel)
            x = left + 6
            if icons:
                side = min(16, self.row - 4)
                icon(self, (x, y + (self.row - side) // 2, x + side, y + (self.row + side) // 2))
                x += side + 6
            name = " ".join(words.words(self.rng, whole(self.rng, 1, 3), self.script))
            self.write((x, y + self.row // 2), name, ink, room=(right - x) * 0.6)
            if right - left > 180:
                muted = ink if index == selected else self.theme.muted
                self.write((right - 8, y + self.row // 2), words.number(self.rng), muted, "rm")
            if lined:
                self.canvas.fill((left, y + self.row - 1, right, y + self.row), self.theme.border)

    def form(self, box: Box) -> None:
        """Names with fields, check boxes, sliders and switches."""
        left, top, right, bottom = box
        middle = left + (right - left) * 2 // 5
        for y in range(top + 4, bottom - self.row, self.row + 6):
            center = y + self.row // 2
            self.write((left + 8, center), words.label(self.rng), room=middle - left - 12)
            kind = pick(self.rng, ("field", "check", "slider", "switch", "button"))
            if kind == "field":
                self.box((middle, y, right - 8, y + self.row), self.theme.panel, self.theme.border)
                self.write((middle + 6, center), words.number(self.rng), room=right - middle - 20)
            elif kind == "check":
                box_ = (middle, center - 6, middle + 13, center + 7)
                self.canvas.fill(box_, self.theme.panel)
                self.canvas.frame(box_, self.theme.border)
                if happens(self.rng, 0.5):
                    tick = (middle + 3, center, middle + 5, center + 3, middle + 10, center - 3)
                    self.canvas.draw.line(tick, self.theme.accent, 2)
            elif kind == "slider":
                self.canvas.fill((middle, center - 1, right - 12, center + 1), self.theme.border)
                x = whole(self.rng, middle, max(middle, right - 20))
                self.canvas.fill((middle, center - 1, x, center + 1), self.theme.accent)
                self.canvas.rounded((x - 6, center - 6, x + 6, center + 6), 6, self.theme.accent)
            elif kind == "switch":
                on = happens(self.rng, 0.5)
                track = self.theme.accent if on else self.theme.border
                self.canvas.rounded((middle, center - 8, middle + 30, center + 8), 8, track)
                x = middle + (16 if on else 2)
                self.canvas.rounded((x, center - 6, x + 12, center + 6), 6, WHITE)
            else:
                self.button((middle, y, min(right - 8, middle + 90), y + self.row))

    def article(self, box: Box) -> None:
        """A heading, running text, a picture between."""
        left, top, right, bottom = box
        title = round(self.pixels * span(self.rng, 1.3, 2.2))
        heading = " ".join(words.prose(self.rng, 6))
        self.write((left + 8, top + title), heading, room=right - left - 16, pixels=title)
        y = top + title * 2
        pen = Hand(
            self.fonts.open(self.face, self.pixels),
            self.pixels,
            self.pixels * 0.52,
            self.script,
            self.theme.text,
            self.look,
        )
        while y < bottom - 2 * self.row:
            if happens(self.rng, 0.4):
                end = min(bottom - 4, y + whole(self.rng, 40, 140))
                self.picture((left + 8, y, right - 8, end))
                y = end + 6
            end = min(bottom, y + self.row * whole(self.rng, 2, 8))
            y = paragraph(self.rng, self.canvas, (left + 8, y, right - 8, end), pen) + 8

    def terminal(self, box: Box) -> None:
        """A terminal: rows of a monospaced face in the sixteen colors."""
        ground = pick(self.rng, (BLACK, BLACK, (48, 10, 36), (30, 30, 30), (0, 43, 54), WHITE))
        plain = (204, 204, 204) if luma(ground) < 128 else (40, 40, 40)
        colors = [plain] * 5 + [
            (0, 205, 0),
            (205, 205, 0),
            (80, 140, 255),
            (205, 0, 0),
            (0, 205, 205),
        ]
        self.canvas.fill(box, ground)
        pixels = whole(self.rng, 9, 16)
        font = self.fonts.font(self.rng, pixels, mono=True)
        letters = max(1, int((box[2] - box[0] - 6) / font.getlength("0")))
        style = look(self.rng)
        for y in range(box[1] + 3, box[3] - pixels, round(pixels * 1.2)):
            line = words.terminal_line(self.rng)[:letters]
            self.canvas.text((box[0] + 3, y), line, font, pick(self.rng, colors), style)

    def inside(self, box: Box) -> None:
        """The contents of a window."""
        if box[2] - box[0] < 40 or box[3] - box[1] < 30:
            return
        kind = weighted(
            self.rng,
            {
                "list": 0.22,
                "form": 0.2,
                "article": 0.2,
                "terminal": 0.13,
                "code": 0.13,
                "picture": 0.12,
            },
        )
        if kind == "list":
            self.entries(box)
        elif kind == "form":
            self.form(box)
        elif kind == "article":
            self.article(box)
        elif kind == "terminal":
            self.terminal(box)
        elif kind == "code":
            program(self.rng, self.canvas, self.fonts, box, self.look)
        else:
            self.picture(box)

    def window(self, box: Box) -> None:
        """A window: a title bar with buttons, perhaps a menu, tools, a list at the side."""
        left, top, right, bottom = box
        self.canvas.fill((left, top, right, bottom), self.theme.back)
        bar = self.row + 4
        color = pick(self.rng, (self.theme.panel, self.theme.accent, self.theme.border))
        self.canvas.fill((left, top, right, top + bar), color)
        ink = BLACK if luma(color) > 150 else WHITE
        title = " ".join(words.words(self.rng, 3)).title()
        if happens(self.rng, 0.5):
            self.write(((left + right) / 2, top + bar // 2), title, ink, "mm", right - left - 80)
        else:
            self.write((left + 8, top + bar // 2), title, ink, room=right - left - 80)
        self._corner_buttons(right, top + bar // 2, ink)
        y = top + bar
        y = self.menu(left, y, right) if happens(self.rng, 0.5) else y
        y = self.tools(left, y, right) if happens(self.rng, 0.4) else y
        side = left
        if right - left > 240 and happens(self.rng, 0.4):
            side = left + (right - left) // 4
            self.canvas.fill((left, y, side, bottom), self.theme.panel)
            self.entries((left, y + 4, side, bottom))
            self.canvas.fill((side, y, side + 1, bottom), self.theme.border)
        clip = (side + 1, y, right - 1, bottom - 1)
        self.inside(clip)
        if happens(self.rng, 0.4):
            self._scroll_bar((right - 11, y, right - 1, bottom - 1))
        self.canvas.frame(box, self.theme.border)

    def _corner_buttons(self, right: int, center: int, ink: Color) -> None:
        """Close, enlarge and hide: colored discs, or thin signs."""
        discs = happens(self.rng, 0.4)
        for index, color in enumerate(((237, 106, 94), (245, 191, 79), (98, 197, 84))):
            x = right - 16 - 20 * index
            box = (x - 5, center - 5, x + 6, center + 6)
            if discs:
                self.canvas.rounded(box, 5, color)
            elif index == 0:
                self.canvas.draw.line((x - 4, center - 4, x + 4, center + 4), ink)
                self.canvas.draw.line((x - 4, center + 4, x + 4, center - 4), ink)
            elif index == 1:
                self.canvas.frame((x - 4, center - 4, x + 5, center + 5), ink)
            else:
                self.canvas.fill((x - 4, center + 3, x + 5, center + 4), ink)

    def _scroll_bar(self, box: Box) -> None:
        self.canvas.fill(box, self.theme.panel)
        top = whole(self.rng, box[1], max(box[1], box[3] - 30))
        self.canvas.rounded(
            (box[0] + 2, top, box[2] - 2, min(box[3], top + 60)), 3, self.theme.muted
        )
