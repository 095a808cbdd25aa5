"""Gradient magnitude similarity deviation (Xue, Zhang, Mou, Bovik 2014,
doi:10.1109/TIP.2013.2293423).
"""

import numpy as np

from latentpress._typing import Floats, Pixels
from latentpress.metrics.checks import check_least_side, check_pair, to_gray

C = 170.0  # levels^2, the paper's constant for samples 0 to 255
MIN_SIDE = 4  # pixels: two samples a side after halving


def gmsd(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """Gradient magnitude similarity deviation (Xue, Zhang, Mou, Bovik 2014): the standard
    deviation of GMS over the image.

        GMS = (2 m_a m_b + C) / (m_a^2 + m_b^2 + C),  C = 170,
        m = sqrt(h^2 + v^2) of Prewitt's filters (divided by 3)

    of the luma after 2 x 2 means, zeros outside: the authors' Matlab code, and `piq.gmsd` of the
    luma.

    Args:
        a: the original, uint8 (H, W) or (H, W, 3), samples 0 to 255.
        b: the distorted picture, of the same shape.
        gray: changes nothing, for it is always of the luma.

    Returns:
        0 (identical) to about 0.35. Lower is better.

    Raises:
        ImageError: the images do not match, or are smaller than 4 pixels a side.

    Example:
        >>> import numpy as np
        >>> a = np.arange(4096, dtype=np.uint32).reshape(64, 64).astype(np.uint8)
        >>> gmsd(a, a)
        0.0
    """
    a, b = check_pair(a, b)
    check_least_side("GMSD", MIN_SIDE, a)
    m_a = _gradient(_halve(to_gray(a)))
    m_b = _gradient(_halve(to_gray(b)))
    similarity = (2 * m_a * m_b + C) / (m_a * m_a + m_b * m_b + C)
    return float(similarity.std(dtype=np.float64))


def _halve(t: Pixels) -> Floats:
    """Means of 2 x 2 samples, (H, W) -> (ceil(H / 2), ceil(W / 2)), zeros past an odd side."""
    wide = np.pad(t, [(0, n % 2) for n in t.shape]).astype(np.float32)
    return np.asarray(
        (wide[::2, ::2] + wide[1::2, ::2] + wide[::2, 1::2] + wide[1::2, 1::2]) / 4, np.float32
    )


def _gradient(t: Floats) -> Floats:
    """Magnitude of Prewitt's gradient, zeros outside, of the shape of t."""
    wide = np.pad(t, 1)
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    columns = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    across, down = (rows[:, 2:] - rows[:, :-2]) / 3, (columns[2:] - columns[:-2]) / 3
    return np.sqrt(across * across + down * down)
