"""Visual masking: steps are coarser where much goes on and finer where little does, by rules that
the decoder knows.

An error shows less in a busy place than in a calm one, and so do metrics that divide by contrast
measure it (LPIPS, DISTS). The decoder knows how busy a place is before the first symbol of y, from
the scales that the side information gives; so nothing is sent. Video encoders call this adaptive
quantization (x264's AQ); JPEG 2000's visual masking (Zeng, Daly and Lei 2002) also derives it from
what the decoder has.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Ints
from latentpress.entropy import cdf_tables
from latentpress.entropy.integers import round_shift
from latentpress.entropy.quantizer import interpolate

# Per level: a step grows as the activity to the power of STRENGTH / 127, 1.2 at low rates. At high
# ones errors show in busy places too.
STRENGTH = np.array([[152], [152], [152], [152], [105], [80], [75]])
# Per level: log2(activity) in 1/256 at which the step equals the quality's own step.
REFERENCE = np.array([[3092], [3112], [3155], [3223], [3315], [3403], [3487]])
SHIFT = 14
FLOOR = 3840  # added to the activity: 60 bits a position
REACH = 2  # positions each way over which the activity is averaged
MOST = 64  # eighths of a scale: steps change by a factor of 2.45 at most, either way


def shifts(activity: Ints, quality: float) -> NDArray[np.int64]:
    """How much finer the steps of each position are than the quality's, in eighths of a scale:
    (h, w), within +-MOST.

    activity: (h, w) of `planes.activity`, in 1/64 bit.
    """
    raised = activity.astype(np.int64) + FLOOR
    exponent = np.frexp(raised.astype(np.float64))[1].astype(np.int64) - 1
    # log2 in 1/256, linear between powers of 2
    level = 256 * exponent + (raised >> (exponent - 8)) - 256
    side, (h, w) = 2 * REACH + 1, level.shape
    padded = np.pad(level, REACH, mode="edge")
    of_rows = np.sum([padded[y : y + h] for y in range(side)], axis=0)
    window_sums = np.sum([of_rows[:, x : x + w] for x in range(side)], axis=0)
    reference = int(interpolate(REFERENCE, quality)[0]) * side**2
    strength = int(interpolate(STRENGTH, quality)[0])
    return np.clip(round_shift((reference - window_sums) * strength, SHIFT), -MOST, MOST)


def estimate(v: Floats, quality: float) -> NDArray[np.float64]:
    """An estimate of `shifts` at n positions, (n,), from the latent itself instead of the scales.

    v: (C, n) values about their channels' means, in steps of the quality.
    """
    activity = 64 * 0.5 * np.log2(1 + np.square(v)).sum(0, dtype=np.float64) + FLOOR
    reference, strength = (float(interpolate(a, quality)[0]) for a in (REFERENCE, STRENGTH))
    shift: NDArray[np.float64] = (
        (reference - 256 * np.log2(activity)) * (2 * REACH + 1) ** 2 * strength / (1 << SHIFT)
    )
    return np.clip(shift, -MOST, MOST)


def step_factor(shift: NDArray[Any]) -> Floats:
    """The quality's step / the local step, of the shape of shift: the local step is finer by
    `shift` eighths of a scale.
    """
    return np.power(cdf_tables.SCALE_RATIO, (shift / 8).astype(np.float32))
