"""Where codecs differ most: the windows of an image that are worth a closer look."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Pixels

SIDE = 96  # pixels of a crop


def most_different(
    pictures: Sequence[Pixels], count: int = 2, side: int = SIDE
) -> list[tuple[int, int, int, int]]:
    """Windows (left, top, width, height) in which decoded pictures (H, W, 3) uint8 of one image
    vary most among each other.

    The variance over the pictures, summed over the window; windows do not overlap, the strongest
    stands first. At most `side` pixels a side; fewer than `count` where the image has no room for
    more.
    """
    height, width = pictures[0].shape[:2]
    h = min(side, height)
    w = min(side, width)
    spread = _spread(pictures)
    total = np.zeros((height + 1, width + 1))
    total[1:, 1:] = spread.cumsum(0).cumsum(1)
    sums = total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]
    windows: list[tuple[int, int, int, int]] = []
    while len(windows) < count and np.isfinite(sums.max()):
        top, left = (int(i) for i in np.unravel_index(sums.argmax(), sums.shape))
        windows.append((left, top, w, h))
        sums[max(0, top - h + 1) : top + h, max(0, left - w + 1) : left + w] = -np.inf
    return windows


def _spread(pictures: Sequence[Pixels]) -> NDArray[np.float64]:
    """Variance over the pictures at each pixel, mean over the channels: (H, W). Two sums, so that
    no stack of floats is held.
    """
    first = np.zeros(pictures[0].shape, np.float32)
    second = np.zeros(pictures[0].shape, np.float32)
    for picture in pictures:
        x = picture.astype(np.float32)
        first += x
        second += x * x
    n = len(pictures)
    return np.asarray(((second - first * first / n) / n).mean(-1), np.float64)
