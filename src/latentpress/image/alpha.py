"""The alpha chunk: an opacity plane, lossless. One byte where it is constant, else a grey PNG (1
bit where that is enough) or a lossless WebP, whichever is smaller.
"""

import io

import numpy as np
from PIL import Image, features

from latentpress._typing import Pixels
from latentpress.errors import FormatError
from latentpress.image.limits import no_pillow_limit

WEBP_SIDE = 16383  # pixels; the format's largest
# pixels beyond which WebP is not tried, for its time (0.2 s a million) and its memory
WEBP_PIXELS = 1 << 24
VP8L_HEADER = (
    25  # bytes: RIFF, its size, WEBP, VP8L, its size, 2F, width and height in 14 bits each
)


def encode_alpha(alpha: Pixels) -> bytes:
    """alpha (H, W) uint8 -> the chunk's body."""
    if alpha.min() == alpha.max():
        return bytes([int(alpha[0, 0])])
    return min([_png(alpha), *_webp(alpha)], key=len)


def decode_alpha(body: bytes, width: int, height: int) -> Pixels:
    """The chunk's body -> alpha (height, width) uint8; FormatError where it is no such plane."""
    if len(body) == 1:
        return np.full((height, width), body[0], np.uint8)
    is_webp = body.startswith(b"RIFF")
    if is_webp:
        _check_webp(body, width, height)
    try:
        kind = "WEBP" if is_webp else "PNG"
        with no_pillow_limit(), Image.open(io.BytesIO(body), formats=(kind,)) as image:
            if image.size != (width, height) or image.mode not in (
                ("RGB",) if is_webp else ("L", "1")
            ):
                raise FormatError("the alpha chunk does not fit the picture")
            return np.asarray(image.getchannel("G") if is_webp else image.convert("L"))
    except (FormatError, MemoryError):
        raise
    except Exception as error:  # on damaged files Pillow's readers raise nearly anything
        raise FormatError("the alpha chunk is damaged") from error


def _png(alpha: Pixels) -> bytes:
    image = Image.fromarray(alpha)
    if np.isin(alpha, (0, 255)).all():
        image = image.convert("1", dither=Image.Dither.NONE)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _webp(alpha: Pixels) -> list[bytes]:
    """The plane as the green (and red and blue) of a lossless WebP; nothing where that cannot be
    made or would take too long.
    """
    if max(alpha.shape) > WEBP_SIDE or alpha.size > WEBP_PIXELS or not features.check("webp"):
        return []
    out = io.BytesIO()
    image = Image.merge("RGB", [Image.fromarray(alpha)] * 3)
    image.save(out, "WEBP", lossless=True, quality=100, method=4)
    return [out.getvalue()]


def _check_webp(body: bytes, width: int, height: int) -> None:
    """FormatError unless the body is one VP8L image of this size without alpha, nothing before or
    behind it: told before a decoder takes memory.
    """
    bits = int.from_bytes(body[21:25], "little")
    length = int.from_bytes(body[16:20], "little")
    if (
        len(body) < VP8L_HEADER
        or body[8:16] != b"WEBPVP8L"
        or body[20] != 0x2F
        or int.from_bytes(body[4:8], "little") != len(body) - 8
        or length + length % 2 != len(body) - 20
        or bits >> 28  # alpha, or another version
        or (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)) != (width, height)
    ):
        raise FormatError("the alpha chunk does not fit the picture")
    if not features.check("webp"):
        raise FormatError("the alpha chunk is a WebP, which this Pillow was built without")
