"""Mean squared error."""

import numpy as np

from latentpress._typing import Pixels
from latentpress.metrics.checks import bands, check_pair


def mse(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """Mean squared error over all n samples.

        MSE = 1/n sum_i (a_i - b_i)^2

    The sum is exact: the differences are signed, so nothing wraps around.

    Args:
        a: the original, uint8 (H, W) or (H, W, 3), samples 0 to 255.
        b: the distorted picture, of the same shape.
        gray: compare their luma (H, W) instead.

    Returns:
        Squared levels, 0 (identical) to 65025. Lower is better.

    Raises:
        ImageError: the images do not match.

    Example:
        >>> import numpy as np
        >>> mse(np.zeros((8, 8), np.uint8), np.full((8, 8), 3, np.uint8))
        9.0
    """
    a, b = check_pair(a, b, gray=gray)
    total = 0
    for rows in bands(a.shape):
        difference = a[rows].astype(np.int32) - b[rows]
        total += int(np.square(difference).sum(dtype=np.int64))
    return total / a.size
