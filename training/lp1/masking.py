"""Steps that follow the activity of a place: `latentpress.entropy.masking` in torch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.grids import LOG_STEP

# As in the package: a test holds them equal.
SHIFT, FLOOR, REACH, MOST = 14, 3840, 2, 64
STRENGTH = (152, 152, 152, 152, 105, 80, 75)
REFERENCE = (3092, 3112, 3155, 3223, 3315, 3403, 3487)


def step_factor(sigma: Tensor, reference: Tensor, strength: Tensor) -> Tensor:
    """By how much finer the steps of a place are than the quality's.

    Args:
        sigma: (N, C, h, w) of all positions in steps of the quality, as the side information
            gives them. No gradient flows through it.
        reference: (N,) the level of activity, log2 in 1/256, at which steps are the quality's.
        strength: (N,) the power of the activity that steps grow with, in 1/127.

    Returns:
        (N, 1, h, w), between 1 / 2.45 and 2.45.
    """
    bits = 0.5 * torch.log2(1 + sigma.detach().square()).sum(1, keepdim=True)
    activity = 64 * bits + FLOOR
    power = torch.log2(activity).floor()
    level = 256 * (power + activity / torch.exp2(power) - 1)  # linear between powers of 2
    side = 2 * REACH + 1
    near = F.avg_pool2d(F.pad(level, (REACH,) * 4, mode="replicate"), side, 1)
    reference, strength = (t[:, None, None, None] for t in (reference, strength))
    eighths = (reference - near) * strength * (side**2 / 2**SHIFT)
    return torch.exp(eighths.round().clamp(-MOST, MOST) * (LOG_STEP / 8))
