"""Convolutions that see their inputs less the inputs' means.

The maps of the deep paths are not about zero. Muon's steps are as large in every direction of a
weight, and in the direction of the inputs' means a step moves an output everywhere at once. Where a
residual block does harm early in training, all its channels are moved below zero together, and ReLU
never lets them back. A weight times the inputs less their means is the same function with another
bias, and its steps leave the mean of an output where it is; the bias alone moves that.
"""

import torch
from torch import Tensor, nn

from training.lp1.blocks import Conv
from training.precision import bfloat16


def centered(net: nn.Module) -> list[Conv]:
    """The convolutions that see their inputs less their means."""
    return [m for m in net.modules() if isinstance(m, Conv) and hasattr(m, "mean")]


def has_centers(net: nn.Module) -> bool:
    """Whether the means of a centered network were measured."""
    return any(bool(conv.mean.any()) for conv in centered(net))


@torch.no_grad()
def begin_centers(net: nn.Module, pictures: list[Tensor], levels: list[Tensor]) -> None:
    """Measure the means, and change the biases so that the network computes what it did.

    Args:
        net: A `Codec` whose shape is centered.
        pictures: (n, 3, H, W) in [0, 1] each.
        levels: (n,) of the quality, for each of them.
    """
    found = centered(net)
    sums = [torch.zeros_like(conv.mean, dtype=torch.float64) for conv in found]
    counts = [0] * len(found)

    def watch(i: int, x: Tensor) -> None:
        sums[i] += x.double().sum((0, 2, 3))
        counts[i] += x[:, 0].numel()

    hooks = [
        conv.register_forward_pre_hook(lambda _, inputs, i=i: watch(i, inputs[0]))
        for i, conv in enumerate(found)
    ]
    for x, level in zip(pictures, levels, strict=True):
        with bfloat16(x.device.type):  # the convolutions that a step will run
            net(x * 2 - 1, level, True)
    for hook in hooks:
        hook.remove()
    for conv, total, count in zip(found, sums, counts, strict=True):
        _, before = conv.folded()
        conv.mean.copy_(total / count)
        conv.bias += before - conv.folded()[1]
