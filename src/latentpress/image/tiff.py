"""The tags of TIFF files, and samples that Pillow reads otherwise than they say."""

from __future__ import annotations

from typing import Any

from PIL import Image

# tags and what they say
BITS, PHOTOMETRIC, PLANAR, SAMPLE_FORMAT = 0x0102, 0x0106, 0x011C, 0x0153
WHITE_IS_ZERO, IN_PLANES, UNSIGNED = 0, 2, 1
# Pillow's names of big-endian samples, and of the same in this machine's order
NATIVE = {"F;32BF": "F;32NF", "I;16BS": "I;16NS", "I;32BS": "I;32NS"}


def tags(image: Image.Image) -> Any:
    """The tags of an open TIFF file, by their numbers; none of any other image."""
    return getattr(image, "tag_v2", None) or {}


def white(image: Image.Image) -> int:
    """The largest sample of an open image in mode I;16: TIFF files may hold 12 bits, which Pillow
    leaves as they are.
    """
    return 4095 if 12 in tags(image).get(BITS, ()) else 65535


def is_negative(image: Image.Image) -> bool:
    """Whether the least sample of an open image is white. Pillow turns such TIFF files of up to 8
    bits, and leaves deeper ones as they are.
    """
    return image.mode[0] in "IF" and tags(image).get(PHOTOMETRIC) == WHITE_IS_ZERO


def is_unsigned(image: Image.Image) -> bool:
    """Whether the samples of an open image are whole numbers of 32 bits without a sign, which
    Pillow takes for such with one.
    """
    found = tags(image)
    is_32 = image.mode == "I" and 32 in found.get(BITS, ())
    return is_32 and UNSIGNED in found.get(SAMPLE_FORMAT, (UNSIGNED,))


def mend_samples(image: Image.Image) -> None:
    """Have the samples of a TIFF file, not loaded yet, read as what they are. ValueError where that
    is not possible.
    """
    _mend_order(image)
    _mend_planes(image)


def _mend_order(image: Image.Image) -> None:
    """Have floats and numbers with a sign of a compressed TIFF file, not loaded yet, read in this
    machine's order, in which libtiff gives them; Pillow takes them to be in that of the file.
    """
    tiles: Any = getattr(image, "tile", ())
    for i, tile in enumerate(tiles):
        if tile[0] == "libtiff" and tile[3][0] in NATIVE:
            tiles[i] = tile._replace(args=(NATIVE[tile[3][0]], *tile[3][1:]))


def _mend_planes(image: Image.Image) -> None:
    """Have the planes of an uncompressed TIFF file, not loaded yet, read with 16 bits a sample
    where they have as many; Pillow takes every byte for a sample. ValueError where it cannot.
    """
    found = tags(image)
    tiles: Any = getattr(image, "tile", ())
    if found.get(PLANAR) == IN_PLANES and image.mode in ("LA", "La", "PA"):
        raise ValueError("gray or a palette with alpha in planes is not known")
    if found.get(PLANAR) != IN_PLANES or 16 not in found.get(BITS, ()):
        return
    if image.mode == "CMYK" and any(tile[0] == "raw" for tile in tiles):
        raise ValueError("CMYK of 16 bits in planes is not known")
    order = "L" if found.prefix == b"II" else "B"
    for i, tile in enumerate(tiles):
        if tile[0] == "raw" and tile[3][0] in ("R", "G", "B", "A"):
            tiles[i] = tile._replace(args=(f"{tile[3][0]};16{order}", *tile[3][1:]))
