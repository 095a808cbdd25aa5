"""A conditional patch discriminator: does this place look like a photograph, given its latent?

As in HiFiC (Mentzer et al. 2020, arXiv:2006.09965), with the level of the quality as a further
input. It learns in `training.lp1.learner`, only where a loss gives `adversarial` a weight.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from training.precision import float32

CONDITION = 12  # channels that the latent is mapped to
PATCH = 16  # pixels of an answer
BETAS = (0.5, 0.9)  # of its Adam, as in MS-ILLM (Muckley et al. 2023, arXiv:2301.11189)
FLAT = 0.02  # standard deviation of a patch, of 1, at which it counts half


class Discriminator(nn.Module):
    """Logits of patches of PATCH x PATCH pixels: above 0 for an original.

    Args:
        latent: Channels of y_hat.
        width: Channels of the first layer; the following have two, four and eight times as many.
    """

    def __init__(self, latent: int, width: int = 64) -> None:
        super().__init__()
        self.condition = nn.Conv2d(latent, CONDITION, 3, 1, 1)
        widths = [3 + CONDITION + 1, width, 2 * width, 4 * width, 8 * width]
        down = [spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(widths)]
        self.down = nn.ModuleList(down)
        self.out = nn.Conv2d(widths[-1], 1, 1)

    def forward(self, x: Tensor, y_hat: Tensor, level: Tensor) -> Tensor:
        """Judge pictures.

        Args:
            x: (N, 3, 16 h, 16 w) in [0, 1].
            y_hat: (N, M, h, w), the decoded latent. No gradient flows to it.
            level: (N,) in [0, 1], of the quality.

        Returns:
            (N, 1, h, w) logits, float32.
        """
        c = F.leaky_relu(self.condition(y_hat.detach()), 0.2)
        c = F.interpolate(c, scale_factor=PATCH, mode="nearest")
        plane = level[:, None, None, None].expand(-1, 1, *x.shape[2:])
        t = torch.cat([x * 2 - 1, c.to(x.dtype), plane.to(x.dtype)], 1)
        for layer in self.down:
            with float32(t.device.type):
                weight = layer.weight  # divided by its largest singular value
            t = F.leaky_relu(F.conv2d(t, weight, layer.bias, 2, 1), 0.2)
        return self.out(t).float()


def liveliness(x: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, 1, h, w) in [0, 1): near 0 in patches that are flat."""
    mean = F.avg_pool2d(x, PATCH)
    variance = (F.avg_pool2d(x.square(), PATCH) - mean.square()).clamp_min(0)
    of_patch = variance.mean(1, keepdim=True)
    return of_patch / (of_patch + FLAT**2)


def deceiving(logits: Tensor, text: Tensor, x: Tensor) -> Tensor:
    """What synthesis minimizes, (N,): the non-saturating loss of its patches.

    Args:
        logits: (N, 1, h, w) of reconstructions.
        text: (N, 1, H, W) mask in [0, 1]: letters are never redrawn.
        x: (N, 3, H, W) in [0, 1], the originals: what is flat there stays flat.
    """
    weight = (1 - F.max_pool2d(text, PATCH)) * liveliness(x)
    return (F.softplus(-logits) * weight).mean((1, 2, 3))


def telling_apart(real: Tensor, made: Tensor) -> Tensor:
    """What the discriminator minimizes, a scalar: its error on originals and reconstructions."""
    return (F.softplus(-real) + F.softplus(made)).mean()
