"""Mean squared error."""

import numpy as np

from latentpress._typing import Pixels
from latentpress.metrics.checks import bands, check_pair


def mse(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """MSE = 1/n sum_i (a_i - b_i)^2 over all n samples, in squared levels, 0 (identical) to 65025.
    Lower is better.

    a, b: uint8 (H, W) or (H, W, 3), samples 0 to 255. gray: compare their luma (H, W). The sum is
    exact: the differences are signed, so nothing wraps around. ImageError where the images do not
    match.
    """
    a, b = check_pair(a, b, gray=gray)
    total = 0
    for rows in bands(a.shape):
        difference = a[rows].astype(np.int32) - b[rows]
        total += int(np.square(difference).sum(dtype=np.int64))
    return total / a.size
