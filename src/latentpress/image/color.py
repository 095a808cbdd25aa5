"""From every color mode of Pillow to 8-bit gray, RGB or RGBA: what is lossless, what is not, and
how it is told.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentpress.image.tiff import BITS, is_negative, is_unsigned, tags, white

BAND_PIXELS = 1 << 22  # pixels converted at a time: bounds the memory of the intermediate floats
# 16 bits in Pillow's terms of how samples lie in a file: raw ones, SGI's, half floats of a DDS file
DEEP = (";16", "SGI16", "BC6H")


@dataclass(frozen=True)
class Converted:
    """`image` in mode L, RGB or RGBA (its fourth channel is `alpha`'s), `alpha` in mode L or None,
    and what happened on the way.
    """

    image: Image.Image
    alpha: Image.Image | None = None
    notice: str | None = None
    lossy: bool = False
    keeps_icc: bool = True


def is_deep(image: Image.Image) -> bool:
    """Whether Pillow will cut the samples of this image, not loaded yet, from 16 bits to 8: it
    keeps the high byte of RGB and RGBA.

    That is less than one level from v / 257, and exact for 8-bit pictures stored in 16 bits.
    """
    lies = [f"{tile[0]} {tile[3]}" for tile in getattr(image, "tile", ())]
    is_known = any(sign in how for how in lies for sign in DEEP) or 16 in tags(image).get(BITS, ())
    return image.mode[0] in "LR" and is_known


def is_deep_gray(image: Image.Image) -> bool:
    """Whether this image, not loaded yet, is 16-bit gray with alpha, which Pillow reads as RGBA."""
    return any("LA;16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def convert(image: Image.Image, icc: bytes | None, bits: int = 8) -> Converted:
    """Convert a loaded image; bits: of a sample in its file. Never changes it. Raises what Pillow
    raises when it knows no conversion.
    """
    mode = image.mode
    if mode in ("1", "L", "RGB"):
        return _plain(image, bits)
    if mode == "RGBA":
        return Converted(image, image.getchannel("A"))
    if mode == "LA":
        return Converted(image.getchannel("L"), image.getchannel("A"))
    if mode in ("P", "PA"):
        return _palette(image)
    if mode in ("La", "RGBa"):
        straight = convert(image.convert(mode.upper()), icc)
        return Converted(
            straight.image, straight.alpha, "premultiplied colors were divided by their alpha"
        )
    if mode == "RGBX":
        return Converted(image.convert("RGB"), notice="the unused fourth channel was left out")
    if mode == "CMYK":
        return _cmyk(image, icc)
    if mode == "F" or mode.startswith("I"):
        return _deep(image)
    return Converted(
        image.convert("RGB"),
        notice=f"{mode} colors were converted to sRGB",
        lossy=True,
        keeps_icc=False,
    )


def to_srgb(image: Image.Image, icc: bytes) -> Image.Image | None:
    """An image in mode L, RGB or CMYK through its ICC profile to sRGB, mode RGB; None where the
    profile is damaged or of other colors.

    Relative colorimetric with black point compensation. Gray without LittleCMS's optimization,
    which is up to 10 levels off in the dark of linear samples.
    """
    from PIL import ImageCms  # most pictures need no conversion

    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    if image.mode == "L":
        flags |= ImageCms.Flags.NOOPTIMIZE
    try:
        rgb = ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB",
            flags=flags,
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError):
        return None
    return cast(Image.Image, rgb)


def _plain(image: Image.Image, bits: int) -> Converted:
    """1, L and RGB, with the one transparent color that PNG allows them, which Pillow leaves as it
    is stored where it brings the samples to 8 bits.
    """
    notice = None
    color = image.info.get("transparency")
    if isinstance(color, int) and bits < 8:
        image = image.copy()
        image.info["transparency"] = min(255, color * 255 // ((1 << bits) - 1))
    elif isinstance(color, tuple) and bits == 16:
        image = image.copy()
        image.info["transparency"] = tuple(value >> 8 for value in color)
    if image.mode == "1":
        image = image.convert("L")
        notice = "black and white became 8-bit gray"
    if "transparency" in image.info:
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")
        colors = image if image.mode == "RGBA" else image.getchannel("L")
        return Converted(
            colors, image.getchannel("A"), "the transparent color became an alpha channel"
        )
    return Converted(image, notice=notice)


def _palette(image: Image.Image) -> Converted:
    if image.palette is None:  # a PNG without PLTE: Pillow opens it, and then knows no colors
        raise ValueError("its palette is missing")
    if image.mode == "PA" or image.has_transparency_data:
        # Pillow writes the alpha into the palette of the image that it converts
        rgba = image.copy().convert("RGBA")
        return Converted(
            rgba, rgba.getchannel("A"), "palette colors became RGB with an alpha channel"
        )
    return Converted(image.convert("RGB"), notice="palette colors became RGB")


def _cmyk(image: Image.Image, icc: bytes | None) -> Converted:
    """CMYK through its profile to sRGB; without one by Pillow's formula."""
    rgb = to_srgb(image, icc) if icc else None
    if rgb is not None:
        text = "CMYK colors were converted to sRGB through their ICC profile"
        return Converted(rgb, notice=text, lossy=True, keeps_icc=False)
    text = "CMYK colors were converted to RGB without a usable ICC profile"
    return Converted(image.convert("RGB"), notice=text, lossy=True, keeps_icc=False)


def _deep(image: Image.Image) -> Converted:
    """I;16, I and F: 16-bit values v become round(v / 257); other ranges are stretched, and the
    notice says from where to where.
    """
    low, high = (0.0, float(white(image))) if image.mode.startswith("I;16") else _range(image)
    if low == 0 and high in (4095, 65535):
        notice = f"{int(high).bit_length()}-bit samples were scaled to 8 bits"
    else:
        kind = "floating-point" if image.mode == "F" else "32-bit"
        notice = f"{kind} samples from {low:g} to {high:g} were scaled to 8 bits"
    transparent = image.info.get("transparency")
    gray = Image.new("L", image.size)
    alpha = Image.new("L", image.size, 255) if isinstance(transparent, int) else None
    for top, band in _bands(image):
        scaled = np.rint(
            (np.nan_to_num(band.astype(np.float64).clip(low, high), nan=low) - low)
            * (255 / (high - low))
        )
        if is_negative(image):
            scaled = 255 - scaled
        gray.paste(Image.fromarray(scaled.astype(np.uint8)), (0, top))
        if alpha is not None:
            alpha.paste(
                Image.fromarray(np.where(band == transparent, 0, 255).astype(np.uint8)), (0, top)
            )
    return Converted(gray, alpha, notice, lossy=True)


def _range(image: Image.Image) -> tuple[float, float]:
    """The range that becomes 0 to 255: the customary one that holds every finite sample, or else
    the samples' own.
    """
    low, high = np.inf, -np.inf
    for _, band in _bands(image):
        finite = band[np.isfinite(band)]
        if finite.size:
            low = min(low, float(finite.min()))
            high = max(high, float(finite.max()))
    for customary in (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,):
        if low >= 0 and high <= customary:
            return 0.0, customary
    return (low, high) if low < high else (0.0, 1.0) if low > high else (low, low + 1)


def _bands(image: Image.Image) -> Iterator[tuple[int, NDArray[Any]]]:
    """The first row and the samples of each horizontal band of a one-channel image."""
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        band = np.asarray(image.crop((0, top, image.width, min(image.height, top + rows))))
        yield top, band.view(np.uint32) if is_unsigned(image) else band
