"""SSIMULACRA 2.1 (Jon Sneyers, Cloudinary 2023, https://github.com/cloudinary/ssimulacra2)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Pixels
from latentpress.metrics.against import Against
from latentpress.metrics.windows import bands, blur

SCALES = 6
MIN_SIDE = 8  # pixels; a scale is entered from one with at least so many
C2 = 0.0009

# Constants of the reference implementation (libjxl, tools/ssimulacra2.cc and
# lib/jxl/opsin_params.h; BSD license).
OPSIN = np.array(
    [
        [0.30, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.55180986650955360],
    ],
    np.float32,
)
OPSIN_BIAS = np.float32(0.0037930732552754493)
# Its recursive Gaussian of sigma 1.5 (Charalampidis 2016) has this finite impulse response, center
# first; zeros outside.
WINDOW: NDArray[np.float64] = np.array(
    [
        0.2646211054881984,
        0.2129285920104221,
        0.1093353727774603,
        0.0360111146583643,
        0.0094143678096536,
    ]
)
# Of each channel a row a scale, finest first: mean of the SSIM, ringing and blurring maps, then
# their 4-norms.
WEIGHTS = (
    # X
    0,
    0.0007376606707406586,
    0,
    0,
    0.0007793481682867309,
    0,
    0,
    0.0004371155730107379,
    0,
    1.1041726426657346,
    0.00066284834129271,
    0.00015231632783718752,
    0,
    0.0016406437456599754,
    0,
    1.8422455520539298,
    11.441172603757666,
    0,
    0.0007989109436015163,
    0.000176816438078653,
    0,
    1.8787594979546387,
    10.94906990605142,
    0,
    0.0007289346991508072,
    0.9677937080626833,
    0,
    0.00014003424285435884,
    0.9981766977854967,
    0.00031949755934435053,
    0.0004550992113792063,
    0,
    0,
    0.0013648766163243398,
    0,
    0,
    # Y
    0,
    0,
    0,
    7.466890328078848,
    0,
    17.445833984131262,
    0.0006235601634041466,
    0,
    0,
    6.683678146179332,
    0.00037724407979611296,
    1.027889937768264,
    225.20515300849274,
    0,
    0,
    19.213238186143016,
    0.0011401524586618361,
    0.001237755635509985,
    176.39317598450694,
    0,
    0,
    24.43300999870476,
    0.28520802612117757,
    0.0004485436923833408,
    0,
    0,
    0,
    34.77906344483772,
    44.835625328877896,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    # B-Y
    0,
    0.0008680556573291698,
    0,
    0,
    0,
    0,
    0,
    0.0005313191874358747,
    0,
    0.00016533814161379112,
    0,
    0,
    0,
    0,
    0,
    0.0004179171803251336,
    0.0017290828234722833,
    0,
    0.0020827005846636437,
    0,
    0,
    8.826982764996862,
    23.19243343998926,
    0,
    95.1080498811086,
    0.9863978034400682,
    0.9834382792465353,
    0.0012286405048278493,
    171.2667255897307,
    0.9807858872435379,
    0,
    0,
    0,
    0.0005130064588990679,
    0,
    0.00010854057858411537,
)


def ssimulacra2(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """SSIMULACRA 2.1 (Jon Sneyers, Cloudinary 2023). Not symmetric.

    A weighted sum of 108 norms of three error maps (SSIM without its luminance denominator, edges
    that appeared, edges that were lost) of X, Y and B - Y in the XYB color space, at six scales
    made in linear light. 30 is low quality, 50 medium, 70 high, 90 visually lossless (the authors'
    words).

    Args:
        a: the original, uint8 (H, W) or (H, W, 3), samples 0 to 255, taken as sRGB.
        b: the distorted picture, of the same shape.
        gray: changes nothing, for it is a metric of colors.

    Returns:
        100 (identical) down to below 0. Higher is better.

    Raises:
        ImageError: the images do not match, or are smaller than 8 pixels a side.

    Example:
        >>> import numpy as np
        >>> a = np.arange(4096, dtype=np.uint32).reshape(64, 64).astype(np.uint8)
        >>> ssimulacra2(a, a)
        100.0
    """
    return Against("SSIMULACRA 2", MIN_SIDE, _bands_of, _score, a)(b)


def against(original: Pixels) -> Against[list[list[list["_Band"]]]]:
    """SSIMULACRA 2 of pictures against one original, of which all that can be is kept."""
    return Against("SSIMULACRA 2", MIN_SIDE, _kept_bands, _score, original)


class _Band(NamedTuple):
    """rows: those of a channel at a scale, with zeros outside. means: under the window, one at
    each place inside.
    """

    rows: NDArray[np.float64]
    means: NDArray[np.float64]


def _bands_of(original: Pixels) -> Iterator[list[Iterator[_Band]]]:
    """The scales, their channels, and their bands."""
    return ([_bands_of_channel(x) for x in scale] for scale in _scales(original))


def _kept_bands(original: Pixels) -> list[list[list[_Band]]]:
    return [[list(channel) for channel in scale] for scale in _bands_of(original)]


def _bands_of_channel(x: Floats) -> Iterator[_Band]:
    return (_Band(rows, blur(rows, WINDOW)) for rows in _rows_of(x))


def _rows_of(x: Floats) -> Iterator[NDArray[np.float64]]:
    """A channel with zeros outside, in bands."""
    r = len(WINDOW) - 1
    # in float32 the score of flat pictures stands on its last bits
    wide = np.pad(x, r).astype(np.float64)
    for band in bands(wide.shape[0], wide.shape[1], 2 * r):
        yield wide[band]


def _score(original: Iterable[Iterable[Iterable[_Band]]], distorted: Pixels) -> float:
    # (scales, channels, 6)
    norms = np.array([_norms(x, y) for x, y in zip(original, _scales(distorted), strict=True)])
    flat = norms.transpose(1, 0, 2).ravel()
    # fewer scales take the first weights, as the original does
    error = 0.9562382616834844 * float(np.dot(flat, WEIGHTS[: flat.size]))
    error = (
        2.326765642916932 * error
        - 0.020884521182843837 * error**2
        + 6.248496625763138e-05 * error**3
    )
    return 100.0 - 10.0 * error**0.6276336467831387 if error > 0 else 100.0


def _scales(image: Pixels) -> Iterator[tuple[Floats, ...]]:
    """The image's X, Y and B - Y, each in about 0 to 1, at up to six scales, finest first."""
    rgb = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    linear = [LINEAR[rgb[:, :, c]] for c in range(3)]
    for scale in range(SCALES):
        if scale:
            if min(linear[0].shape) < MIN_SIDE:
                return
            linear = [_halve(t) for t in linear]
        yield _xyb(linear)


