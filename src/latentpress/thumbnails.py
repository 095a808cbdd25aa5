"""Small pictures of .ltp files in about half of the time, by a linear map from the latent instead
of the synthesis network (`transforms/lp1_quarter.py`).

The file is decoded and verified as by `codec.decompress`; what is saved is stage 2. Files of the
Stable Diffusion spaces have no such map: they are decoded whole, and reduced.
"""

from __future__ import annotations

from PIL import Image

from latentpress import codec, container
from latentpress.errors import UsageError
from latentpress.image.color import to_srgb
from latentpress.parts import load_transform
from latentpress.spaces import LP1
from latentpress.system.sources import ByteSource, reading
from latentpress.transforms.lp1_quarter import (
    REDUCTION,
    is_shipped,
    reduced_size,
    synthesize_quarter,
)

__all__ = ["decompress_quarter", "thumbnail"]


def thumbnail(
    data: ByteSource, size: int = 256, *, model: str | None = None, device: str = "auto"
) -> Image.Image:
    """A picture of a file that fits into a square, its sides in proportion; never enlarged.

    Args:
        data: a whole file: a path, its bytes, or an open binary file.
        size: pixels of the square's side, 1 or more.
        model: as of `codec.decompress`.
        device: likewise.

    Returns:
        The picture in sRGB, mode RGB, RGBA, L or LA, without metadata. Where a quarter of the
        file's width and height holds it, it is made of that, and else of the whole picture.

    Raises:
        FormatError: the bytes are no valid file.
        ImageError: the file cannot be read.
        WeightsError: weights are missing or do not fit.
        UsageError: the size is below 1, or the device is not there.

    Example:
        >>> import numpy as np, latentpress
        >>> data = latentpress.compress(np.zeros((480, 640, 3), np.uint8))
        >>> latentpress.thumbnails.thumbnail(data, 128).size
        (128, 96)
    """
    if size < 1:
        raise UsageError(f"the size of a thumbnail is 1 pixel or more, not {size}")
    with reading(data) as whole:
        header = container.read_header(whole)
        is_enough = max(reduced_size(header.width, header.height)) >= size
        decode = decompress_quarter if is_enough else codec.decompress
        image = decode(whole, model=model, device=device)
    image.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=None)
    return _plain(image)


def decompress_quarter(
    data: ByteSource, *, model: str | None = None, device: str = "auto"
) -> Image.Image:
    """The image of a file at a quarter of its width and height.

    Args:
        data: a whole file: a path, its bytes, or an open binary file.
        model: as of `codec.decompress`.
        device: likewise.

    Returns:
        As `codec.decompress` gives it, reduced: ceil(width / 4) x ceil(height / 4) pixels.

    Raises:
        FormatError, ImageError, WeightsError, UsageError: as `codec.decompress`.

    Example:
        >>> decompress_quarter(latentpress.compress(np.zeros((48, 61, 3), np.uint8))).size
        (16, 12)
    """
    with reading(data) as whole:
        header, chunks = container.unpack(whole)
        if not header.has_latent:
            return codec.put_together((), header, chunks, REDUCTION).image()
        if header.latent_space != LP1 or not is_shipped():
            return _reduced(codec.decompress(whole, model=model, device=device))
        load_transform(LP1, model, device)  # refuses what `codec.decompress` does
        latent = codec.decode(header, chunks)
        pixels = synthesize_quarter(latent, header.width, header.height)
        return codec.put_together(pixels, header, chunks, REDUCTION).image()


def _reduced(image: Image.Image) -> Image.Image:
    small = image.reduce(REDUCTION)
    small.info = image.info
    return small


def _plain(image: Image.Image) -> Image.Image:
    """The image in sRGB, where its profile can be followed, and nothing beside the pixels."""
    icc = image.info.get("icc_profile")
    alpha = image.getchannel("A") if "A" in image.mode else None
    if icc:
        colors = image.convert("L" if image.mode in ("L", "LA") else "RGB")
        converted = to_srgb(colors, icc)
        if converted is not None:
            if alpha is not None:
                converted.putalpha(alpha)
            image = converted
    image.info = {}
    return image
