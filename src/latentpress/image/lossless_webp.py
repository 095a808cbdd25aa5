"""A lossless WebP within a chunk: one VP8L image without alpha, nothing before or behind it."""

import io

from PIL import Image, features

from latentpress.errors import FormatError
from latentpress.image.plugins import load_own

SIDE = 16383  # pixels; the format's largest
MAGIC = b"RIFF"
HEADER = 25  # bytes: RIFF, its size, WEBP, VP8L, its size, 2F, width and height in 14 bits each


def encode_webp(image: Image.Image, method: int, effort: int = 100) -> bytes | None:
    """An RGB image -> its bytes; None where this Pillow cannot make them, or the image is too wide
    or high. effort: 0 to 100; noise takes forty times as long with all of it.
    """
    if max(image.size) > SIDE or not features.check("webp"):
        return None
    load_own("WEBP")
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=True, quality=effort, method=method)
    return out.getvalue()


def check_webp(body: bytes, width: int, height: int, name: str) -> None:
    """FormatError unless the body is one VP8L image of this size, told before a decoder takes
    memory. name: of the chunk.
    """
    bits = int.from_bytes(body[21:25], "little")
    length = int.from_bytes(body[16:20], "little")
    if (
        len(body) < HEADER
        or body[8:16] != b"WEBPVP8L"
        or body[20] != 0x2F
        or int.from_bytes(body[4:8], "little") != len(body) - 8
        or length + length % 2 != len(body) - 20
        or bits >> 28  # alpha, or another version
        or (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)) != (width, height)
    ):
        raise FormatError(f"the {name} chunk does not fit the picture")
    if not features.check("webp"):
        raise FormatError(f"the {name} chunk is a WebP, which this Pillow was built without")
