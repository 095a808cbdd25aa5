"""How large a file will be, about, before one is written: what leads the probes for a size target.

A symbol of v steps about its channel's mean costs about log2(1 + k v^2) / 2 bits, as under a
Gaussian of that deviation. So the bytes of a picture follow from its latent and the gains of the
quality; where steps follow the activity, they are estimated from the latent too. k and an exponent
of the bytes account for what the prior predicts better than that Gaussian.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.container import LATENT_MASKED, LATENT_MULTISTAGE, LATENT_TRELLIS
from latentpress.entropy import masking
from latentpress.options import QUALITY_UNIT, TOP_STEP
from latentpress.parts import parts_of
from latentpress.screen.encoder import ScreenLayer
from latentpress.spaces import Space

# (k, exponent). The multistage prior's k = 2 pi e exp(1.27), as the mean of log v^2 over a Gaussian
# is log sigma^2 - 1.27. lp1's are fitted on files of 13 held-out training images, where the
# estimate is off by 13 % (LATENT_TRELLIS) and 16 % (LATENT_MASKED), root mean square.
FITTED = {LATENT_TRELLIS: (7.5, 1.18), LATENT_MASKED: (7.5, 1.10), LATENT_MULTISTAGE: (60.8, 1.0)}
LEVELS = range(0, 101, 10)  # qualities at which it is computed; linear in between
LAYER_LEVELS = (0, 50, 100)  # those of a layer, for each of which it is written
POSITIONS = 1024  # latent positions of a strip that are looked at, evenly spread, at most


def log_sizes(strips: Iterable[Floats], space: Space, kind: int) -> NDArray[np.float64]:
    """The logarithm of a latent chunk's bytes, about, at each step of the quality grid: (10001,)
    float64, rising.

    strips: the latent (C, r, w) float32. kind: the chunk's type.
    """
    k, exponent = FITTED[kind]
    gains = [np.ravel(parts_of(space).coder(kind, quality).gain)[:, None] for quality in LEVELS]
    bits = np.zeros(len(gains))
    positions = 0
    for strip in strips:
        every = math.ceil((strip[0].size / POSITIONS) ** 0.5)
        v = strip[:, ::every, ::every].reshape(len(strip), -1).astype(np.float32)
        v -= v.mean(1, keepdims=True)
        share = strip[0].size / v.shape[1]
        for i, (quality, gain) in enumerate(zip(LEVELS, gains, strict=True)):
            steps = v * gain
            if kind == LATENT_MASKED:
                steps *= masking.step_factor(masking.estimate(steps, quality))
            bits[i] += share * 0.5 * float(np.log2(1 + k * np.square(steps)).sum(dtype=np.float64))
        positions += strip[0].size
    a_position = np.maximum.accumulate(np.maximum(bits / 8 / positions, 1e-6))
    curve = np.log(positions) + exponent * np.log(a_position)
    grid = np.arange(TOP_STEP + 1) / QUALITY_UNIT
    return np.interp(grid, LEVELS, curve) + 1e-9 * grid


def layer_log_sizes(layer: ScreenLayer) -> NDArray[np.float64]:
    """The logarithm of a screen layer's bytes, about, at each step of the quality grid: (10001,)
    float64, rising.
    """
    chunks = [layer.chunks(quality) for quality in LAYER_LEVELS]
    sizes = [max(1, sum(map(len, bodies.values()))) for bodies in chunks]
    grid = np.arange(TOP_STEP + 1) / QUALITY_UNIT
    curve = np.interp(grid, LAYER_LEVELS, np.maximum.accumulate(np.log(sizes)))
    return np.asarray(curve + 1e-9 * grid)
