"""Learned perceptual image patch similarity, version 0.1 (Zhang, Isola, Efros, Shechtman, Wang
2018, arXiv:1801.03924).
"""

from functools import partial

import numpy as np

from latentpress._typing import Floats, Pixels
from latentpress.metrics import features, weights
from latentpress.metrics.against import Against

MIN_SIDE = {"alex": 31, "vgg": 16}  # pixels: the coarsest feature map has one sample
# of samples in [-1, 1], as the authors' code has them
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10


def lpips(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """Learned perceptual image patch similarity, v0.1 on AlexNet (Zhang and others 2018).

        LPIPS = sum_l mean_hw sum_c w_lc (f_lc(a) / |f_l(a)| - f_lc(b) / |f_l(b)|)^2

    over five layers of feature maps f and learned weights w: `lpips.LPIPS(net="alex")` on samples
    in [-1, 1]. A gray image counts as three equal channels.

    Args:
        a: the original, uint8 (H, W) or (H, W, 3), samples 0 to 255.
        b: the distorted picture, of the same shape.
        gray: changes nothing, for it is a metric of colors.

    Returns:
        0 (identical) to about 1. Lower is better.

    Raises:
        ImageError: the images do not match, or are smaller than 31 pixels a side.
        WeightsError: the weights, or a library to run the network, are missing.

    Example:
        >>> lpips(original, decoded)  # doctest: +SKIP
        0.0812
    """
    return against("alex", a)(b)


def lpips_vgg(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """LPIPS v0.1 on VGG16: `lpips.LPIPS(net="vgg")`. Formula as of `lpips`, but other numbers than
    AlexNet's, never to be mixed.

    Args:
        a: the original, uint8 (H, W) or (H, W, 3), samples 0 to 255.
        b: the distorted picture, of the same shape.
        gray: changes nothing, for it is a metric of colors.

    Returns:
        0 (identical) to about 1. Lower is better.

    Raises:
        ImageError: the images do not match, or are smaller than 16 pixels a side.
        WeightsError: the weights, or a library to run the network, are missing.

    Example:
        >>> lpips_vgg(original, decoded)  # doctest: +SKIP
        0.1432
    """
    return against("vgg", a)(b)


def missing(net: str) -> str | None:
    """Why LPIPS on "alex" or "vgg" cannot be computed here, None where it can."""
    return weights.missing(net) or (None if features.runtime() else features.EXTRA)


def against(net: str, original: Pixels) -> Against[list[Floats]]:
    """LPIPS on "alex" or "vgg" of pictures against one original, whose features are kept."""
    find, score = partial(_unit_vectors, net), partial(_distance, net)
    return Against(f"LPIPS ({net})", MIN_SIDE[net], find, score, original)


def _distance(net: str, first: list[Floats], distorted: Pixels) -> float:
    second = _unit_vectors(net, distorted)
    linear = weights.load_network(net).linear
    return sum(_layer(f, g, w) for f, g, w in zip(first, second, linear, strict=True))


def _unit_vectors(net: str, image: Pixels) -> list[Floats]:
    """Feature maps (C, h, w) of an image, of length 1 at every place."""
    # of samples in [0, 1]
    mean = [(1 + s) / 2 for s in SHIFT]
    deviation = [s / 2 for s in SCALE]
    maps = features.compute(net, features.planes(image, tuple(mean), tuple(deviation)))
    for t in maps:
        t /= np.sqrt(np.einsum("chw,chw->hw", t, t)) + EPSILON
    return maps


def _layer(f: Floats, g: Floats, w: Floats) -> float:
    """Mean over the places of the weighted squared distance of the unit vectors f and g, (C, h, w)
    each; g is used up.
    """
    np.subtract(f, g, out=g)
    g *= g
    return float(np.tensordot(w, g, 1).mean(dtype=np.float64))
