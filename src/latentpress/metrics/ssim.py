"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004, doi:10.1109/TIP.2003.819861)."""

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Ints, Pixels
from latentpress.metrics.checks import bands, check_least_side, check_pair

WINDOW = 7  # pixels a side, uniform weights
N = WINDOW * WINDOW
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004): mean over all 7 x 7 windows
    inside the image and over the channels.

        SSIM = (2 mu_a mu_b + C1) (2 s_ab + C2) / ((mu_a^2 + mu_b^2 + C1) (s_aa + s_bb + C2))

    with window means mu, sample (co)variances s (divisor 48), C1 = (.01 * 255)^2, C2 = (.03 *
    255)^2: what `skimage.metrics.structural_similarity(a, b, data_range=255, channel_axis=2)` gives
    by default.

    Args:
        a: the original, uint8 (H, W) or (H, W, 3), samples 0 to 255.
        b: the distorted picture, of the same shape.
        gray: compare their luma (H, W) instead.

    Returns:
        -1 to 1 (identical). Higher is better.

    Raises:
        ImageError: the images do not match, or are smaller than 7 pixels a side.

    Example:
        >>> import numpy as np
        >>> a = np.arange(4096, dtype=np.uint32).reshape(64, 64).astype(np.uint8)
        >>> ssim(a, a)
        1.0
    """
    a, b = check_pair(a, b, gray=gray)
    check_least_side("SSIM", WINDOW, a)
    total = 0.0
    planes = [(a, b)] if a.ndim == 2 else [(a[:, :, c], b[:, :, c]) for c in range(3)]
    for x, y in planes:
        for rows in bands(x.shape, overlap=WINDOW - 1):
            total += float(_ssim_map(x[rows].astype(np.int32), y[rows].astype(np.int32)).sum())
    windows: int = (a.shape[0] - WINDOW + 1) * (a.shape[1] - WINDOW + 1)
    return total / (windows * len(planes))


def _ssim_map(x: Ints, y: Ints) -> NDArray[np.float64]:
    """SSIM of every window. N times the sums of both squares stay below 2^29, so the (co)variances
    are exact in int32.
    """
    sum_x = _box(x)
    sum_y = _box(y)
    # N^2 mu_a mu_b, N^2 (mu_a^2 + mu_b^2)
    product = sum_x * sum_y
    squares = sum_x * sum_x + sum_y * sum_y
    covariance = N * _box(x * y) - product  # N (N - 1) s_ab
    variances = N * _box(x * x + y * y) - squares
    means = (2 / N**2 * product + C1) / (squares / N**2 + C1)
    structure = (2 / (N * (N - 1)) * covariance + C2) / (variances / (N * (N - 1)) + C2)
    return np.asarray(means * structure, np.float64)


def _box(t: Ints) -> Ints:
    """Sums over all 7 x 7 windows, (H, W) -> (H - 6, W - 6)."""
    h, w = t.shape[0] - WINDOW + 1, t.shape[1] - WINDOW + 1
    down = t[:h].copy()
    for k in range(1, WINDOW):
        down += t[k : k + h]
    across = down[:, :w].copy()
    for k in range(1, WINDOW):
        across += down[:, k : k + w]
    return across
