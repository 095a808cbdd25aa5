"""A canvas: a picture that is drawn on, and beside it where its glyphs are."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from training.data.painters.chance import span, weighted
from training.data.painters.colors import Color

Box = tuple[int, int, int, int]
SURROUNDINGS = 2  # pixels around a glyph that the mask takes in
LARGEST_SUBPIXEL_TEXT = 64  # pixels; larger text is smooth instead
_ANY = [0] + [255] * 255


@dataclass(frozen=True)
class Look:
    """How glyphs become pixels: "smooth", "aliased", "rgb" or "bgr" (subpixels); a weight."""

    mode: str = "smooth"
    weight: float = 1.0


def look(rng: np.random.Generator) -> Look:
    """Most text is smooth; some is aliased, some is laid out on the subpixels of a screen."""
    mode = weighted(rng, {"smooth": 0.62, "aliased": 0.14, "rgb": 0.2, "bgr": 0.04})
    return Look(mode, round(span(rng, 0.75, 1.25), 1))


class Canvas:
    """A square picture of RGB pixels and the mask of the text in it."""

    def __init__(self, size: int, ground: Color | NDArray[np.uint8] | Image.Image) -> None:
        if isinstance(ground, tuple):
            self.image = Image.new("RGB", (size, size), ground)
        elif isinstance(ground, Image.Image):
            self.image = ground
        else:
            self.image = Image.fromarray(ground)
        self.size = size
        self.glyphs = Image.new("L", (size, size), 0)
        self.draw = ImageDraw.Draw(self.image)

    def text(
        self,
        place: tuple[float, float],
        text: str,
        font: ImageFont.FreeTypeFont,
        ink: Color,
        style: Look = Look(),
        anchor: str = "la",
    ) -> None:
        """Write one line, its anchor at a place (rounded to whole pixels)."""
        x, y = round(place[0]), round(place[1])
        fine = style.mode in ("rgb", "bgr") and font.size <= LARGEST_SUBPIXEL_TEXT
        scale = 3 if fine else 1
        font = _tripled(font) if fine else font
        left, top, right, bottom = font.getbbox(text, anchor=anchor)
        left, top = math.floor(left / scale) - 2, math.floor(top / scale) - 1
        right, bottom = math.ceil(right / scale) + 2, math.ceil(bottom / scale) + 1
        box = (x + left, y + top, x + right, y + bottom)
        if right - left <= 4 or min(box[2:]) <= 0 or max(box[:2]) >= self.size:
            return
        layer = Image.new("L", ((right - left) * scale, (bottom - top) * scale), 0)
        draw = ImageDraw.Draw(layer)
        if style.mode == "aliased":
            draw.fontmode = "1"
        draw.text((-left * scale, -top * scale), text, fill=255, font=font, anchor=anchor)
        if style.mode != "aliased":
            layer = layer.point(_curve(style.weight))
        if fine:
            self._blend(box, _subpixels(layer, style.mode), ink)
        else:
            self.image.paste(ink, box, layer)
            self.glyphs.paste(255, box, layer.point(_ANY))

    def _blend(self, box: Box, layers: list[Image.Image], ink: Color) -> None:
        """Lay a color over the picture, each channel through a layer of its own."""
        channels = [
            Image.composite(Image.new("L", layer.size, level), channel, layer)
            for layer, channel, level in zip(layers, self.image.crop(box).split(), ink, strict=True)
        ]
        self.image.paste(Image.merge("RGB", channels), box[:2])
        cover = ImageChops.lighter(ImageChops.lighter(layers[0], layers[1]), layers[2])
        self.glyphs.paste(255, box, cover.point(_ANY))

    def rounded(self, box: Box, radius: int, fill: Color, border: Color | None = None) -> None:
        """A rectangle with smooth round corners, with a border one pixel wide if one is given."""
        if border is not None:
            self.rounded(box, radius, border)
            box = (box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1)
            radius -= 1
        width, height = box[2] - box[0], box[3] - box[1]
        if width > 0 and height > 0:
            shape = _rounded(width, height, radius)
            self.image.paste(fill, box, shape)
            self.glyphs.paste(0, box, shape)  # it covers the text below it

    def frame(self, box: Box, color: Color) -> None:
        """A border one pixel wide just inside a box."""
        self.draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=color)

    def fill(self, box: Box, color: Color) -> None:
        """One color in a box; nothing where the box is empty."""
        if box[2] > box[0] and box[3] > box[1]:
            self.image.paste(color, box)
            self.glyphs.paste(0, box)  # it covers the text below it

    def put(self, pixels: NDArray[np.uint8], corner: tuple[int, int]) -> None:
        """Lay pixels (H, W, 3 or 4) over the picture; a fourth channel is their mask of text."""
        height, width = pixels.shape[:2]
        box = (corner[0], corner[1], corner[0] + width, corner[1] + height)
        self.image.paste(Image.fromarray(np.ascontiguousarray(pixels[..., :3])), box)
        if pixels.shape[2] == 4:
            self.glyphs.paste(Image.fromarray(np.ascontiguousarray(pixels[..., 3])), box)
        else:
            self.glyphs.paste(0, box)

    def color_at(self, x: int, y: int) -> Color:
        """The color of a pixel, of the nearest one if the place is outside."""
        last = self.size - 1
        place = (min(max(x, 0), last), min(max(y, 0), last))
        red, green, blue = np.asarray(self.image.getpixel(place)).tolist()
        return red, green, blue

    def rotate(self, degrees: float, paper: Color) -> None:
        """Turn the whole picture about its center; corners get the paper's color."""
        smooth = Image.Resampling.BICUBIC
        self.image = self.image.rotate(degrees, smooth, fillcolor=paper)
        self.glyphs = self.glyphs.rotate(degrees, Image.Resampling.BILINEAR).point(_ANY)
        self.draw = ImageDraw.Draw(self.image)

    def pixels(self) -> NDArray[np.uint8]:
        """The picture and the mask, (size, size, 4) uint8."""
        mask = self.glyphs
        if mask.getbbox() is not None:  # a box blur of ones and zeros is above 0 where one is near
            mask = mask.filter(ImageFilter.BoxBlur(SURROUNDINGS)).point(_ANY)
        return np.dstack([np.asarray(self.image), np.asarray(mask)])


