"""The alpha chunk: an opacity plane, lossless. One byte where it is constant, else a grey PNG (1
bit where that is enough).
"""

import io

import numpy as np
from PIL import Image

from latentpress._typing import Pixels
from latentpress.errors import FormatError
from latentpress.image.limits import no_pillow_limit


def encode_alpha(alpha: Pixels) -> bytes:
    """alpha (H, W) uint8 -> the chunk's body."""
    if alpha.min() == alpha.max():
        return bytes([int(alpha[0, 0])])
    image = Image.fromarray(alpha)
    if np.isin(alpha, (0, 255)).all():
        image = image.convert("1", dither=Image.Dither.NONE)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def decode_alpha(body: bytes, width: int, height: int) -> Pixels:
    """The chunk's body -> alpha (height, width) uint8; FormatError where it is no such plane."""
    if len(body) == 1:
        return np.full((height, width), body[0], np.uint8)
    try:
        with no_pillow_limit(), Image.open(io.BytesIO(body), formats=("PNG",)) as image:
            if image.size != (width, height) or image.mode not in ("L", "1"):
                raise FormatError("the alpha chunk does not fit the picture")
            return np.asarray(image.convert("L"))
    except (FormatError, MemoryError):
        raise
    except Exception as error:  # on damaged files Pillow's readers raise nearly anything
        raise FormatError("the alpha chunk is damaged") from error
