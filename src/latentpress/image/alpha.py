"""The alpha chunk: an opacity plane, lossless. One byte where it is constant, else a gray PNG (1
bit where that is enough) or a lossless WebP, whichever is smaller.
"""

import io

import numpy as np
from PIL import Image

from latentpress._typing import Pixels
from latentpress.errors import FormatError
from latentpress.image.gray_png import decode_gray_png
from latentpress.image.limits import no_pillow_limit
from latentpress.image.lossless_webp import MAGIC, check_webp, encode_webp
from latentpress.image.plugins import load_own

# pixels beyond which WebP is not tried, for its time (0.2 s a million) and its memory
WEBP_PIXELS = 1 << 24


def encode_alpha(alpha: Pixels) -> bytes:
    """alpha (H, W) uint8 -> the chunk's body."""
    if alpha.min() == alpha.max():
        return bytes([int(alpha[0, 0])])
    return min([_png(alpha), *_webp(alpha)], key=len)


def decode_alpha(body: bytes, width: int, height: int) -> Pixels:
    """The chunk's body -> alpha (height, width) uint8; FormatError where it is no such plane."""
    if len(body) == 1:
        return np.full((height, width), body[0], np.uint8)
    try:
        if not body.startswith(MAGIC):
            return decode_gray_png(body, width, height)
        check_webp(body, width, height, "alpha")
        load_own("WEBP")
        with no_pillow_limit(), Image.open(io.BytesIO(body), formats=("WEBP",)) as image:
            if image.size != (width, height) or image.mode != "RGB":
                raise FormatError("the alpha chunk does not fit the picture")
            return np.asarray(image.getchannel("G"))
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
    if alpha.size > WEBP_PIXELS:
        return []
    made = encode_webp(Image.merge("RGB", [Image.fromarray(alpha)] * 3), method=4)
    return [made] if made else []
