"""Feature maps of AlexNet and VGG16, on ONNX Runtime (its graph is written with onnx) or on torch, whichever is installed."""

import functools
import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentpress.errors import WeightsError

Array = NDArray[np.float32]
EXTRA = "it needs onnx or torch beside its weights: pip install 'latentpress[bench]'"


class Trunk(NamedTuple):
    """A convolutional network, every convolution followed by a ReLU.

    weights: key of weights.FILES. pools: index of a convolution -> (kind, window, stride) of the pooling before it, kind "max" or
    "l2" (DISTS: square root of the mean of squares under a 3 x 3 Hann window, stride 2). stride: of the first convolution.
    padding: of each convolution. taps: indices of the convolutions whose output is a feature map.
    """

    weights: str
    pools: dict[int, tuple[str, int, int]]
    stride: int
    padding: tuple[int, ...]
    taps: tuple[int, ...]


VGG_STAGES = (2, 4, 7, 10)  # convolutions with a pooling before them
ALEX = Trunk("alex", {1: ("max", 3, 2), 2: ("max", 3, 2)}, 4, (2, 2, 1, 1, 1), (0, 1, 2, 3, 4))
VGG = Trunk("vgg", dict.fromkeys(VGG_STAGES, ("max", 2, 2)), 1, (1,) * 13, (1, 3, 6, 9, 12))
VGG_L2 = Trunk("vgg", dict.fromkeys(VGG_STAGES, ("l2", 3, 2)), 1, (1,) * 13, (1, 3, 6, 9, 12))
TRUNKS = {"alex": ALEX, "vgg": VGG, "vgg-l2": VGG_L2}
HANN = (np.outer([1, 2, 1], [1, 2, 1]) / 16).astype(np.float32)
L2_EPSILON = 1e-12

Features = Callable[[Array], list[Array]]  # (1, 3, H, W) normalised as the network wants it -> its feature maps (1, C, h, w)


def runtime() -> str | None:
    """ "onnx", "torch", or None where neither is installed: found without importing them."""
    return next((name for name in ("onnx", "torch") if importlib.util.find_spec(name)), None)


@functools.cache
def features_of(trunk: str, on: str) -> Features:
    """The function that computes the feature maps of TRUNKS[trunk], kept between calls. on: as `runtime` says."""
    if on == "onnx":
        from latentpress.metrics.features_onnx import build
    elif on == "torch":
        from latentpress.metrics.features_torch import build
    else:
        raise WeightsError(EXTRA)
    return build(TRUNKS[trunk])


def compute(trunk: str, image: Array) -> list[Array]:
    """Feature maps (C, h, w), finest first, of an image (3, H, W) normalised as the network wants it."""
    return [t[0] for t in features_of(trunk, runtime() or "")(image[None])]


def planes(image: NDArray[np.uint8], mean: tuple[float, ...], deviation: tuple[float, ...]) -> Array:
    """A uint8 image (H, W) or (H, W, 3) -> (3, H, W) float32: samples / 255, minus mean, over deviation; grey is repeated."""
    rgb = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    levels = (np.arange(256)[:, None] / 255 - np.array(mean)) / np.array(deviation)
    return np.stack([levels[:, c].astype(np.float32)[rgb[:, :, c]] for c in range(3)])
