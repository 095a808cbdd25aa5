"""Grade one picture against its original: files, PIL images or arrays in, numbers out. Nothing is
resized or converted silently.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from PIL import Image

from latentpress._typing import Pixels
from latentpress.container import MAGIC
from latentpress.errors import ImageError
from latentpress.image import color, plugins
from latentpress.image.declared import read_declared
from latentpress.image.hidden import fill_hidden
from latentpress.image.known_profiles import GRAY_SRGB, SRGB, known_number
from latentpress.image.limits import no_pillow_limit
from latentpress.image.picture import Source, frames_of, open_source, read_picture
from latentpress.metrics.registry import Names
from latentpress.metrics.registry import assess as assess_arrays
from latentpress.system.places import elsewhere, located
from latentpress.system.sources import name_of, read_source

# those that become 8-bit gray or RGB without loss
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


@dataclass(frozen=True, eq=False)
class Graded:
    """A picture as the metrics see it. name: in messages. pixels: uint8 (H, W) or (H, W, 3),
    upright. alpha: (H, W) or None.
    """

    name: str
    pixels: Pixels
    alpha: Pixels | None
    icc: bytes | None


def assess(
    original: Source, distorted: Source, metrics: Names = None, *, gray: bool = False
) -> dict[str, float]:
    """Metrics of a distorted picture against its original. Nothing is resized or converted.

    Args:
        original: an image or an .ltp file, as a path, bytes or an open binary file; a PIL image, or
            a uint8 array (H, W) or (H, W, 3); 8 bits a sample.
        distorted: the same, of the original's size and kind (gray or color).
        metrics: keys of `latentpress.metrics.METRICS`; "all"; None for those that can be computed
            here, without the slow ones.
        gray: MSE, PSNR, SSIM and MS-SSIM of the luma.

    Returns:
        Key of the metric -> value, in the metric's unit.

    Raises:
        ImageError: the pictures do not match, or hold what cannot be compared.
        UsageError: an unknown metric.
        WeightsError: a named metric lacks its weights.

    Example:
        >>> import numpy as np
        >>> assess(np.zeros((32, 32, 3), np.uint8), np.ones((32, 32, 3), np.uint8), ["mse"])
        {'mse': 1.0}
    """
    first = read_graded(original)
    second = read_graded(distorted)
    check_match(first, second)
    return assess_arrays(first.pixels, second.pixels, metrics, gray=gray)


def read_graded(source: Source, *, model: str | None = None, device: str = "auto") -> Graded:
    """Read what can be graded; ImageError for 16-bit samples, CMYK and the like, and pictures of
    several frames.

    model, device: for .ltp files, as `latentpress.decompress` takes them.
    """
    if isinstance(source, np.ndarray):
        return _graded("the array", source)
    if isinstance(source, Image.Image):
        _check_mode("the image", source)
        return _graded("the image", source)
    source = located(source)
    name = name_of(source) or "the file"
    if not isinstance(source, (str, os.PathLike)) or elsewhere(source) is not None:
        source = read_source(source)
    if _is_ltp(source):
        from latentpress.codec import decompress

        return _graded(name, decompress(source, model=model, device=device))
    _check_file(name, source)
    return _graded(name, source)


def check_match(first: Graded, second: Graded) -> list[str]:
    """ImageError unless the two can be compared; what is to be known of the comparison, as
    sentences.
    """
    a, b = first.pixels, second.pixels
    if a.shape[:2] != b.shape[:2]:
        raise ImageError(
            f"{first.name} is {a.shape[1]} x {a.shape[0]} pixels and {second.name} is "
            f"{b.shape[1]} x {b.shape[0]}: "
            "only equal sizes compare, and nothing is resized"
        )
    if a.ndim != b.ndim:
        kinds = ["gray" if t.ndim == 2 else "color" for t in (a, b)]
        raise ImageError(
            f"{first.name} is a {kinds[0]} picture and {second.name} a {kinds[1]} one: convert "
            "one of them"
        )
    if (first.alpha is None) != (second.alpha is None):
        with_alpha, without = (first, second) if second.alpha is None else (second, first)
        raise ImageError(
            f"{with_alpha.name} has an alpha channel that is not opaque and {without.name} has "
            "none: they do not compare"
        )
    notices = [] if first.alpha is None else ["the alpha channels were left out"]
    if first.icc != second.icc and _colors(first) != _colors(second):
        notices.append("the color profiles differ: the stored samples were compared as they are")
    return notices


def _colors(graded: Graded) -> int | bytes:
    """What the samples mean: the number of the well-known profile that gives the same colors, or
    else the profile; without one sRGB.
    """
    if not graded.icc:
        return GRAY_SRGB if graded.pixels.ndim == 2 else SRGB
    return known_number(graded.icc) or graded.icc


def _graded(name: str, source: Source) -> Graded:
    picture = fill_hidden(read_picture(source))  # what nobody sees has no part in a metric
    pixels = picture.pixels(0, picture.height, 0, picture.width)
    # an opaque one says nothing
    alpha = picture.alpha if picture.alpha is not None and picture.alpha.min() < 255 else None
    return Graded(
        name, np.ascontiguousarray(pixels[:, :, 0]) if picture.gray else pixels, alpha, picture.icc
    )


def _is_ltp(source: str | os.PathLike[str] | bytes) -> bool:
    if isinstance(source, bytes):
        return source.startswith(MAGIC)
    try:
        with open(source, "rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False  # the reader of images says why


def _check_file(name: str, source: str | os.PathLike[str] | bytes) -> None:
    """ImageError for an image file that would have to be converted; files that are no image are
    left to the reader.
    """
    try:
        with (
            no_pillow_limit(),
            open_source(source) as file,
            plugins.open_image(file, file.peek(plugins.HEAD), name) as image,
        ):
            _check_mode(name, image)
    except ImageError:
        raise
    # on damaged files Pillow raises nearly anything; read_picture tells it better
    except Exception:
        return


def _check_mode(name: str, image: Image.Image) -> None:
    deep = color.is_deep(image) or color.is_deep_gray(image) or read_declared(image).bits > 8
    if image.mode[0] in "IF" or deep:
        raise ImageError(
            f"{name} has more than 8 bits a sample: the metrics compare 8-bit pictures, so "
            "convert it first"
        )
    if image.mode not in MODES:
        raise ImageError(f"{name} has the color mode {image.mode}: convert it to gray or RGB first")
    frames = frames_of(image)
    if frames > 1:
        raise ImageError(f"{name} holds {frames} frames: take one of them")
