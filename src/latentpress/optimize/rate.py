"""Estimated bits of symbols under the prior's Gaussians, with gradients."""

import math
from typing import Any

import torch

from latentpress._typing import Tensor


class LowerBound(torch.autograd.Function):  # type: ignore[misc]  # torch is not seen by mypy
    """max(t, 0) whose gradient also passes where it would lift t to the bound."""

    @staticmethod
    def forward(ctx: Any, t: Tensor) -> Tensor:
        """(any shape) -> the same shape."""
        ctx.save_for_backward(t)
        return t.clamp_min(0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The gradient where t is above the bound, or where descent would raise t; else 0."""
        (t,) = ctx.saved_tensors
        return gradient * ((t >= 0) | (gradient < 0))


def gaussian_bits(v: Tensor, sigma: Tensor) -> Tensor:
    """Bits of v under a zero-mean Gaussian integrated over [v - 1/2, v + 1/2].

    v: symbols, whole or relaxed. sigma: in steps. Both, and the result, of one shape.
    """
    v = v.abs()
    above = torch.special.log_ndtr((0.5 - v) / sigma)
    below = torch.special.log_ndtr((-0.5 - v) / sigma)
    return -(above + torch.log(-torch.expm1(below - above))) / math.log(2)
