"""Distances of pixels. x, x_hat: (N, 3, H, W), x in [0, 1], x_hat about it. Each gives (N,)."""

import torch.nn.functional as F
from torch import Tensor

INSIDE = (-0.3, 1.3)  # beyond it a reconstruction is clipped anyway and only drawn back
DRAW = 0.01


def squared_error(x: Tensor, x_hat: Tensor) -> Tensor:
    """Mean squared error; far outside the range of x a slight linear pull instead."""
    inside = x_hat.clamp(*INSIDE)
    outside = (x_hat - inside).abs().clamp(max=5).mean((1, 2, 3))
    return (inside - x).square().mean((1, 2, 3)) + DRAW * outside


def text_error(x: Tensor, x_hat: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute error inside a text mask (N, 1, H, W), as a share of all pixels."""
    return ((x_hat - x).abs() * mask).mean((1, 2, 3))


def coarse_error(x: Tensor, x_hat: Tensor, scales: int = 5) -> Tensor:
    """Multi-resolution L1: mean absolute error of means over 2, 4, ... 2^scales pixels a side.

    It keeps colors and brightness from drifting over areas (PICO, arXiv:2605.05148).
    """
    difference = x_hat - x
    total = difference.new_zeros(len(x))
    for _ in range(scales):
        difference = F.avg_pool2d(difference, 2)
        total = total + difference.abs().mean((1, 2, 3))
    return total / scales
