"""The choice of the tool, by measuring: where the features are suspicious, windows of the picture
are coded both ways, and the decoded pixels compared.

1. A picture of a single color is a layer of three bytes.
2. What looks like a screen is one if AV1 needs far fewer bytes there than the latent at an equal
   SSIMULACRA 2. What is left then, photographs within a page, stays a latent unless the page has
   more of the screen and AV1 needs fewer bytes for the photographs too.
3. A block of a fine pattern that the latent does not give back, by its mean color, or by its error
   where AV1 in as many bytes has far less, is the layer's.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Pixels
from latentpress.content.features import Features, features
from latentpress.content.regions import drawn_region, filled
from latentpress.entropy import Encoder
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.image.picture import Picture, read_picture
from latentpress.metrics.ssimulacra2 import ssimulacra2
from latentpress.options import EncodeOptions
from latentpress.parts import parts_of
from latentpress.screen.encoder import ScreenLayer, av1_quality, whole_layer
from latentpress.screen.mask import CELL, Mask
from latentpress.screen.pieces import decode_piece, encode_piece
from latentpress.transforms import Transform

QUALITY = 60.0  # at which both ways are tried
TRIED = (12, 8, 6, 4)  # cells: side of the window in which they are, the first that is filled
FILLED = 0.75  # share of its cells, from which on a window is filled
APART = 16  # of the AV1 encoder's quality: steps below, where its scores are those of the latent
FAR_FEWER = 0.75  # share of the latent's bytes: photographs take .85
MANY = 0.5  # share of a picture that is a screen, from which on the rest may follow it
BLOCK = 2  # cells: side of a block that must be given back
# sum of the squares of `fine` over a block, from which on it is compared: losing half the
# difference of its pixels leaves it 28 dB
SUSPICIOUS = 1500
CHECKED = 4  # cells: side of a window in which blocks are compared
FIRST = 1  # windows that are compared before it is clear that the others are worth it
PROMISED = 90.0  # quality from which on no block has less than 24 dB where AV1 has more than 30
LEAST_PSNR = 25.0  # dB of a block there, from which on it is given back
FAR_BETTER = 2.5  # dB that AV1 has more in as many bytes, where a block is not
MOST_SHIFT = 2.7  # levels of its mean color; 3 are promised
AV1_QUALITIES = tuple(range(10, 95, 6))  # of which the best that fits is compared
SIDE = BLOCK * CELL
MOST_ERROR = 255**2 * 10 ** (-LEAST_PSNR / 10)
FAR_LESS = 10 ** (FAR_BETTER / 10)
BAND = 32  # rows
MOSTLY_LOST = 0.2  # share of a picture, from which on all of it follows the blocks that are lost


def chosen_layer(picture: Picture, options: EncodeOptions) -> ScreenLayer | None:
    """The layer of a picture; None where a latent serves all of it."""
    if _is_single_color(picture):
        return whole_layer(picture)
    found = features(picture)
    trial = _Trial(picture, options)
    mask = _screen(trial, found)
    fine = np.where(mask, 0, found.fine)
    if fine.any():
        lost = trial.lost_blocks(fine)
        if lost.mean() >= MOSTLY_LOST:
            return whole_layer(picture)
        mask = filled(mask | lost)
    return ScreenLayer(picture, mask) if mask.any() else None


def _screen(trial: _Trial, found: Features) -> Mask:
    """The cells that are a screen, after both ways were tried."""
    region = drawn_region(found)
    if not region.any():
        return region
    if not trial.prefers_layer(region, found.drawn, FAR_FEWER):
        return np.zeros_like(region)
    if region.mean() < MANY or region.all():
        return region
    if trial.prefers_layer(~region, np.zeros_like(region), 1.0):
        return np.ones_like(region)
    return region


def _is_single_color(picture: Picture) -> bool:
    first = picture.pixels(0, 1, 0, 1)
    if not (picture.pixels(0, 1, 0, picture.width) == first).all():
        return False
    return all(
        (picture.pixels(top, min(top + BAND, picture.height), 0, picture.width) == first).all()
        for top in range(0, picture.height, BAND)
    )


class _Trial:
    """Windows of a picture, coded both ways."""

    def __init__(self, picture: Picture, options: EncodeOptions) -> None:
        self.picture = picture
        self.options = options
        self.parts = parts_of(options.space)

    @cached_property
    def transform(self) -> Transform:
        """The model."""
        return self.parts.transform(self.options.model, self.options.device)

    @cached_property
    def fine_coder(self) -> HyperpriorCoder:
        """The coder at the promised quality."""
        return HyperpriorCoder(self.options.space.name, PROMISED)

    def prefers_layer(self, mask: Mask, drawn: Mask, share: float) -> bool:
        """Whether AV1 needs less than this share of the latent's bytes at an equal SSIMULACRA 2, in
        the largest window that the mask fills, with as many drawn cells as can be.
        """
        y, x, side = _fullest(mask, mask & drawn)
        pixels = self._pixels(y, x, side)
        if min(pixels.shape[:2]) < CELL:
            return True
        latent = self.parts.encoder(EncodeOptions(quality=QUALITY))
        size, decoded = self._through_latent(pixels, latent)
        aimed = ssimulacra2(pixels, decoded)
        middle = av1_quality(QUALITY)
        points = sorted(
            self._through_av1(pixels, middle + change) for change in (-2 * APART, -APART, 0)
        )
        scores = np.maximum.accumulate([score for score, _ in points])
        logs = [math.log(size) for _, size in points]
        return _at(scores, logs, aimed) < math.log(share * size)

    def lost_blocks(self, fine: Floats) -> Mask:
        """The cells of those blocks with a fine pattern that the transforms do not give back.
        fine: as of Features.
        """
        rows, columns = fine.shape
        squares = np.square(fine)
        of_blocks = np.add.reduceat(
            np.add.reduceat(squares, range(0, rows, BLOCK), 0), range(0, columns, BLOCK), 1
        )
        of_blocks[of_blocks < SUSPICIOUS] = 0
        step = CHECKED // BLOCK
        windows = [
            (float(part.sum()), BLOCK * y, BLOCK * x)
            for y in range(0, of_blocks.shape[0], step)
            for x in range(0, of_blocks.shape[1], step)
            if (part := of_blocks[y : y + step, x : x + step]).any()
        ]
        windows.sort(reverse=True)
        lost = np.zeros(fine.shape, bool)
        for i, (_, y, x) in enumerate(windows):
            if i == FIRST and not lost.any():
                break
            self._mark_lost(lost, y, x)
        return lost

    def _mark_lost(self, lost: Mask, y: int, x: int) -> None:
        pixels = self._pixels(y, x, CHECKED)
        decoded = self._rounded(pixels)
        blocks = [
            np.s_[top : top + SIDE, left : left + SIDE]
            for top in range(0, pixels.shape[0], SIDE)
            for left in range(0, pixels.shape[1], SIDE)
        ]
        errors = [_error(pixels[block], decoded[block]) for block in blocks]
        rival = self._av1_in_as_many_bytes(pixels) if max(errors) > MOST_ERROR else decoded
        for block, error in zip(blocks, errors, strict=True):
            is_poor = error > MOST_ERROR
            is_poor = is_poor and error > FAR_LESS * _error(pixels[block], rival[block])
            if is_poor or _shift(pixels[block], decoded[block]) > MOST_SHIFT:
                a, b = y + block[0].start // CELL, x + block[1].start // CELL
                lost[a : a + BLOCK, b : b + BLOCK] = True

    def _rounded(self, pixels: Pixels) -> Pixels:
        """What becomes of pixels in a latent at the promised quality, whose symbols are rounded."""
        coder = self.fine_coder
        analyzed = self.transform.analyze(read_picture(pixels))
        latent = [np.rint(strip * coder.gain) * coder.inverse for strip in analyzed]
        height, width = pixels.shape[:2]
        return np.concatenate(list(self.transform.synthesize(latent, width, height)))

    def _av1_in_as_many_bytes(self, pixels: Pixels) -> Pixels:
        """What becomes of pixels in AV1 in as many bytes as the latent takes at the promised
        quality.
        """
        height, width = pixels.shape[:2]
        limit = len(self.fine_coder.encode(self.transform.analyze(read_picture(pixels))))
        low, high = 0, len(AV1_QUALITIES) - 1
        best = None
        while low <= high:
            middle = (low + high) // 2
            piece = encode_piece(pixels, AV1_QUALITIES[middle])
            if len(piece) <= limit:
                low, best = middle + 1, piece
            else:
                high = middle - 1
        if best is None:
            return np.zeros_like(pixels)
        return decode_piece(best, width, height)

    def _through_latent(self, pixels: Pixels, encoder: Encoder) -> tuple[int, Pixels]:
        kind, body = encoder.encode(self.transform.analyze(read_picture(pixels)))
        height, width = pixels.shape[:2]
        factor = self.transform.space.factor
        latent = self.parts.coder(kind, QUALITY).decode(
            body, -(-height // factor), -(-width // factor)
        )
        return len(body), np.concatenate(list(self.transform.synthesize(latent, width, height)))

    def _through_av1(self, pixels: Pixels, quality: int) -> tuple[float, int]:
        height, width = pixels.shape[:2]
        piece = encode_piece(pixels, quality)
        return ssimulacra2(pixels, decode_piece(piece, width, height)), len(piece)

    def _pixels(self, y: int, x: int, cells: int) -> Pixels:
        """The pixels of a square of cells, as far as they are there."""
        bottom = min(CELL * (y + cells), self.picture.height)
        right = min(CELL * (x + cells), self.picture.width)
        return self.picture.pixels(CELL * y, bottom, CELL * x, right)


def _error(original: Pixels, decoded: Pixels) -> float:
    """The mean squared error."""
    return float(np.square(original.astype(np.float32) - decoded).mean())


def _shift(original: Pixels, decoded: Pixels) -> float:
    """By how many levels the mean color moves, of the channel that moves most."""
    return float(np.abs((original.astype(np.float32) - decoded).mean((0, 1))).max())


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


def _at(scores: Floats, logs: list[float], wanted: float) -> float:
    """The logarithm of the bytes at a score, along a line through the two nearest points."""
    i = min(max(int(np.searchsorted(scores, wanted)), 1), len(scores) - 1)
    run = max(float(scores[i] - scores[i - 1]), 1e-3)
    return logs[i - 1] + (logs[i] - logs[i - 1]) * float(wanted - scores[i - 1]) / run
