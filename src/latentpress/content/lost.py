"""Blocks of a fine pattern that the transforms do not give back: by their mean color, or by their
error where AV1 in as many bytes has far less.
"""

from __future__ import annotations

import numpy as np

from latentpress._typing import Floats, Pixels
from latentpress.content.trial import Trial
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.screen.encoder import PROMISED
from latentpress.screen.mask import CELL, Mask
from latentpress.screen.pieces import QUICK, ExactPiece, decode_piece, encode_piece

BLOCK = 2  # cells: side of a block that must be given back
SIDE = BLOCK * CELL
# sum of the squares of `fine` over a block, from which on it is compared: losing all of it leaves
# the block 27 dB
SUSPICIOUS = 2000
CHECKED = 4  # cells: side of a window in which blocks are compared
LEAST_PSNR = 25.0  # dB of a block at the promised quality, from which on it is given back
FAR_BETTER = 2.5  # dB that AV1 has more in as many bytes, where a block is not
FINE_PSNR = 35.0  # dB from which on AV1 is not asked
MUCH_BETTER = 6.0  # dB that AV1 has more, where a block below that is given back
# times the difference of neighboring rows, below which that of every other is small: about 1 in
# photographs
ALTERNATING = 0.7
MOST_SHIFT = 2.7  # levels of its mean color; 3 are promised
AV1_QUALITIES = tuple(range(10, 95, 6))  # of which the best that fits is compared
MOST_ERROR = 255**2 * 10 ** (-LEAST_PSNR / 10)
FINE_ERROR = 255**2 * 10 ** (-FINE_PSNR / 10)
FAR_LESS, MUCH_LESS = 10 ** (FAR_BETTER / 10), 10 ** (MUCH_BETTER / 10)


def lost_blocks(trial: Trial, fine: Floats, enough: float) -> Mask:
    """The cells of those blocks with a fine pattern that the transforms do not give back.

    The block with the most of it is compared alone; where it is given back, no other is looked at.
    fine: as of Features. enough: share of the cells that are lost, from which on no more are looked
    at.
    """
    rows, columns = fine.shape
    lost = np.zeros(fine.shape, bool)
    squares = np.square(fine)
    of_blocks = np.add.reduceat(
        np.add.reduceat(squares, range(0, rows, BLOCK), 0), range(0, columns, BLOCK), 1
    )
    of_blocks[of_blocks < SUSPICIOUS] = 0
    if not of_blocks.any():
        return lost
    worst_y, worst_x = np.unravel_index(of_blocks.argmax(), of_blocks.shape)
    coder = HyperpriorCoder(trial.options.space.name, PROMISED)
    if not _lost_in(trial, coder, BLOCK * int(worst_y), BLOCK * int(worst_x), BLOCK):
        return lost
    step = CHECKED // BLOCK
    for y in range(0, of_blocks.shape[0], step):
        for x in range(0, of_blocks.shape[1], step):
            if of_blocks[y : y + step, x : x + step].any():
                for a, b in _lost_in(trial, coder, BLOCK * y, BLOCK * x, CHECKED):
                    lost[a : a + BLOCK, b : b + BLOCK] = True
        if lost.mean() >= enough:
            break
    return lost


def block_error(original: Pixels, decoded: Pixels) -> float:
    """The mean squared error."""
    return float(np.square(original.astype(np.float32) - decoded).mean())


def shift(original: Pixels, decoded: Pixels) -> float:
    """By how many levels the mean color moves, of the channel that moves most."""
    return float(np.abs((original.astype(np.float32) - decoded).mean((0, 1))).max())


def _lost_in(
    trial: Trial, coder: HyperpriorCoder, y: int, x: int, cells: int
) -> list[tuple[int, int]]:
    """The first cells of the blocks of a window that are lost."""
    pixels = trial.pixels(y, x, cells)
    latent = trial.analyzed(pixels)
    decoded = trial.rounded(latent, coder, pixels)
    blocks = [
        np.s_[top : top + SIDE, left : left + SIDE]
        for top in range(0, pixels.shape[0], SIDE)
        for left in range(0, pixels.shape[1], SIDE)
    ]
    errors = [block_error(pixels[block], decoded[block]) for block in blocks]
    rival = decoded
    if max(errors) > MOST_ERROR or (max(errors) > FINE_ERROR and alternates(pixels)):
        rival = _av1_within(pixels, len(coder.encode(latent)))
    lost = []
    for block, error in zip(blocks, errors, strict=True):
        less = FAR_LESS if error > MOST_ERROR else MUCH_LESS
        is_poor = error > FINE_ERROR
        is_poor = is_poor and error > less * block_error(pixels[block], rival[block])
        if is_poor or shift(pixels[block], decoded[block]) > MOST_SHIFT:
            lost.append((y + block[0].start // CELL, x + block[1].start // CELL))
    return lost


def alternates(pixels: Pixels) -> bool:
    """Whether rows or columns are nearer to the next but one than to the next, as those of stripes
    and of interlaced fields are, and those of photographs are not.
    """
    whole = pixels.astype(np.float32)
    for values in (whole, whole.swapaxes(0, 1)):
        if len(values) < 3:  # none has a next but one
            continue
        next_one, next_but_one = (
            float(np.abs(values[step:] - values[:-step]).mean()) for step in (1, 2)
        )
        if next_but_one < ALTERNATING * next_one:
            return True
    return False


def _av1_within(pixels: Pixels, limit: int) -> Pixels:
    """What becomes of pixels in AV1 in so many bytes. The quality is found by the quick encoder."""
    height, width = pixels.shape[:2]
    exact = ExactPiece(pixels)
    if exact.below(limit + 1):
        return pixels
    low, high = 0, len(AV1_QUALITIES) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if len(encode_piece(pixels, AV1_QUALITIES[middle], speed=QUICK, exact=exact)) <= limit:
            low = middle
        else:
            high = middle - 1
    piece = encode_piece(pixels, AV1_QUALITIES[low], exact=exact)
    return decode_piece(piece, width, height) if len(piece) <= limit else np.zeros_like(pixels)
