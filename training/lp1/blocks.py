"""The parts that analysis and synthesis are built of. Every part can be written as ONNX."""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.lp1.int8 import COARSEST, Bytes
from training.lp1.shape import Shape
from training.precision import float32


class WSiLU(nn.Module):
    """x * sigmoid(4 x) (DCVC-RT, arXiv:2502.20762)."""

    def forward(self, x: Tensor) -> Tensor:
        """(any shape) -> the same."""
        return x * torch.sigmoid(4 * x)


class _Leak(torch.autograd.Function):
    """ReLU forward, a leaky ReLU's gradient backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        y = x.relu()
        ctx.save_for_backward(y)
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        [y], [gradient] = ctx.saved_tensors, gradients
        return torch.where(y > 0, gradient, gradient * ctx.slope), None


class Reviving(nn.ReLU):
    """A ReLU that lets a share of the gradient through where it is zero.

    A channel that never fires gets no gradient from a plain ReLU and stays dead for good. What is
    exported is a ReLU.

    Args:
        slope: The share.
    """

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """(any shape) -> the same."""
        out: Tensor = _Leak.apply(x, self.slope)
        return out


ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "wsilu": WSiLU}


def activation(shape: Shape) -> nn.Module:
    """What stands between the convolutions of a residual block."""
    if shape.activation == "relu" and shape.leak:
        return Reviving(shape.leak)
    return ACTIVATIONS[shape.activation]()


HIGH_BANDS = 0.3  # of the first weights of Haar's three detail bands, against the mean's


def haar(factor: int) -> Tensor:
    """(factor^2, factor^2), orthonormal: rows are the 2D Haar basis of a factor x factor block."""
    one = torch.ones(1, 1)
    while len(one) < factor:
        n = len(one)
        low = torch.kron(one, torch.tensor([[1.0, 1.0]]))
        high = torch.kron(torch.eye(n), torch.tensor([[1.0, -1.0]]))
        one = torch.cat([low, high]) / 2**0.5
    return torch.kron(one, one)


class Layout:
    """How depthwise convolutions run: torch's own kernel takes planes, cuDNN's channels last.

    Which is faster is measured on CUDA (`training.lp1.speed.choose_layout`).
    """

    plain = False


class Conv(nn.Conv2d):
    """A convolution; where the shape asks, with learned factors of its inputs and outputs, or of
    inputs less their means.

    Attributes:
        mean: Of each input, (inputs,), where the shape is centered. What is computed is `weight`
            times the inputs less it, which is another bias alone; but a step of the weights then
            moves no output as a whole. See `training.lp1.centers`.
    """

    def __init__(
        self,
        shape: Shape,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        padding = (kernel - stride + 1) // 2
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups)
        if shape.scales:
            self.scale_in = nn.Parameter(torch.ones(inputs // groups))
            self.scale_out = nn.Parameter(torch.ones(outputs))
        if shape.centered:
            self.register_buffer("mean", torch.zeros(inputs))
        self.bytes: Bytes | None = None

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the plain convolution that this one is."""
        weight, bias = self.weight, self.bias
        if hasattr(self, "scale_in"):
            factors = self.scale_out[:, None, None, None] * self.scale_in[:, None, None]
            weight = weight * factors
        if hasattr(self, "mean"):
            bias = bias - self.of_constant(weight, self.mean)
        return weight, bias

    def of_constant(self, weight: Tensor, inputs: Tensor) -> Tensor:
        """What the weight makes of inputs (C,) that are the same everywhere: (outputs,) float32."""
        with float32(weight.device.type):  # large numbers that nearly cancel each other
            sums = weight.float().sum((2, 3)).view(self.groups, -1, weight.shape[1])
            return (sums @ inputs.view(self.groups, -1, 1)).flatten()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        weight, bias = self.folded()
        if self.bytes is not None:
            return self.bytes.convolve(x, self, weight, bias)
        if self.groups > 1 and Layout.plain:
            x, weight = x.contiguous(), weight.clone(memory_format=torch.contiguous_format)
        return F.conv2d(x, weight, bias, self.stride, self.padding, groups=self.groups)


