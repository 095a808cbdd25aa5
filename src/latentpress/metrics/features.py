"""Feature maps of AlexNet and VGG16, on ONNX Runtime (its graph is written with onnx) or on torch,
whichever is installed.
"""

import functools
import importlib.util

import numpy as np

from latentpress._typing import Floats, Pixels
from latentpress.errors import WeightsError
from latentpress.metrics.trunks import TRUNKS, Features

EXTRA = "it needs onnx or torch beside its weights: pip install 'latentpress[bench]'"


def runtime() -> str | None:
    """ "onnx", "torch", or None where neither is installed: found without importing them."""
    return next((name for name in ("onnx", "torch") if importlib.util.find_spec(name)), None)


@functools.cache
def features_of(trunk: str, on: str) -> Features:
    """The function that computes the feature maps of TRUNKS[trunk], kept between calls. on: as
    `runtime` says.
    """
    if on == "onnx":
        from latentpress.metrics.features_onnx import build
    elif on == "torch":
        from latentpress.metrics.features_torch import build
    else:
        raise WeightsError(EXTRA)
    return build(TRUNKS[trunk])


def compute(trunk: str, image: Floats) -> list[Floats]:
    """Feature maps (C, h, w), finest first, of an image (3, H, W) normalized as the network wants
    it.
    """
    return [t[0] for t in features_of(trunk, runtime() or "")(image[None])]


def planes(image: Pixels, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Floats:
    """A uint8 image (H, W) or (H, W, 3) -> (3, H, W) float32: samples / 255, minus mean, over
    deviation; gray is repeated.
    """
    rgb = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    levels = (np.arange(256)[:, None] / 255 - np.array(mean)) / np.array(deviation)
    return np.stack([levels[:, c].astype(np.float32)[rgb[:, :, c]] for c in range(3)])
