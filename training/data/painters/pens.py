"""Pens: a face with a size and an ink, and the paragraphs that they write."""

from dataclasses import dataclass

import numpy as np
from PIL import ImageFont

from training.data.painters import words
from training.data.painters.canvas import Box, Canvas, Look
from training.data.painters.chance import happens, log_span, pick, span
from training.data.painters.colors import (
    Color,
)
from training.data.painters.fonts import Fonts

_SAMPLE = "the quick brown fox jumps over a lazy dog, then rests"


@dataclass(frozen=True)
class Hand:
    """What writes: an opened font with its line height and letter width, an ink and a look."""

    font: ImageFont.FreeTypeFont
    pixels: int
    letter: float
    script: str
    ink: Color
    look: Look


def hand(
    rng: np.random.Generator,
    fonts: Fonts,
    pixels: int,
    ink: Color,
    style: Look,
    mono: bool = False,
    script: bool = False,
) -> Hand:
    """A random face at a size in pixels; its script is one that the face has."""
    face = fonts.choose(rng, mono, script, upright=happens(rng, 0.6))
    font = fonts.open(face, pixels)
    language = "latin" if happens(rng, 0.55) else pick(rng, fonts.scripts(face))
    return Hand(font, pixels, font.getlength(_SAMPLE) / len(_SAMPLE), language, ink, style)


def small_size(rng: np.random.Generator) -> int:
    """A size of running text, 7 to 30 pixels."""
    return round(log_span(rng, 7, 30))


def paragraph(rng: np.random.Generator, canvas: Canvas, box: Box, pen: Hand) -> int:
    """Running text in a box, ragged or justified, perhaps of several paragraphs; its last row."""
    left, top, right, bottom = box
    step = max(pen.pixels + 1, round(pen.pixels * span(rng, 1.1, 1.6)))
    letters = max(4, int((right - left) / max(pen.letter, 1)))
    count = int(letters * max(0, bottom - top) / step / 5.2) + 4
    justified = happens(rng, 0.2) and right - left > 12 * pen.pixels
    lines = words.wrap(words.prose(rng, count, pen.script), letters)
    y, centered = top, not justified and happens(rng, 0.08)
    for line in lines:
        if y + pen.pixels > bottom:
            break
        if justified:
            _justified(canvas, (left, y), right - left, line, pen)
        elif centered:
            canvas.text(((left + right) / 2, y), line, pen.font, pen.ink, pen.look, "ma")
        else:
            canvas.text((left, y), line, pen.font, pen.ink, pen.look)
        y += step
        if happens(rng, 0.06):
            y += step // 2
    return y


def _justified(canvas: Canvas, place: tuple[int, int], width: int, line: str, pen: Hand) -> None:
    """One line whose words are spread over a width."""
    parts = line.split()
    lengths = [pen.font.getlength(part) for part in parts]
    gap = (width - sum(lengths)) / max(1, len(parts) - 1)
    gap = min(max(gap, pen.letter * 0.4), pen.letter * 2.5)
    x = float(place[0])
    for part, length in zip(parts, lengths, strict=True):
        canvas.text((x, place[1]), part, pen.font, pen.ink, pen.look)
        x += length + gap
