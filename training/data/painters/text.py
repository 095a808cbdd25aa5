"""Text: pages, headlines, program text, tables, receipts, text over pictures, turned text."""

import numpy as np
from numpy.typing import NDArray

from training.data.painters import words
from training.data.painters.canvas import Box, Canvas, Look, look
from training.data.painters.chance import happens, log_span, pick, span, weighted, whole
from training.data.painters.colors import (
    BLACK,
    SYNTAX,
    WHITE,
    Color,
    any_color,
    blend,
    faint,
    ink_on,
    luma,
    paper_and_ink,
    saturated,
)
from training.data.painters.fields import Field, between, cloud, mean_luma, photo, ramp, rounded
from training.data.painters.fonts import Fonts
from training.data.painters.pens import hand, paragraph, small_size


def page(rng: np.random.Generator, canvas: Canvas, fonts: Fonts, ink: Color, style: Look) -> None:
    """A page of a book, a paper or a site: columns with headings, now and then a rule."""
    size, pixels = canvas.size, small_size(rng)
    columns = weighted(rng, {1: 0.5, 2: 0.35, 3: 0.15})
    margin, gap = whole(rng, -4, size // 10), max(8, pixels)
    top = whole(rng, -pixels, size // 12)
    if happens(rng, 0.35):
        title = hand(rng, fonts, min(120, round(pixels * span(rng, 1.5, 3.5))), ink, style)
        text = " ".join(words.prose(rng, 6, title.script))
        canvas.text((margin, top), text, title.font, ink, style)
        top += round(title.pixels * 1.5)
    width = (size - 2 * margin - gap * (columns - 1)) // columns
    pen = hand(rng, fonts, pixels, ink, style)
    heads = hand(rng, fonts, round(pixels * span(rng, 1.0, 1.6)), _accent(rng, ink), style)
    for column in range(columns):
        left, y = margin + column * (width + gap), top
        while y < size:
            if happens(rng, 0.5):
                text = " ".join(words.prose(rng, 4, heads.script))
                canvas.text(
                    (left, y), text[: int(width / heads.letter)], heads.font, heads.ink, style
                )
                y += round(heads.pixels * 1.5)
            depth = round(log_span(rng, 4, 30)) * pixels
            y = paragraph(rng, canvas, (left, y, left + width, y + depth), pen) + pixels // 2
            if happens(rng, 0.08):
                canvas.fill((left, y - 2, left + width, y - 1), ink)


def _accent(rng: np.random.Generator, ink: Color) -> Color:
    """The ink, or a color of about its lightness."""
    if happens(rng, 0.7):
        return ink
    return blend(ink, saturated(rng), span(rng, 0.3, 0.8))


def poster(rng: np.random.Generator, canvas: Canvas, fonts: Fonts, ink: Color, style: Look) -> None:
    """Large words, 24 to 120 pixels, each line of its own size and perhaps its own color."""
    y = whole(rng, -20, canvas.size // 4)
    x = whole(rng, -20, canvas.size // 6)
    while y < canvas.size:
        pixels = round(log_span(rng, 24, 120))
        pen = hand(rng, fonts, pixels, _accent(rng, ink), style)
        text = " ".join(words.words(rng, whole(rng, 1, 4), pen.script))
        text = pick(rng, (str.upper, str.title, str.lower))(text)
        place = (canvas.size / 2, y) if happens(rng, 0.3) else (x, y)
        canvas.text(place, text, pen.font, pen.ink, style, "la" if place[0] == x else "ma")
        y += round(pixels * span(rng, 1.0, 1.4))


def program(rng: np.random.Generator, canvas: Canvas, fonts: Fonts, box: Box, style: Look) -> None:
    """An editor: lines of a program in a theme's colors, with line numbers now and then."""
    colors = pick(rng, SYNTAX)
    left, top, right, bottom = box
    canvas.fill(box, colors[0])
    pixels = whole(rng, 9, 20)
    font = fonts.font(rng, pixels, mono=True)
    advance, step = font.getlength("0"), round(pixels * span(rng, 1.15, 1.5))
    gutter = happens(rng, 0.5)
    start = left + 4 + (round(advance * 4.5) if gutter else 0)
    current = whole(rng, 0, 60)
    for row, y in enumerate(range(top + 3, bottom - pixels, step)):
        if row == current:
            canvas.fill((left, y - 1, right, y + step - 1), blend(colors[0], colors[1], 0.1))
        if gutter:
            canvas.text((start - 2 * advance, y), str(row + 1), font, colors[4], style, "ra")
        x = float(start)
        for text, role in words.code_line(rng):
            room = int((right - x) / advance)
            if room > 0:
                canvas.text((x, y), text[:room], font, colors[role], style)
            x += advance * len(text)


def table(rng: np.random.Generator, canvas: Canvas, fonts: Fonts, ink: Color, box: Box) -> None:
    """Rows and columns of words and numbers, with rules, a full grid or striped rows."""
    left, top, right, bottom = box
    pixels, style = whole(rng, 8, 18), look(rng)
    pen = hand(rng, fonts, pixels, ink, style)
    step = round(pixels * span(rng, 1.4, 2.2))
    columns = max(1, min(whole(rng, 2, 8), (right - left) // (pixels * 5)))
    width = (right - left) // columns
    paper = canvas.color_at(left, top)
    rule, stripe = blend(paper, ink, span(rng, 0.15, 1)), blend(paper, ink, 0.07)
    lines = pick(rng, ("grid", "rows", "stripes", "none"))
    numeric = [happens(rng, 0.6) for _ in range(columns)]
    for row, y in enumerate(range(top, bottom - step + 1, step)):
        if (lines == "stripes" and row % 2) or (row == 0 and happens(rng, 0.7)):
            canvas.fill((left, y, left + columns * width, y + step), stripe)
        if lines in ("grid", "rows"):
            canvas.fill((left, y, left + columns * width, y + 1), rule)
        for column in range(columns):
            x = left + column * width
            if lines == "grid":
                canvas.fill((x, y, x + 1, y + step), rule)
            right_aligned = numeric[column] and row > 0
            text = words.number(rng) if right_aligned else words.words(rng, 1, pen.script)[0]
            text = text[: max(1, int((width - 6) / pen.letter))]
            place = (x + width - 4, y + step / 2) if right_aligned else (x + 4, y + step / 2)
            canvas.text(place, text, pen.font, ink, style, "rm" if right_aligned else "lm")


def receipt(rng: np.random.Generator, canvas: Canvas, fonts: Fonts, ink: Color, box: Box) -> None:
    """A till's slip: names at the left, prices at the right, dashes, a total, a bar code."""
    left, top, right, bottom = box
    pixels, style = whole(rng, 9, 20), look(rng)
    pen = hand(rng, fonts, pixels, ink, style, mono=happens(rng, 0.8))
    step, y = round(pixels * 1.25), top + 4
    shop = " ".join(words.words(rng, 2)).upper()
    canvas.text(((left + right) / 2, y), shop, pen.font, ink, style, "ma")
    y += step * 2
    while y < bottom - 5 * step:
        if happens(rng, 0.12):
            dashes = pick(rng, ("-", "=", "*")) * int((right - left - 8) / pen.font.getlength("-"))
            canvas.text((left + 4, y), dashes, pen.font, ink, style)
        else:
            name = " ".join(words.words(rng, whole(rng, 1, 3)))
            name = name[: max(1, int((right - left) / pen.letter) - 10)]
            canvas.text((left + 4, y), name.upper(), pen.font, ink, style)
            price = f"{float(rng.random()) * 90:.2f}"
            canvas.text((right - 4, y), price, pen.font, ink, style, "ra")
        y += step
    x = left + (right - left) // 6
    while x < right - (right - left) // 6:
        bar = whole(rng, 1, 3)
        canvas.fill((x, y + step // 2, x + bar, bottom - 4), ink)
        x += bar + whole(rng, 1, 3)


def script_page(
    rng: np.random.Generator, canvas: Canvas, fonts: Fonts, ink: Color, style: Look
) -> None:
    """Lines in a handwriting face on plain, ruled or squared paper."""
    pixels = whole(rng, 14, 48)
    step = round(pixels * span(rng, 1.1, 1.5))
    paper = canvas.color_at(0, 0)
    if happens(rng, 0.5):
        rule = blend(paper, pick(rng, ((80, 120, 220), ink)), 0.4)
        for y in range(step, canvas.size, step):
            canvas.fill((0, y, canvas.size, y + 1), rule)
        for x in range(step, canvas.size if happens(rng, 0.4) else 0, step):
            canvas.fill((x, 0, x + 1, canvas.size), rule)
    ink = pick(rng, (ink, blend(ink, (20, 40, 180), 0.7)))
    pen = hand(rng, fonts, pixels, ink, style, script=True)
    letters = int(canvas.size / pen.letter)
    for y in range(step, canvas.size + step, step):
        x = whole(rng, 0, pixels)
        text = " ".join(words.prose(rng, letters // 4, pen.script))[:letters]
        canvas.text((x, y - pixels // 8), text, pen.font, ink, style, "ls")


def _busy(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """A ground that is not one color: like a photograph, blurred noise, a gradient, a texture."""
    kind = pick(rng, ("photo", "photo", "gradient", "texture"))
    if kind == "photo":
        return photo(rng, size, size)
    if kind == "gradient":
        return rounded(between(ramp(rng, size, size), any_color(rng), any_color(rng)))
    paper = any_color(rng)
    field: Field = cloud(rng, size, size, whole(rng, 8, min(60, size)), 3)
    return rounded(between(field, paper, faint(rng, paper)))


def over_picture(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """Captions, subtitles with outlines and large words over a picture."""
    pixels = _busy(rng, size)
    canvas, style = Canvas(size, pixels), look(rng)
    ink = BLACK if mean_luma(pixels) > 120 else WHITE
    if happens(rng, 0.3):
        ink = ink_on(rng, ink)
        ink = ink_on(rng, ink) if abs(luma(ink) - mean_luma(pixels)) < 60 else ink
    for _ in range(whole(rng, 2, 8)):
        pen = hand(rng, fonts, round(log_span(rng, 9, 100)), ink, style)
        x, y = whole(rng, -20, size // 2), whole(rng, -10, size - 10)
        count = max(1, int(whole(rng, size // 3, size) / pen.letter / 5))
        text = " ".join(words.prose(rng, count, pen.script))
        if happens(rng, 0.4):  # an outline or a shadow
            shade = WHITE if luma(ink) < 128 else BLACK
            reach = max(1, pen.pixels // 16)
            shifts = [(-reach, 0), (reach, 0), (0, -reach), (0, reach)]
            for dx, dy in shifts if happens(rng, 0.5) else [(reach, reach)]:
                canvas.text((x + dx, y + dy), text, pen.font, shade, style)
        canvas.text((x, y), text, pen.font, ink, style)
    return canvas


def _slip(rng: np.random.Generator, size: int) -> Box:
    """The box of a slip of paper that stands over the picture's height."""
    width = min(size, whole(rng, 150, 340))
    left = (size - width) // 2
    return left, 0, left + width, size


def plain(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """Text alone, of any of the layouts above."""
    layout = weighted(
        rng,
        {
            "page": 0.34,
            "poster": 0.12,
            "program": 0.15,
            "table": 0.1,
            "receipt": 0.06,
            "script": 0.07,
            "over": 0.16,
        },
    )
    if layout == "over":
        return over_picture(rng, size, fonts)
    paper, ink = paper_and_ink(rng)
    canvas, style = Canvas(size, paper), look(rng)
    if layout == "page":
        page(rng, canvas, fonts, ink, style)
    elif layout == "poster":
        poster(rng, canvas, fonts, ink, style)
    elif layout == "program":
        program(rng, canvas, fonts, (0, 0, size, size), style)
    elif layout == "table":
        table(rng, canvas, fonts, ink, (whole(rng, -8, 20), whole(rng, -8, 20), size, size))
    elif layout == "receipt":
        receipt(rng, canvas, fonts, ink, _slip(rng, size))
    else:
        script_page(rng, canvas, fonts, ink, style)
    if layout != "program" and happens(rng, 0.08):
        canvas.rotate(pick(rng, (span(rng, -4, 4), span(rng, -20, 20), 90.0, 270.0)), paper)
    return canvas


def paint(rng: np.random.Generator, size: int, fonts: Fonts) -> NDArray[np.uint8]:
    """Text, (size, size, 4) uint8 with the mask of its glyphs."""
    return plain(rng, size, fonts).pixels()
