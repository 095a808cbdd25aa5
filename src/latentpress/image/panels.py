"""Pictures made from numbers: the channels of a latent, a difference, images side by side."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont

from latentpress._typing import Pixels
from latentpress.errors import ImageError

ROW_CHANNELS = 16  # up to so many channels stand in one row, more in a near-square grid
# pixels: longest side of a panel that is aimed at, in a row and in a grid
PANEL_ROW = 256
PANEL_GRID = 112
# pixels: a latent picture stays below it; larger latents show every k-th position
LATENT_SIDE = 16384
# pixels: the largest width and height at which an image is shown at its true size
SHOWN = (1600, 1080)
BACKGROUND = (24, 26, 30)
TEXT = (236, 238, 242)
DIM = (150, 156, 166)
MARK = (230, 60, 20)  # where a mask says so
# pixels
FONT = 17
MARGIN = 20
GAP = 12


def latent_panels(
    latent: NDArray[np.floating], columns: int | None = None, scale: int | None = None
) -> Image.Image:
    """A latent (C, h, w), any float range -> a gray ("L") picture with one panel a channel, in
    reading order.

    Each panel is stretched so that its least value is black and its greatest white (a constant
    channel is mid-gray) and enlarged by the whole factor `scale`, nearest neighbor: one latent
    position is one square. columns, scale: chosen from C and (h, w) when None. ImageError for
    another shape, or values that are not finite.
    """
    if latent.ndim != 3 or not latent.size:
        raise ImageError(
            f"a latent has shape (C, h, w) with at least one value; this one has {latent.shape}"
        )
    if not np.isfinite(latent).all():
        raise ImageError("the latent holds values that are not finite, so there is nothing to show")
    if (columns is not None and columns < 1) or (scale is not None and scale < 1):
        raise ImageError(f"columns and scale are whole numbers from 1; got {columns} and {scale}")
    count, h, w = latent.shape
    if columns is None:
        columns = count if count <= ROW_CHANNELS else _columns(count, h, w)
    columns = min(columns, count)
    rows = -(-count // columns)
    stride = max(1, math.ceil(max(columns * w, rows * h) / LATENT_SIDE))
    latent = latent[:, ::stride, ::stride]
    h, w = latent.shape[1:]
    if scale is None:
        target = round((PANEL_ROW if count <= ROW_CHANNELS else PANEL_GRID) / max(h, w))
        scale = max(1, min(target, LATENT_SIDE // max(columns * w, rows * h)))
    gap = 2 if count > ROW_CHANNELS else 4
    height, width = h * scale, w * scale
    sheet = Image.new("L", (columns * (width + gap) - gap, rows * (height + gap) - gap), 0)
    for i in range(count):
        panel = Image.fromarray(_stretch(latent[i])).resize(
            (width, height), Image.Resampling.NEAREST
        )
        sheet.paste(panel, (i % columns * (width + gap), i // columns * (height + gap)))
    return sheet


def difference(a: Image.Image, b: Image.Image, gain: float = 4) -> Image.Image:
    """min(255, round(gain |a - b|)) of two RGB images of one size -> RGB. ImageError where the
    sizes differ.
    """
    if a.size != b.size:
        raise ImageError(f"the images differ in size: {_size(a)} and {_size(b)}")
    table = [min(255, round(gain * level)) for level in range(256)]
    return ImageChops.difference(a.convert("RGB"), b.convert("RGB")).point(table * 3)


def marked(image: Image.Image, where: NDArray[np.bool_]) -> Image.Image:
    """An image tinted where a mask (height, width) says so, and pale elsewhere -> RGB."""
    pixels = np.asarray(image.convert("RGB"), np.float32)
    tinted = 0.55 * pixels + 0.45 * np.array(MARK, np.float32)
    pale = 0.35 * pixels + 0.65 * 255
    return Image.fromarray(np.where(where[..., None], tinted, pale).astype(np.uint8))


def side_by_side(images: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """Images in a row (very wide ones in a column), each under its caption, on a dark ground ->
    RGB.

    A caption's first line is bright, the lines after it dim. Images up to 1600 x 1080 are shown at
    their true size; larger ones are reduced by a whole factor for display, which the caption then
    says. ImageError without images, or where images and captions differ in number.
    """
    if not images or len(images) != len(captions):
        raise ImageError(
            f"each image needs one caption; got {len(images)} images and {len(captions)} captions"
        )
    font = ImageFont.load_default(FONT)
    ink = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    shown: list[tuple[Image.Image, list[str]]] = []
    for image, caption in zip(images, captions, strict=True):
        factor = max(1, math.ceil(image.width / SHOWN[0]), math.ceil(image.height / SHOWN[1]))
        small = image.convert("RGB") if factor == 1 else image.convert("RGB").reduce(factor)
        shown.append(
            (
                small,
                caption.split("\n") + ([f"shown at 1/{factor} of its size"] if factor > 1 else []),
            )
        )
    line = FONT + 6
    text_height = max(len(lines) for _, lines in shown) * line + 8
    widths = [
        max(image.width, *(math.ceil(ink.textlength(t, font)) for t in lines))
        for image, lines in shown
    ]
    tall = max(image.height for image, _ in shown)
    stacked = len(shown) > 1 and max(image.width for image, _ in shown) > 2.2 * tall and tall >= 100
    if stacked:
        size = (
            max(widths),
            sum(image.height for image, _ in shown) + len(shown) * (text_height + GAP) - GAP,
        )
    else:
        size = (sum(widths) + GAP * (len(shown) - 1), tall + text_height)
    sheet = Image.new("RGB", (size[0] + 2 * MARGIN, size[1] + 2 * MARGIN), BACKGROUND)
    ink = ImageDraw.Draw(sheet)
    x = MARGIN
    y = MARGIN
    for (image, lines), width in zip(shown, widths, strict=True):
        for i, text in enumerate(lines):
            ink.text((x, y + i * line), text, TEXT if i == 0 else DIM, font)
        sheet.paste(image, (x, y + text_height))
        x, y = (x, y + text_height + image.height + GAP) if stacked else (x + width + GAP, y)
    return sheet


def _stretch(panel: NDArray[np.floating]) -> Pixels:
    """(h, w) floats -> uint8, least value 0 and greatest 255; a constant panel is 128."""
    values = panel.astype(np.float64)
    low = values.min()
    high = values.max()
    if low == high:
        return np.full(panel.shape, 128, np.uint8)
    return np.asarray(np.rint((values - low) / (high - low) * 255), np.uint8)


def _columns(count: int, h: int, w: int) -> int:
    """Columns of a near-square sheet of count panels (h, w): of the three nearest choices, the one
    with the fewest gaps.
    """
    square = max(2, round(math.sqrt(count * h / w)))
    return min((square, square - 1, square + 1), key=lambda columns: -count % columns)


def _size(image: Image.Image) -> str:
    return f"{image.width} x {image.height}"
