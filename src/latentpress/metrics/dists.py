"""Deep image structure and texture similarity (Ding, Ma, Wang, Simoncelli 2020,
arXiv:2004.07728).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Pixels
from latentpress.metrics import features, weights
from latentpress.metrics.against import Against

MIN_SIDE = 16  # pixels
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of samples in [0, 1], ImageNet's
C1 = C2 = 1e-6


def dists(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """Deep image structure and texture similarity (Ding, Ma, Wang, Simoncelli 2020).

        DISTS = sum_c alpha_c (1 - l_c) + beta_c (1 - s_c),
        l = (2 mu_a mu_b + c) / (mu_a^2 + mu_b^2 + c),
        s = (2 s_ab + c) / (s_aa + s_bb + c),  c = 1e-6

    of means, variances and covariance over the whole of each feature map: the image's three
    channels in [0, 1] and VGG16's five stages with L2 pooling; alpha and beta sum to 1:
    `DISTS_pytorch.DISTS()(a, b)`, the images not resized. A gray image counts as three equal
    channels.

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
        >>> dists(original, decoded)  # doctest: +SKIP
        0.0534
    """
    return against(a)(b)


def missing() -> str | None:
    """Why DISTS cannot be computed here, None where it can."""
    return weights.missing(*weights.USED_BY["dists"]) or (
        None if features.runtime() else features.EXTRA
    )


def against(original: Pixels) -> Against[list["_Map"]]:
    """DISTS of pictures against one original, whose features are kept."""
    return Against("DISTS", MIN_SIDE, _kept_maps, _distance, original)


def _kept_maps(original: Pixels) -> list["_Map"]:
    weights.load_dists()  # where they are missing, that is told before a network runs
    return list(_maps(original))


def _distance(first: list["_Map"], distorted: Pixels) -> float:
    alpha, beta = (t.astype(np.float64) for t in weights.load_dists())
    total = alpha.sum() + beta.sum()
    parts = [_dissimilarities(f, g) for f, g in zip(first, _maps(distorted), strict=True)]
    luminance, structure = (np.concatenate(t) for t in zip(*parts, strict=True))
    return float((alpha @ luminance + beta @ structure) / total)


class _Map(NamedTuple):
    """A feature map: the mean of each channel, (C,), what its places are beyond it, (C, h w), and
    their variance, (C,).
    """

    mean: NDArray[np.float64]
    beyond: Floats
    variance: Floats


def _maps(image: Pixels) -> Iterator[_Map]:
    yield _as_map(features.planes(image, (0.0,) * 3, (1.0,) * 3))
    yield from map(_as_map, features.compute("vgg-l2", features.planes(image, MEAN, DEVIATION)))


def _as_map(t: Floats) -> _Map:
    """Of feature maps (C, h, w), which are used up."""
    t = t.reshape(len(t), -1)
    mean = t.mean(1, dtype=np.float64)
    t -= mean[:, None].astype(np.float32)
    return _Map(mean, t, _product(t, t))


def _product(u: Floats, v: Floats) -> Floats:
    """Mean product of each channel, (C, n) each -> (C,)."""
    return np.asarray(np.einsum("cn,cn->c", u, v, dtype=np.float32) / u.shape[1])


def _dissimilarities(f: _Map, g: _Map) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """1 - l and 1 - s of each channel of f and g -> (C,), (C,); g is used up.

        1 - l = (mu_f - mu_g)^2 / (mu_f^2 + mu_g^2 + c),  1 - s = s_dd / (s_ff + s_gg + c)

    with the difference d = f - g: float32 loses nothing of maps that are nearly the same.
    """
    luminance = np.square(f.mean - g.mean) / (f.mean * f.mean + g.mean * g.mean + C1)
    difference = np.subtract(f.beyond, g.beyond, out=g.beyond)
    structure = _product(difference, difference).astype(np.float64) / (
        f.variance.astype(np.float64) + g.variance + C2
    )
    return luminance, structure
