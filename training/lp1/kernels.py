"""Holds the losses' own kernels against torch's before a run."""

from functools import partial

import torch
from torch import Tensor

from training.losses.kernels import Kernels
from training.losses.layer_distance import LayerDistance
from training.losses.trunks import rectified
from training.lp1.capture import reason
from training.lp1.speed import REPEATS, median_seconds

OFF = 0.01  # largest relative difference; bfloat16 rounds by less
WIDTHS = (64, 128, 192, 256, 384, 512)  # channels of maps of AlexNet and VGG16
LARGEST_MAP = (20, 64, 256)  # pictures, channels, side: what kernels are timed on
Maps = tuple[Tensor, Tensor, Tensor, Tensor]


def choose_kernels(device: str) -> str:
    """Let losses take their own kernels where these give what torch gives, in less time.

    Returns:
        What was found, for the log.
    """
    times = {}
    try:
        for channels in WIDTHS:
            _compare(_maps(device, 3, channels, 13))
        maps = _maps(device, *LARGEST_MAP)
        _compare(maps)
        for fused in (True, False):
            job = partial(_layer, fused, maps)
            times[fused] = 1000 * median_seconds(job, device, REPEATS)
    except Exception as error:  # of Triton, its compiler, the driver
        Kernels.fused = False
        return f"losses: torch's kernels ({reason(error)})"
    Kernels.fused = times[True] < times[False]
    chosen = "their own" if Kernels.fused else "torch's"
    return f"losses: own kernels {times[True]:.2f} ms, torch's {times[False]:.2f}: {chosen}"


def _maps(device: str, n: int, channels: int, side: int) -> Maps:
    """Two random maps, one of them before its ReLU; LPIPS's weights, and biases."""
    shape = (n, side, side, channels)
    f, g = (torch.randn(shape, device=device).bfloat16().permute(0, 3, 1, 2) for _ in range(2))
    bias = torch.randn(channels, device=device).bfloat16()
    return f.relu(), g, torch.rand(channels, device=device), bias


def _layer(fused: bool, maps: Maps) -> tuple[Tensor, Tensor, Tensor]:
    """A map's ReLU, the distances to the other, and the gradient of their sum."""
    Kernels.fused = fused
    f, g, w, bias = maps
    g = g.detach().requires_grad_()
    own = rectified(g * 1, bias)
    found = LayerDistance.apply(own, f, w)
    (gradient,) = torch.autograd.grad(found.sum(), g)
    return own.detach(), found.detach(), gradient


def _compare(maps: Maps) -> None:
    """Raise FloatingPointError where the kernels give something else than torch does."""
    for a, b in zip(_layer(True, maps), _layer(False, maps), strict=True):
        off = float((a.float() - b.float()).norm() / b.float().norm())
        if not off < OFF:
            raise FloatingPointError(f"off by {off:.2g} at {maps[0].shape[1]} channels")
