"""Compares Triton's kernels of the layers' distances with torch, and prints what it finds as JSON.

It runs in a process of its own, with TRITON_INTERPRET=1, which Triton reads when it is imported.
"""

import json

import torch

from training.losses.layer_distance import Kernels, LayerDistance
from training.lp1 import speed

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


def chosen(milliseconds: float) -> tuple[str, bool]:
    """What is told and taken where the kernels take so long and torch half a millisecond."""
    times = iter((milliseconds / 1000, 0.0005))
    speed.median_seconds = lambda *_: next(times)
    return speed.choose_kernels("cpu"), Kernels.fused


if __name__ == "__main__":
    speed.WIDTHS, speed.LARGEST_MAP = (24,), (1, 8, 8)
    result = {"compared": [compared(*case) for case in CASES]}
    result["slow"], result["fast"] = chosen(2.0), chosen(0.1)
    speed.KERNELS_OFF = 0.0
    result["wrong"] = chosen(0.1)
    print(json.dumps(result))
