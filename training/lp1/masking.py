"""Steps that follow the activity of a place: `latentpress.entropy.masking` in torch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.grids import LOG_STEP

# As in the package: a test holds them equal.
STRENGTH, SHIFT, FLOOR, REACH, MOST = 152, 14, 3840, 2, 64
REFERENCE = (3092, 3112, 3155, 3223, 3306, 3387, 3471)


def step_factor(sigma: Tensor, reference: Tensor) -> Tensor:
    """By how much finer the steps of a place are than the quality's.

    Args:
        sigma: (N, C, h, w) of all positions in steps of the quality, as the side information
            gives them. No gradient flows through it.
        reference: (N,) the level of activity, log2 in 1/256, at which steps are the quality's.

    Returns:
        (N, 1, h, w), between 1 / 2.45 and 2.45.
    """
    bits = 0.5 * torch.log2(1 + sigma.detach().square()).sum(1, keepdim=True)
    activity = 64 * bits + FLOOR
    power = torch.log2(activity).floor()
    level = 256 * (power + activity / torch.exp2(power) - 1)  # linear between powers of 2
    side = 2 * REACH + 1
    near = F.avg_pool2d(F.pad(level, (REACH,) * 4, mode="replicate"), side, 1)
    eighths = (reference[:, None, None, None] - near) * (side**2 * STRENGTH / 2**SHIFT)
    return torch.exp(eighths.round().clamp(-MOST, MOST) * (LOG_STEP / 8))
