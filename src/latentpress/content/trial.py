"""Windows of a picture, coded both ways: which of the two has the better picture per byte."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Pixels
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.image.picture import Picture, read_picture
from latentpress.options import EncodeOptions
from latentpress.parts import parts_of
from latentpress.screen.encoder import av1_quality
from latentpress.screen.mask import CELL, Mask
from latentpress.screen.pieces import SPEED, ExactPiece, decode_piece, encode_piece
from latentpress.system.once import cached_property
from latentpress.transforms import Transform

QUALITY = 60.0  # at which both ways are tried
TRIED = (12, 8, 6, 4)  # cells: side of the window in which they are, the first that is filled
FILLED = 0.75  # share of its cells, from which on a window is filled
APART = 16  # steps of the AV1 encoder's quality between those that are tried
HASTY = 8  # speed of the AV1 encoder: a third of the time of the one that writes files
MORE = 1.2  # bytes that it needs where the other may need the fewer, on drawings
LIKELY = APART  # below that of an equal look, where AV1 scores as the latent does


class Trial:
    """The windows of a picture under the options of its encoder."""

    def __init__(self, picture: Picture, options: EncodeOptions) -> None:
        self.picture = picture
        self.options = options
        self.parts = parts_of(options.space)

    @cached_property
    def transform(self) -> Transform:
        """The model."""
        return self.parts.transform(self.options.model, self.options.device)

    def pixels(self, y: int, x: int, cells: int) -> Pixels:
        """The pixels of a square of cells, as far as they are there."""
        bottom = min(CELL * (y + cells), self.picture.height)
        right = min(CELL * (x + cells), self.picture.width)
        return self.picture.pixels(CELL * y, bottom, CELL * x, right)

    def analyzed(self, pixels: Pixels) -> list[Floats]:
        """The latent of pixels, in strips."""
        return list(self.transform.analyze(read_picture(pixels)))

    def rounded(self, latent: list[Floats], coder: HyperpriorCoder, pixels: Pixels) -> Pixels:
        """What becomes of pixels whose latent is rounded to the steps of a coder's quality."""
        height, width = pixels.shape[:2]
        steps = [np.rint(strip * coder.gain) * coder.inverse for strip in latent]
        return np.concatenate(list(self.transform.synthesize(steps, width, height)))

    def prefers_layer(
        self, mask: Mask, drawn: Mask, share: float, *, is_small: bool = False
    ) -> bool:
        """Whether AV1 needs less than this share of the latent's bytes at an equal SSIMULACRA 2, in
        the largest window that the mask fills, with as many drawn cells as can be. is_small:
        whether the full effort takes little time, as of an icon.
        """
        from latentpress.metrics.ssimulacra2 import ssimulacra2  # few pictures need it

        y, x, side = _fullest(mask, mask & drawn)
        pixels = self.pixels(y, x, side)
        if min(pixels.shape[:2]) < CELL:
            return True
        size, decoded = self._through_latent(pixels)
        wanted = ssimulacra2(pixels, decoded)
        return _needs_less(pixels, wanted, share * size, SPEED if is_small else HASTY)

    def _through_latent(self, pixels: Pixels) -> tuple[int, Pixels]:
        """The bytes of pixels in a latent, a segment of it, and what they come back as."""
        height, width = pixels.shape[:2]
        coder = HyperpriorCoder(self.options.space.name, QUALITY)
        [y] = self.analyzed(pixels)
        z, coded, steps = coder.model_segment(y * coder.gain)
        strips = self.transform.synthesize([steps * coder.inverse], width, height)
        return len(coder.pack_segment(z, coded)), np.concatenate(list(strips))


def _needs_less(pixels: Pixels, wanted: float, limit: float, speed: int) -> bool:
    """Whether AV1 reaches a SSIMULACRA 2 in fewer bytes than the limit. The full effort is spent
    where the speed does not tell.
    """
    exact = ExactPiece(pixels)
    if speed != SPEED:
        hasty = _bytes_at(pixels, exact, wanted, speed, limit, MORE * limit)
        if not limit <= hasty <= MORE * limit:
            return hasty < limit
    return _bytes_at(pixels, exact, wanted, SPEED, limit, limit) < limit


def _bytes_at(
    pixels: Pixels, exact: ExactPiece, wanted: float, speed: int, few: float, many: float
) -> float:
    """About the bytes of AV1 at a SSIMULACRA 2. Where the first quality that is tried shows that
    they are fewer than few, or more than many, no other is: then they are those of this one.
    """
    middle = av1_quality(QUALITY) - LIKELY
    score, size = _through_av1(pixels, exact, middle, speed)
    if (score >= wanted and size < few) or (score <= wanted and size >= many):
        return size
    change = APART if score < wanted else -APART
    other, other_size = _through_av1(pixels, exact, middle + change, speed)
    run = (wanted - score) / (other - score) if abs(other - score) > 1e-3 else 0.0
    return size * math.exp(run * math.log(other_size / size))


def _through_av1(pixels: Pixels, exact: ExactPiece, quality: int, speed: int) -> tuple[float, int]:
    from latentpress.metrics.ssimulacra2 import ssimulacra2

    height, width = pixels.shape[:2]
    piece = encode_piece(pixels, quality, speed=speed, exact=exact)
    return ssimulacra2(pixels, decode_piece(piece, width, height)), len(piece)


def _fullest(mask: Mask, telling: Mask) -> tuple[int, int, int]:
    """Row and column of the first cell of a square and its side in cells: of the largest that a
    mask fills, that with the most cells of the mask, those that are telling counted twice.
    """
    for side in TRIED:
        counts = _in_squares(mask, side)
        y, x = divmod(int((counts + _in_squares(telling, side)).argmax()), counts.shape[1])
        if counts[y, x] >= FILLED * side**2:
            break
    return y, x, side


def _in_squares(mask: Mask, side: int) -> NDArray[np.int64]:
    """Cells of a mask in each square of a side that lies within the picture, where one does."""
    sums = np.pad(mask, ((1, 0), (1, 0))).astype(np.int64).cumsum(0).cumsum(1)
    high, wide = min(side, mask.shape[0]), min(side, mask.shape[1])
    inner = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    return np.asarray(inner)