def _xyb(linear: list[Floats]) -> tuple[Floats, ...]:
    """Linear RGB -> X, Y, B - Y."""
    bias = np.cbrt(OPSIN_BIAS)
    long, medium, short = (
        np.cbrt(sum(k * t for k, t in zip(row, linear, strict=True)) + OPSIN_BIAS) - bias
        for row in OPSIN
    )
    x, y = (long - medium) / 2, (long + medium) / 2
    return x * 14 + np.float32(0.42), y + np.float32(0.01), (short - y) + np.float32(0.55)


def _norms(first: Iterable[Iterable[_Band]], second: tuple[Floats, ...]) -> list[list[float]]:
    """Of each channel: means of the SSIM, ringing and blurring maps, then their 4-norms."""
    return [_norms_of_channel(x, y) for x, y in zip(first, second, strict=True)]


def _norms_of_channel(x: Iterable[_Band], y: Floats) -> list[float]:
    r = len(WINDOW) - 1
    sums = np.zeros((2, 3))
    for (u, mu_u), v in zip(x, _rows_of(y), strict=True):
        mu_v = blur(v, WINDOW)
        covariance = blur(u * v, WINDOW) - mu_u * mu_v
        variances = blur(u * u + v * v, WINDOW) - (mu_u * mu_u + mu_v * mu_v)
        dissimilarity = 1 - (1 - np.square(mu_u - mu_v)) * (2 * covariance + C2) / (variances + C2)
        u, v = u[r:-r, r:-r], v[r:-r, r:-r]
        edges = (1 + np.abs(v - mu_v)) / (1 + np.abs(u - mu_u)) - 1
        for i, t in enumerate((dissimilarity, edges, -edges)):
            positive = np.maximum(t, 0)
            sums[0, i] += positive.sum(dtype=np.float64)
            sums[1, i] += np.square(np.square(positive)).sum(dtype=np.float64)
    means = sums / y.size
    return [*means[0], *means[1] ** 0.25]


def _halve(t: Floats) -> Floats:
    """Means of 2 x 2 samples; an odd side's last sample counts twice."""
    t = (
        np.pad(t, [(0, n % 2) for n in t.shape], mode="edge")
        if t.shape[0] % 2 or t.shape[1] % 2
        else t
    )
    return np.asarray((t[::2, ::2] + t[1::2, ::2] + t[::2, 1::2] + t[1::2, 1::2]) / 4, np.float32)


def _srgb_to_linear() -> Floats:
    """Linear light 0 to 1 of the sRGB levels 0 to 255 (IEC 61966-2-1)."""
    level = np.arange(256) / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )


LINEAR = _srgb_to_linear()
