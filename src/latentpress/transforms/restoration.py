"""Before stage 2 of 5 of decoding, Stable Diffusion spaces: a small network over the latent grid
restores what rounding took away.

    z = y_hat + step x f(y_hat, log step)

z is a latent of the same space, and any decoder of the family takes it. Weights
(`models/SPACE/restoration.onnx`) have a number, which a file that wants them carries in its chunk;
without them, or without the chunk, z = y_hat. Floats, after all integers: no part of exactness.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from latentpress import models
from latentpress._typing import Floats
from latentpress.container import RESTORATION
from latentpress.spaces import COARSEST, FINEST, Space, step_size
from latentpress.transforms.tiling import TILE_POSITIONS, strips, tile_columns, with_halo

FILE = "restoration.onnx"
NUMBER = 1  # of the shipped weights; others get other numbers
HALO = 8  # latent positions that an output sees on each side
LOG_MIDDLE = math.log(COARSEST * FINEST) / 2
LOG_HALF = math.log(COARSEST / FINEST) / 2


def is_shipped(space: Space) -> bool:
    """Whether a space has weights."""
    return FILE in models.manifest(space.name)["sha256"]


def chunks(space: Space) -> dict[int, bytes]:
    """What the encoder adds to a file: the chunk that asks for the shipped weights, where there are
    any.
    """
    return {RESTORATION: bytes([NUMBER])} if is_shipped(space) else {}


def is_wanted(space: Space, file_chunks: Mapping[int, bytes]) -> bool:
    """Whether a file asks for the shipped weights; others are done without, as by older readers."""
    return file_chunks.get(RESTORATION) == bytes([NUMBER]) and is_shipped(space)


def restore_wanted(
    space: Space, y_hat: Iterator[Floats], quality: float, file_chunks: Mapping[int, bytes]
) -> Iterator[Floats]:
    """Strips of y_hat (C, r, w) -> strips of the latent that the synthesis takes: of z where the
    file asks for the shipped weights, else y_hat as it is.
    """
    return restore(space, y_hat, quality) if is_wanted(space, file_chunks) else y_hat


def condition(quality: float) -> float:
    """What the network is told of the step: its logarithm, -1 at quality 100 to 1 at 0."""
    return (math.log(step_size(quality)) - LOG_MIDDLE) / LOG_HALF


def restore(space: Space, latent: Iterable[Floats], quality: float) -> Iterator[Floats]:
    """Strips of y_hat (C, r, w) -> strips of z. Tiles overlap by HALO, so that the result is that
    of the whole latent.
    """
    y_hat = np.concatenate(list(latent), axis=1)
    channels, h, w = y_hat.shape
    step = np.float32(step_size(quality))
    condition_value = np.float32(condition(quality))
    for first, end in strips(h):
        low, high = with_halo(first, end, HALO, h)
        z = y_hat[:, first:end].copy()
        for left, right in tile_columns(high - low, w, HALO, TILE_POSITIONS):
            a, b = with_halo(left, right, HALO, w)
            x = np.full((1, channels + 1, high - low, b - a), condition_value)
            x[0, :channels] = y_hat[:, low:high, a:b]
            f = models.run(space.name, FILE, x=x)[0][0]
            z[:, :, left:right] += step * f[:, first - low : end - low, left - a : right - a]
        yield z