class HaarConv(Conv):
    """A 1 x 1 convolution beside a pixel (un)shuffle whose weights are seen in the Haar basis.

    With `before` the shuffle comes after it and its outputs are bands, else its inputs are. In
    PICO (arXiv:2605.05148) a convolution and a Haar transform were better than either shuffle.
    """

    def __init__(self, shape: Shape, inputs: int, outputs: int, factor: int, before: bool) -> None:
        super().__init__(replace(shape, centered=False), inputs, outputs, 1)
        self.before = before
        self.register_buffer("basis", haar(factor), persistent=False)
        with torch.no_grad():
            bands = torch.full((factor**2,), HIGH_BANDS)
            bands[0] = 1
            if before:
                self.weight.view(-1, factor**2, inputs).mul_(bands[:, None])
            else:
                self.weight.view(outputs, -1, factor**2).mul_(bands)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the plain convolution that this one is."""
        weight, bias = super().folded()
        n = len(self.basis)
        matrix = weight[:, :, 0, 0]
        with float32(weight.device.type):
            if self.before:
                bands = matrix.view(-1, n, matrix.shape[1])
                matrix = torch.einsum("bk,cbi->cki", self.basis, bands)
                bias = (bias.view(-1, n) @ self.basis).reshape(-1)
            else:
                bands = matrix.view(len(matrix), -1, n)
                matrix = torch.einsum("bk,ocb->ock", self.basis, bands)
        return matrix.reshape(weight.shape), bias


def resampling(shape: Shape, inputs: int, outputs: int, factor: int, up: bool) -> list[nn.Module]:
    """A 1 x 1 convolution and a pixel shuffle by a factor, either way."""
    area = factor**2
    many = (inputs, outputs * area) if up else (inputs * area, outputs)
    conv = HaarConv(shape, *many, factor, up) if shape.haar else Conv(shape, *many, 1)
    if up:
        return [conv, nn.PixelShuffle(factor)]
    return [nn.PixelUnshuffle(factor), conv]


class Residual(nn.Module):
    """x + b(act(a(x))), 3 x 3, near identity at first: else the first steps blow up."""

    def __init__(self, shape: Shape, c: int, gain: float = 0.2) -> None:
        super().__init__()
        self.a = Conv(shape, c, c, 3)
        self.b = Conv(shape, c, c, 3)
        self.act = activation(shape)
        self.b.weight.data.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return x + self.b(self.act(self.a(x)))


class Depthwise(nn.Module):
    """x + b(act(a(spatial(x)))): depthwise 3 x 3, 1 x 1 to twice the channels, 1 x 1 back."""

    def __init__(self, shape: Shape, c: int, gain: float = 0.2) -> None:
        super().__init__()
        self.spatial = Conv(shape, c, c, 3, groups=c)
        self.a = Conv(shape, c, 2 * c, 1)
        self.b = Conv(shape, 2 * c, c, 1)
        self.act = activation(shape)
        self.b.weight.data.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return x + self.b(self.act(self.a(self.spatial(x))))


BLOCKS: dict[str, type[nn.Module]] = {"dense": Residual, "depthwise": Depthwise}


def build(words: str, channels: int, shape: Shape) -> tuple[list[nn.Module], int]:
    """The parts that a list of words names.

    The words, with numbers after colons:
        conv:C:K:S: convolution to C channels, K x K, stride S.
        mix:C: 1 x 1 convolution to C channels.
        dense[:n], depthwise[:n]: n residual blocks (1) of `Residual` or `Depthwise`.
        down:C: 4 x 4 convolution of stride 2 to C channels.
        fold:C[:f]: pixel unshuffle by f (2), then 1 x 1 to C channels.
        up:C[:f]: 1 x 1 convolution, then pixel shuffle by f (2) to C channels.

    Returns:
        The parts, and the channels of the last.

    Raises:
        ValueError: A word is not one of these.
    """
    parts: list[nn.Module] = []
    for word in words.split():
        name, *rest = word.split(":")
        numbers = [int(n) for n in rest]
        if name in BLOCKS and len(numbers) <= 1:
            parts += [BLOCKS[name](shape, channels) for _ in range(numbers[0] if numbers else 1)]
            continue
        if name == "conv" and len(numbers) == 3:
            parts.append(Conv(shape, channels, numbers[0], numbers[1], numbers[2]))
        elif name == "mix" and len(numbers) == 1:
            parts.append(Conv(shape, channels, numbers[0], 1))
        elif name == "down" and len(numbers) == 1:
            parts.append(Conv(shape, channels, numbers[0], 4, 2))
        elif name in ("fold", "up") and len(numbers) in (1, 2):
            factor = numbers[1] if len(numbers) == 2 else 2
            parts += resampling(shape, channels, numbers[0], factor, name == "up")
        else:
            raise ValueError(f"{word!r} is not a part of a network")
        channels = numbers[0]
    return parts, channels


def reduction(parts: list[nn.Module]) -> float:
    """By what factor the parts together reduce the resolution; below 1 where they raise it."""
    factor = 1.0
    for part in parts:
        if isinstance(part, nn.PixelUnshuffle):
            factor *= part.downscale_factor
        elif isinstance(part, nn.PixelShuffle):
            factor /= part.upscale_factor
        elif isinstance(part, nn.Conv2d):
            factor *= part.stride[0]
    return factor


def take_int8(parts: list[nn.Module], pixels: float) -> None:
    """Let the 1 x 1 and dense convolutions of coarse blocks compute in int8.

    Args:
        parts: Of a transform, in order.
        pixels: Of a position of the first one's input.
    """
    for part in parts:
        if isinstance(part, Residual | Depthwise) and pixels >= COARSEST:
            part.a.bytes = Bytes(rounds_output=not isinstance(part.act, nn.ReLU))
            part.b.bytes = Bytes(rounds_output=True)
        pixels *= reduction([part])
