"""The grids of the exact integer priors, as torch sees them, and the bits of a symbol.

A prior's probability is a function of integers only. The layers in torch imitate that arithmetic:
activations lie on the grid of `act`, scales on that of `table_sigma`. Nothing here needs the
package latentpress: machines that train have torch and little else.
"""

import math
from typing import Any

import torch
from torch import Tensor

SIGMA_MIN, SIGMA_MAX, SCALES = 0.11, 128.0, 64
LOG_STEP = math.log(SIGMA_MAX / SIGMA_MIN) / (SCALES - 1)  # of neighboring scales, in nats
ACT, ACT_MAX = 32, 255  # hidden activations: integers 0..255, in units of 1/32
WHITE, WHITE_MAX = 16, 127  # whitened symbols: integers -127..127, in units of 1/16
Z_MAX = 127


class LowerBound(torch.autograd.Function):
    """max(t, 0) whose gradient also passes where it would lift t to the bound."""

    @staticmethod
    def forward(ctx: Any, t: Tensor) -> Tensor:
        """(any shape) -> the same shape."""
        ctx.save_for_backward(t)
        return t.clamp_min(0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The gradient, but for what would push t further below the bound."""
        (t,) = ctx.saved_tensors
        return gradient * ((t >= 0) | (gradient < 0))


def ste_round(t: Tensor) -> Tensor:
    """Round in the forward pass, identity in the backward pass."""
    return t + (t.round() - t).detach()


def act(t: Tensor) -> Tensor:
    """Clipped ReLU on the grid of the hidden activations."""
    return ste_round((t.float() * ACT).clamp(0, ACT_MAX)) / ACT


def gaussian_bits(v: Tensor, sigma: Tensor) -> Tensor:
    """Bits of v under a zero-mean Gaussian integrated over unit bins. Any shape, float32."""
    v = v.abs()
    phi = lambda t: 0.5 * torch.erfc(-t / math.sqrt(2))
    return -torch.log2((phi((0.5 - v) / sigma) - phi((-0.5 - v) / sigma)).clamp_min(1e-9))


def table_sigma(log_sigma: Tensor, hard: bool) -> Tensor:
    """exp(log sigma) inside the tables' range; on the tables' grid when hard."""
    index = LowerBound.apply((log_sigma - math.log(SIGMA_MIN)) / LOG_STEP).clamp(max=SCALES - 1)
    return torch.exp((index.round() if hard else index) * LOG_STEP + math.log(SIGMA_MIN))


def skipped(sigma: Tensor) -> Tensor:
    """True where the table is the least one: such a symbol is 0 and not coded."""
    return sigma < SIGMA_MIN * math.exp(LOG_STEP / 2)
