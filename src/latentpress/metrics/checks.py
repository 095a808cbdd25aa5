"""What every metric asks of its two images, the luma of the `gray` option, and bands of rows for
bounded memory.
"""

from collections.abc import Iterator

import numpy as np

from latentpress._typing import Pixels
from latentpress.errors import ImageError

# samples a band holds, about: a metric needs some tens of MB whatever the image's size
BAND = 1 << 20
GRAY_BITS = 15
# .299, .587, .114 in units of 2**-15, as in OpenCV's RGB2GRAY (ITU-R BT.601 luma)
GRAY_WEIGHTS = (9798, 19235, 3735)


def check_pair(a: Pixels, b: Pixels, *, gray: bool = False) -> tuple[Pixels, Pixels]:
    """Two uint8 images of one shape, (H, W) or (H, W, 3) -> the same two, or their luma (H, W) when
    gray.

    Never resizes, crops, or casts: ImageError where a dtype, a shape or a size does not fit.
    """
    for name, image in (("first", a), ("second", b)):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
            raise ImageError(
                f"metrics need uint8 arrays with samples 0 to 255; the {name} image is {kind}"
            )
        if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
            raise ImageError(
                f"metrics need images of shape (H, W) or (H, W, 3); the {name} image has shape "
                f"{image.shape}"
            )
        if not image.size:
            raise ImageError(f"the {name} image has no pixels: shape {image.shape}")
    if a.shape != b.shape:
        raise ImageError(
            f"the images differ in size or in channels: {_describe(a)} and {_describe(b)}"
        )
    return (to_gray(a), to_gray(b)) if gray else (a, b)


def check_least_side(metric: str, side: int, image: Pixels) -> None:
    """ImageError where an image, (H, W) or (H, W, 3), has fewer than `side` pixels a side."""
    if min(image.shape[:2]) < side:
        raise ImageError(
            f"{metric} needs at least {side} x {side} pixels; the images are {image.shape[1]} x "
            f"{image.shape[0]}"
        )


def to_gray(image: Pixels) -> Pixels:
    """Luma round(.299 R + .587 G + .114 B) of (H, W, 3) uint8 -> (H, W) uint8; a gray image passes
    unchanged.

    The fixed-point weights of OpenCV, so that numbers agree with tools built on it.
    """
    if image.ndim == 2:
        return image
    gray = np.empty(image.shape[:2], np.uint8)
    for rows in bands(image.shape):
        red, green, blue = (image[rows, :, c].astype(np.int32) * GRAY_WEIGHTS[c] for c in range(3))
        gray[rows] = (red + green + blue + (1 << (GRAY_BITS - 1))) >> GRAY_BITS
    return gray


def bands(shape: tuple[int, ...], overlap: int = 0) -> Iterator[slice]:
    """Slices of rows that cover an image of this shape, each about BAND samples, each reading
    `overlap` rows of the next.
    """
    step = max(1, BAND // int(np.prod(shape[1:])))
    for top in range(0, shape[0] - overlap, step):
        yield slice(top, min(top + step + overlap, shape[0]))


def _describe(image: Pixels) -> str:
    return f"{image.shape[1]} x {image.shape[0]} {'gray' if image.ndim == 2 else 'RGB'}"
