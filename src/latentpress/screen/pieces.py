"""One rectangle of the screen layer <-> bytes: a single color, a lossless WebP or an AV1 picture.

An encoder makes all that serve and takes the shortest; what a piece is, its first bytes say.
"""

import io
import math

import numpy as np
from PIL import Image, features

from latentpress._typing import Pixels
from latentpress.errors import FormatError, UsageError
from latentpress.image import lossless_webp
from latentpress.image.limits import no_pillow_limit
from latentpress.image.plugins import load_own
from latentpress.runtimes.threads import check_canceled
from latentpress.screen.av1 import START, boxed, check_av1, described, unboxed
from latentpress.system.once import cached_property

COLOR = 3  # bytes of a piece that is a single color
SPEED = 6  # of the AV1 encoder, as is Pillow's default
PATIENT = 4  # its speed where bytes count more than time
QUICK = 9  # its speed where a few percent of the bytes do not matter: a tenth of the time
WEBP_METHOD = 4
WEBP_COLORS = 4096  # pictures of more colors are not tried as lossless ones
# a hasty lossless encoder, and the least share of its bytes that the other one needs: .78 were seen
HASTY_METHOD, HASTY_EFFORT, LEAST_SHARE = 2, 30, 0.6


def kind_of(body: bytes) -> str:
    """ "color", "webp", "av1", or "unknown": what a piece is."""
    if len(body) == COLOR:
        return "color"
    if body.startswith(lossless_webp.MAGIC):
        return "webp"
    return "av1" if body.startswith(START) else "unknown"


def check_piece(body: bytes, width: int, height: int) -> None:
    """FormatError where a piece is not what it must be, as far as its first bytes tell: before a
    decoder takes memory.
    """
    kind = kind_of(body)
    if kind == "webp":
        lossless_webp.check_webp(body, width, height, "screen")
    elif kind == "av1":
        check_av1(body, width, height)
        if not features.check("avif"):
            raise FormatError("the screen chunk is AV1, which this Pillow was built without")
    elif kind != "color":
        raise FormatError("the screen chunk holds a piece of an unknown kind")


def decode_piece(body: bytes, width: int, height: int) -> Pixels:
    """A piece -> (height, width, 3). FormatError where it is damaged; Canceled as of
    `runtimes.threads`.
    """
    check_canceled()
    check_piece(body, width, height)
    kind = kind_of(body)
    if kind == "color":
        color = np.frombuffer(body, np.uint8)
        return np.broadcast_to(color, (height, width, 3))
    if kind == "av1":
        file, format_name = boxed(body, check_av1(body, width, height)), "AVIF"
    else:
        file, format_name = body, "WEBP"
    load_own(format_name)
    try:
        with no_pillow_limit(), Image.open(io.BytesIO(file), formats=(format_name,)) as image:
            if image.size != (width, height) or image.mode not in ("RGB", "L"):
                raise FormatError("the screen chunk does not fit the picture")
            return np.asarray(image.convert("RGB"))
    except (FormatError, MemoryError):
        raise
    except Exception as error:  # on damaged files Pillow's readers raise nearly anything
        raise FormatError("the screen chunk is damaged") from error


class ExactPiece:
    """(height, width, 3) as a piece that gives every pixel back, made once and only where it may be
    the shortest: of the noise of a scan the lossless encoder takes long.
    """

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels

    def below(self, limit: float) -> bytes | None:
        """The piece, where it takes fewer bytes than the limit."""
        if self.color:
            return self.color
        if self._least >= limit or self._webp is None or len(self._webp) >= limit:
            return None
        return self._webp

    @cached_property
    def color(self) -> bytes | None:
        """The piece of pixels that all have one color, the shortest that there is."""
        flat = self._pixels.reshape(-1, 3)
        return flat[0].tobytes() if (flat == flat[0]).all() else None

    @cached_property
    def _least(self) -> float:
        """Fewer bytes than the lossless WebP takes; infinity where there are too many colors."""
        image = Image.fromarray(self._pixels)
        if image.getcolors(WEBP_COLORS) is None:
            return math.inf
        hasty = lossless_webp.encode_webp(image, HASTY_METHOD, HASTY_EFFORT)
        return LEAST_SHARE * len(hasty) if hasty else math.inf

    @cached_property
    def _webp(self) -> bytes | None:
        return lossless_webp.encode_webp(Image.fromarray(self._pixels), WEBP_METHOD)


def encode_piece(
    pixels: Pixels,
    quality: int,
    *,
    gray: bool = False,
    speed: int = SPEED,
    exact: ExactPiece | None = None,
) -> bytes:
    """(height, width, 3) -> the shortest piece.

    quality: of the AV1 encoder, 0 to 100. gray: whether the colors do not count. speed: of the AV1
    encoder, 0 to 10. exact: that of these pixels, where it's kept for another quality. UsageError
    where Pillow can make no AV1; Canceled as of `runtimes.threads`.
    """
    check_canceled()
    exact = exact or ExactPiece(pixels)
    if exact.color:
        return exact.color
    if not features.check("avif"):
        raise UsageError("this Pillow was built without AVIF: --content photo does without")
    image = Image.fromarray(pixels)
    made = _av1(image.convert("L") if gray else image, quality, speed)
    return exact.below(len(made)) or made


def _av1(image: Image.Image, quality: int, speed: int) -> bytes:
    load_own("AVIF")
    out = io.BytesIO()
    options = {} if image.mode == "L" else {"subsampling": "4:4:4"}
    image.save(out, "AVIF", quality=quality, speed=speed, **options)
    return described(unboxed(out.getvalue()))
