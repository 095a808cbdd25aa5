"""Wasserstein distortion of feature maps: local means and deviations instead of values.

Qiu, Balle and others (arXiv:2310.03629), as a training loss in Balle and others (arXiv:2412.00505):
two maps are alike where, about every place, their values have the same mean and the same standard
deviation, so that texture need not be the same but must look alike. The size of "about" is sigma.
Written from the papers.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST = 1e-3  # added to a variance before its root, whose slope would be infinite at 0


def halve(t: Tensor) -> Tensor:
    """(N, C, h, w) -> half the resolution, under the binomial filter (1, 2, 1) / 4 each way.

    Two 2 x 2 means after each other are that filter. Edges are repeated; h and w at least 2.
    """
    t = F.pad(t, (1, 0, 1, 0), mode="replicate")
    t = F.avg_pool2d(t, 2, 1)
    t = F.pad(t, (0, 1, 0, 1), mode="replicate")
    return F.avg_pool2d(t, 2, 2, ceil_mode=False)


def statistics(f: Tensor, level: int) -> tuple[Tensor, Tensor]:
    """Local means and standard deviations of f (N, C, h, w) in windows of about 2^level.

    Returns:
        Two maps of 1 / 2^level of the resolution, float32.
    """
    mean = f.float()
    square = mean.square()
    for _ in range(level):
        mean, square = halve(mean), halve(square)
    variance = (square - mean.square()).clamp_min(0)
    return mean, (variance + LEAST).sqrt() - math.sqrt(LEAST)


def wasserstein(f: Tensor, g: Tensor, level: int, exact: Tensor | None = None) -> Tensor:
    """Wasserstein distortion of two maps.

    Args:
        f, g: (N, C, h, w), of the original and of the reconstruction.
        level: log2 of sigma in positions of the map. At 0 it is the mean squared error. It is
            lowered where the map is too small for it.
        exact: (N, 1, H, W) in [0, 1], where sigma is 0 instead (text). H and W whole multiples of
            h and w.

    Returns:
        (N,): the mean over positions and channels of the squared differences of the local means
        and of the local deviations.
    """
    level = min(level, int(math.log2(min(f.shape[2:]))))
    if level == 0:
        return (f.float() - g.float()).square().mean((1, 2, 3))
    with torch.no_grad():
        mean_f, deviation_f = statistics(f, level)
    mean_g, deviation_g = statistics(g, level)
    local = (mean_f - mean_g).square() + (deviation_f - deviation_g).square()
    if exact is None:
        return local.mean((1, 2, 3))
    fine = F.adaptive_avg_pool2d(exact, f.shape[2:])
    coarse = F.adaptive_avg_pool2d(exact, local.shape[2:])
    there = ((f.float() - g.float()).square().mean(1, keepdim=True) * fine).mean((1, 2, 3))
    return there + (local.mean(1, keepdim=True) * (1 - coarse)).mean((1, 2, 3))


def levels_of(strides: list[int], sigma: float) -> list[int]:
    """log2 of sigma, which is in pixels, in positions of maps of these strides; at least 0."""
    return [max(0, round(math.log2(sigma / stride))) for stride in strides]
