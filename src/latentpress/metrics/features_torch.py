"""Feature maps on torch, for machines that have it and not onnx, and for those who want their
gradients.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from latentpress._typing import Floats
from latentpress.metrics.trunks import HANN, L2_EPSILON, Features, Trunk
from latentpress.metrics.weights import load_network


def build(trunk: Trunk) -> Features:
    """The trunk as a function on arrays (1, 3, H, W), any H and W."""
    maps_of = build_differentiable(trunk)

    def features(image: Floats) -> list[Floats]:
        with torch.inference_mode():
            return [t.numpy() for t in maps_of(torch.from_numpy(np.ascontiguousarray(image)))]

    return features


def build_differentiable(trunk: Trunk) -> Callable[[torch.Tensor], list[torch.Tensor]]:
    """The trunk as a function on tensors (N, 3, H, W), with gradients."""
    layers = [
        (torch.tensor(kernel), torch.tensor(bias))
        for kernel, bias in load_network(trunk.weights).convolutions
    ]
    hann = torch.tensor(HANN)[None, None]

    def pool(x: torch.Tensor, kind: str, window: int, stride: int) -> torch.Tensor:
        if kind == "max":
            return F.max_pool2d(x, window, stride)
        mean = F.conv2d(
            x * x, hann.expand(x.shape[1], 1, 3, 3), stride=stride, padding=1, groups=x.shape[1]
        )
        return (mean + L2_EPSILON).sqrt()

    def features(x: torch.Tensor) -> list[torch.Tensor]:
        maps = []
        for i, (kernel, bias) in enumerate(layers):
            if i in trunk.pools:
                x = pool(x, *trunk.pools[i])
            x = F.relu(
                F.conv2d(
                    x, kernel, bias, stride=trunk.stride if i == 0 else 1, padding=trunk.padding[i]
                )
            )
            if i in trunk.taps:
                maps.append(x)
        return maps

    return features
