"""Multi-scale structural similarity (Wang, Simoncelli, Bovik 2003,
doi:10.1109/ACSSC.2003.1292216).
"""

import math

import numpy as np

from latentpress._typing import Floats, Pixels
from latentpress.metrics.checks import check_least_side, check_pair
from latentpress.metrics.windows import bands, blur

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the five scales, finest first
TAPS, SIGMA = 11, 1.5  # pixels; the window of a scale
MIN_SIDE = (TAPS - 1) * 2 ** (len(WEIGHTS) - 1) + 1  # pixels: the window fits the coarsest scale
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

_half = np.exp(-(np.arange(TAPS // 2 + 1) ** 2) / (2 * SIGMA**2))
WINDOW = _half / (2 * _half.sum() - 1)  # center first; all 11 sum to 1
WINDOW_FLOAT32 = WINDOW.astype(np.float32)


def ms_ssim(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """Multi-scale structural similarity (Wang, Simoncelli, Bovik 2003), mean over the channels.

        MS-SSIM = max(l_5 cs_5, 0)^w_5 prod_{j=1..4} max(cs_j, 0)^w_j

    with cs = (2 s_ab + C2) / (s_aa + s_bb + C2) and l = (2 mu_a mu_b + C1) / (mu_a^2 + mu_b^2 + C1)
    averaged over a scale (the product l cs at the coarsest), an 11-tap Gaussian window of sigma 1.5
    pixels inside the image, and 2 x 2 means between scales: the numbers of
    `pytorch_msssim.ms_ssim(a, b, data_range=255)`, which CompressAI and most published tables use.

    Args:
        a: the original, uint8 (H, W) or (H, W, 3), samples 0 to 255.
        b: the distorted picture, of the same shape.
        gray: compare their luma (H, W) instead.

    Returns:
        0 to 1 (identical). Higher is better.

    Raises:
        ImageError: the images do not match, or are smaller than 161 pixels a side.

    Example:
        >>> import numpy as np
        >>> a = np.zeros((161, 200), np.uint8)
        >>> ms_ssim(a, a)
        1.0
    """
    a, b = check_pair(a, b, gray=gray)
    check_least_side("MS-SSIM", MIN_SIDE, a)
    planes = [(a, b)] if a.ndim == 2 else [(a[:, :, c], b[:, :, c]) for c in range(3)]
    return float(
        np.mean([_of_planes(x.astype(np.float32), y.astype(np.float32)) for x, y in planes])
    )


def ms_ssim_db(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """MS-SSIM in decibels, which tells values near 1 apart.

        -10 log10(1 - MS-SSIM)

    Args:
        a: the original, uint8 (H, W) or (H, W, 3), samples 0 to 255.
        b: the distorted picture, of the same shape.
        gray: compare their luma (H, W) instead.

    Returns:
        Decibels, 0 to infinity (identical). Higher is better.

    Raises:
        ImageError: the images do not match, or are smaller than 161 pixels a side.

    Example:
        >>> import numpy as np
        >>> a = np.zeros((161, 200), np.uint8)
        >>> ms_ssim_db(a, a)
        inf
    """
    return decibels(ms_ssim(a, b, gray=gray))


def decibels(similarity: float) -> float:
    """-10 log10(1 - similarity) in dB, infinity for 1."""
    return -10 * math.log10(1 - similarity) if similarity < 1 else math.inf


def _of_planes(x: Floats, y: Floats) -> float:
    """MS-SSIM of one channel."""
    product = 1.0
    for weight in WEIGHTS[:-1]:
        product *= max(_mean_structure(x, y), 0.0) ** weight
        x = _halve(x)
        y = _halve(y)
    return product * max(_mean_similarity(x, y), 0.0) ** WEIGHTS[-1]


def _mean_structure(x: Floats, y: Floats) -> float:
    """Mean of cs over all windows inside the plane, a band of rows at a time.

    What cs lacks of 1 is summed, by the variance of the difference d = a - b, so that float32 loses
    nothing of planes that are nearly the same:

        1 - cs = s_dd / (s_aa + s_bb + C2)
    """
    lack = 0.0
    offset = np.float32(np.round((x - y).mean(dtype=np.float64)))
    for band in bands(x.shape[0], x.shape[1], TAPS - 1):
        # closer to 0, so that float32 loses less in the variances
        u = x[band] - 128
        v = y[band] - 128
        d = u - v - offset
        mu_u = blur(u, WINDOW_FLOAT32)
        mu_d = blur(d, WINDOW_FLOAT32)
        mu_v = mu_u - mu_d - offset
        of_difference = blur(d * d, WINDOW_FLOAT32) - mu_d * mu_d
        variances = blur(u * u + v * v, WINDOW_FLOAT32) - (mu_u * mu_u + mu_v * mu_v)
        lack += float((of_difference / (variances + C2)).sum(dtype=np.float64))
    return 1 - lack / ((x.shape[0] - TAPS + 1) * (x.shape[1] - TAPS + 1))


def _mean_similarity(x: Floats, y: Floats) -> float:
    """Mean of l cs over all windows inside the plane, the coarsest: in float64, as it is small."""
    u = x.astype(np.float64)
    v = y.astype(np.float64)
    mu_u = blur(u, WINDOW)
    mu_v = blur(v, WINDOW)
    covariance = blur(u * v, WINDOW) - mu_u * mu_v
    variances = blur(u * u + v * v, WINDOW) - (mu_u * mu_u + mu_v * mu_v)
    structure = (2 * covariance + C2) / (variances + C2)
    luminance = (2 * mu_u * mu_v + C1) / (mu_u * mu_u + mu_v * mu_v + C1)
    return float((luminance * structure).mean())


def _halve(t: Floats) -> Floats:
    """Means of 2 x 2 samples; a zero stands around an odd side, as in pytorch_msssim, so that
    published numbers are met.
    """
    odd = [(n % 2, n % 2) for n in t.shape]
    t = np.pad(t, odd) if t.shape[0] % 2 or t.shape[1] % 2 else t
    h, w = t.shape[0] // 2, t.shape[1] // 2
    t = t[: 2 * h, : 2 * w]
    return (t[::2, ::2] + t[1::2, ::2] + t[::2, 1::2] + t[1::2, 1::2]) * np.float32(0.25)
