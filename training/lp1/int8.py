"""Transforms in int8, as they are trained for it: what `latentpress.runtimes.quantize` does.

Convolutions of the residual blocks at an eighth of the picture's sides and coarser read bytes, with
one scale a tensor, and weights of 7 bits, with one scale an output channel. What they give is
rounded to bytes again, after a ReLU where one follows. Rounding has the gradient of the identity,
limits learn (Esser et al. 2020, arXiv:1902.08153). Sums are those of integers, exactly.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.grids import ste_round
from training.lp1.limits import LEVELS, least_error_limits
from training.precision import float32

WEIGHT_MAX = 63  # as of the package, for processors that add pairs of products in 16 bits
COARSEST = 8  # pixels of a position, from which on blocks are in int8
LEAST = 1e-6  # a limit that is 0, whose logarithm would not be a number
SAMPLES = 4000  # numbers of a tensor and batch that limits begin with


class Bytes(nn.Module):
    """The limits of a convolution's input and output, which learn.

    Args:
        rounds_output: Whether what it gives is rounded. Not where a ReLU follows: the convolution
            after it reads the same tensor.

    Attributes:
        limits: (4,) logarithms: of minus the input's lowest, its highest, the output's likewise.
        seen: Samples of input and output while limits are measured, else None.
    """

    def __init__(self, rounds_output: bool) -> None:
        super().__init__()
        self.limits = nn.Parameter(torch.zeros(4))
        self.rounds_output = rounds_output
        self.seen: tuple[list[Tensor], list[Tensor]] | None = None

    def convolve(self, x: Tensor, conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> Tensor:
        """The convolution of x (N, C, H, W), float32."""
        with float32(x.device.type):
            x = x.float()
            if self.seen is not None:
                return self._watched(x, conv, weight, bias, self.seen)
            levels, step = self._levels(x, 0)
            rows, scale = weight_levels(weight)
            y = F.conv2d(levels, rows, None, conv.stride, conv.padding, groups=conv.groups)
            y = y * (step * scale)[:, None, None] + bias[:, None, None]
            if not self.rounds_output:
                return y
            levels, step = self._levels(y, 2)
            return levels * step

    def _levels(self, x: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """x in whole steps, and the step (), between the limits from number `first` on."""
        share = 1 / math.sqrt(x.numel() * LEVELS)  # of the gradient, which sums over all of x
        logs = self.limits[first : first + 2]
        logs = logs * share + (logs * (1 - share)).detach()
        below, above = logs.exp().unbind()
        step = (below + above) / LEVELS
        lowest = -(below / step).detach().round()
        return ste_round(x / step).maximum(lowest).minimum(lowest + LEVELS), step

    def _watched(
        self,
        x: Tensor,
        conv: nn.Conv2d,
        weight: Tensor,
        bias: Tensor,
        seen: tuple[list[Tensor], list[Tensor]],
    ) -> Tensor:
        y = F.conv2d(x, weight, bias, conv.stride, conv.padding, groups=conv.groups)
        for t, kept in zip((x, y), seen, strict=True):
            flat = t.detach().flatten()
            index = torch.randint(len(flat), (SAMPLES,), device=flat.device)
            kept.append(torch.cat([flat[index], flat.aminmax()[0][None], flat.amax()[None]]).cpu())
        return y

    @torch.no_grad()
    def begin(self) -> None:
        """Take limits from what was seen."""
        assert self.seen is not None
        numbers: list[float] = []
        for kept in self.seen:
            low, high = least_error_limits(np.asarray(torch.cat(kept)))
            numbers += [math.log(max(-low, LEAST)), math.log(max(high, LEAST))]
        self.limits.copy_(torch.tensor(numbers))
        self.seen = None


def weight_levels(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(O, I, H, W) -> its levels, the same shape, and the scale of each output (O,)."""
    scale = weight.detach().abs().amax((1, 2, 3)).clamp_min(1e-12) / WEIGHT_MAX
    return ste_round(weight / scale[:, None, None, None]), scale


def begin_int8(net: nn.Module, pictures: list[Tensor], levels: list[Tensor]) -> None:
    """Measure the limits that int8 begins with.

    Args:
        net: A `Codec` whose shape asks for int8.
        pictures: (n, 3, H, W) in [0, 1] each.
        levels: (n,) of the quality, for each of them.
    """
    found = [m for m in net.modules() if isinstance(m, Bytes)]
    for one in found:
        one.seen = ([], [])
    with torch.no_grad():
        for x, level in zip(pictures, levels, strict=True):
            net(x * 2 - 1, level, True)
    for one in found:
        one.begin()


def limits_of(net: nn.Module) -> dict[str, dict[str, list[float]]]:
    """{convolution: {"input": [low, high], "output": [low, high]}}, as ranges.json has them."""
    out: dict[str, dict[str, list[float]]] = {}
    for name, one in net.named_modules():
        if isinstance(one, Bytes):
            low, high, under, over = one.limits.detach().exp().tolist()
            ends = {"input": (-low, high), "output": (-under, over)}
            out[name.removesuffix(".bytes")] = {
                end: [float(f"{v:.5g}") if abs(v) > 2 * LEAST else 0.0 for v in pair]
                for end, pair in ends.items()
            }
    for name, limits in out.items():
        after = out.get(f"{name.removesuffix('.a')}.b")
        conv = net.get_submodule(name)
        if name.endswith(".a") and after and not conv.bytes.rounds_output:  # a ReLU between
            limits["output"] = list(after["input"])
    return out
