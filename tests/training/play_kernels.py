"""Compares the losses' own kernels with torch's, and prints what it finds as JSON.

It runs in a process of its own, with TRITON_INTERPRET=1, which Triton reads when it is imported.
"""

import json

import torch

from training.losses.kernels import Kernels
from training.losses.layer_distance import LayerDistance
from training.losses.trunks import Trunk, random_weights
from training.lp1 import kernels

CASES = (
    ((3, 6, 5, 7), torch.float32),
    ((2, 24, 65, 70), torch.float32),
    ((1, 192, 9, 11), torch.bfloat16),
)


def compared(shape: tuple[int, ...], dtype: torch.dtype) -> dict[str, float]:
    """The largest difference of the distances; that of the gradients, relative, in its norm."""
    generator = torch.Generator().manual_seed(0)
    last = torch.channels_last
    maps = [torch.randn(shape, generator=generator).relu() for _ in range(2)]
    f, g = (t.to(dtype, memory_format=last) for t in maps)
    f[:, :, 0, 0] = 0
    g[:, :, 0, :2] = 0
    w = torch.rand(shape[1], generator=generator)
    each = torch.tensor([[1.0], [0.3]]) * torch.arange(1.0, len(f) + 1)
    found = []
    for fused in (True, False):
        Kernels.fused = fused
        own = g.detach().requires_grad_()
        distances = LayerDistance.apply(own, f, w)
        (gradient,) = torch.autograd.grad((distances * each).sum(), own)
        assert gradient.dtype == dtype
        assert gradient.is_contiguous(memory_format=last)
        assert gradient.isfinite().all()
        found.append((distances.detach(), gradient.float()))
    (distances, gradient), (want, wanted) = found
    # Where a map is 0 everywhere LPIPS has a kink: its gradient there, which is cut, says nothing.
    off = (gradient - wanted)[:, :, 1:].norm() / wanted[:, :, 1:].norm()
    return {"distances": float((distances - want).abs().max()), "gradients": float(off)}


def features() -> float:
    """The largest relative difference of the maps of both trunks, and of their gradients."""
    weights = random_weights(16)
    offs = []
    for net in ("alex", "vgg"):
        trunk = Trunk(net, weights, "cpu", torch.float32)
        trunk.biases = [torch.randn(t.shape) * 0.1 for t in trunk.biases]
        found = []
        for fused in (True, False):
            Kernels.fused = fused
            x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
            maps = trunk(x.requires_grad_())
            (gradient,) = torch.autograd.grad(sum(t.square().sum() for t in maps), x)
            found.append([*(t.detach() for t in maps), gradient])
        offs += [float((a - b).norm() / b.norm()) for a, b in zip(*found, strict=True)]
    return max(offs)


def chosen(milliseconds: float) -> tuple[str, bool]:
    """What is told and taken where the kernels take so long and torch half a millisecond."""
    times = iter((milliseconds / 1000, 0.0005))
    kernels.median_seconds = lambda *_: next(times)
    return kernels.choose_kernels("cpu"), Kernels.fused


if __name__ == "__main__":
    kernels.WIDTHS, kernels.LARGEST_MAP = (24,), (1, 8, 8)
    result = {"compared": [compared(*case) for case in CASES]}
    result["features"] = features()
    result["slow"], result["fast"] = chosen(2.0), chosen(0.1)
    kernels.OFF = 0.0
    result["wrong"] = chosen(0.1)
    print(json.dumps(result))
