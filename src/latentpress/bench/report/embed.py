"""Pictures as data URIs, so that a page needs no other file."""

import base64
import io

from PIL import Image

from latentpress._typing import Pixels

DISPLAY = (1600, 1200)  # pixels: larger pictures are reduced by a whole factor for the page


def data_uri(image: Image.Image, quality: int | None = None) -> str:
    """An image -> "data:image/webp;base64,...": WebP of this quality, lossless when None."""
    stream = io.BytesIO()
    if quality is None:
        image.save(stream, format="WEBP", lossless=True, method=2)
    else:
        image.save(stream, format="WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()


def reduction(width: int, height: int) -> int:
    """The whole factor by which a picture is reduced for the page, 1 for most."""
    return max(1, -(-width // DISPLAY[0]), -(-height // DISPLAY[1]))


def shown(pixels: Pixels) -> Image.Image:
    """uint8 (H, W, 3) -> the image at the size it has on the page."""
    factor = reduction(pixels.shape[1], pixels.shape[0])
    image = Image.fromarray(pixels)
    return image if factor == 1 else image.reduce(factor)