@lru_cache(maxsize=64)
def _tripled(font: ImageFont.FreeTypeFont) -> ImageFont.FreeTypeFont:
    """The same face three times as large."""
    return font.font_variant(size=font.size * 3)


@lru_cache(maxsize=64)
def _curve(weight: float) -> list[int]:
    """What each cover of 0 to 255 becomes: lighter strokes for a weight above 1."""
    return [round(255 * (cover / 255) ** weight) for cover in range(256)]


def _subpixels(layer: Image.Image, order: str) -> list[Image.Image]:
    """Covers of red, green and blue from one three times as large, each over three subpixels.

    The box filter over three subpixels keeps the color fringes of thin strokes small.
    """
    cover = np.pad(np.asarray(layer.reduce((1, 3)), np.uint16), ((0, 0), (1, 1)))
    smooth = ((cover[:, :-2] + cover[:, 1:-1] + cover[:, 2:]) // 3).astype(np.uint8)
    planes = [Image.fromarray(np.ascontiguousarray(smooth[:, place::3])) for place in range(3)]
    return planes if order == "rgb" else planes[::-1]


def _rounded(width: int, height: int, radius: int) -> Image.Image:
    """The mask of a rectangle with round corners, 0 to 255."""
    mask = Image.new("L", (width, height), 255)
    radius = min(radius, width // 2, height // 2)
    if radius < 1:
        return mask
    disc = Image.new("L", (8 * radius, 8 * radius), 0)
    ImageDraw.Draw(disc).ellipse((0, 0, 8 * radius - 1, 8 * radius - 1), fill=255)
    disc = disc.reduce(4)
    for x in (0, 1):
        for y in (0, 1):
            part = disc.crop((x * radius, y * radius, (x + 1) * radius, (y + 1) * radius))
            mask.paste(part, (x * (width - radius), y * (height - radius)))
    return mask


def opaque(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (H, W, 3) with an empty mask of text, (H, W, 4)."""
    return np.dstack([pixels, np.zeros(pixels.shape[:2], np.uint8)])


class Sheet:
    """Shapes in coordinates of the final picture, drawn larger and reduced: smooth edges."""

    def __init__(self, size: int, ground: Color, scale: int) -> None:
        self.image = Image.new("RGB", (size * scale, size * scale), ground)
        self.draw = ImageDraw.Draw(self.image)
        self.scale = scale

    def _flat(self, points: NDArray[np.float64] | list[tuple[float, float]]) -> list[float]:
        return (np.asarray(points, np.float64) * self.scale).ravel().tolist()

    def line(
        self, points: NDArray[np.float64] | list[tuple[float, float]], ink: Color, width: float = 1
    ) -> None:
        """Straight pieces from point to point."""
        thick = max(1, round(width * self.scale))
        self.draw.line(self._flat(points), ink, thick, joint="curve" if thick > 3 else None)

    def polygon(
        self,
        points: NDArray[np.float64] | list[tuple[float, float]],
        fill: Color | None,
        ink: Color | None = None,
        width: float = 1,
    ) -> None:
        """A closed shape with an outline where ink is given."""
        flat = self._flat(points)
        if fill is not None:
            self.draw.polygon(flat, fill)
        if ink is not None:
            self.draw.line([*flat, *flat[:4]], ink, max(1, round(width * self.scale)), "curve")

    def box(
        self,
        box: tuple[float, float, float, float],
        fill: Color | None,
        ink: Color | None = None,
        width: float = 1,
    ) -> None:
        """A rectangle; nothing where it is empty."""
        left, top, right, bottom = (v * self.scale for v in box)
        if right > left and bottom > top:
            self.draw.rectangle(
                (left, top, right - 1, bottom - 1), fill, ink, max(1, round(width * self.scale))
            )

    def ellipse(
        self,
        box: tuple[float, float, float, float],
        fill: Color | None,
        ink: Color | None = None,
        width: float = 1,
    ) -> None:
        """An ellipse in a box; nothing where it is empty."""
        left, top, right, bottom = (v * self.scale for v in box)
        if right > left and bottom > top:
            self.draw.ellipse(
                (left, top, right, bottom), fill, ink, max(1, round(width * self.scale))
            )

    def arc(
        self,
        box: tuple[float, float, float, float],
        start: float,
        end: float,
        ink: Color,
        width: float = 1,
    ) -> None:
        """A piece of an ellipse's outline, angles in degrees clockwise from the right."""
        left, top, right, bottom = (v * self.scale for v in box)
        if right > left and bottom > top:
            thick = max(1, round(width * self.scale))
            self.draw.arc((left, top, right, bottom), start, end, ink, thick)

    def reduced(self) -> Image.Image:
        """The picture at its final size."""
        return self.image if self.scale == 1 else self.image.reduce(self.scale)
