"""Readers and writers of image formats, registered when such a file comes: those of Pillow that it
would only load together with all others, and HEIC and JPEG XL, which have packages of their own.
"""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from latentpress.errors import ImageError
from latentpress.image.tiff import tags

HEAD = 64  # bytes that tell the format
EXTRA = "latentpress[formats]"

# of Pillow's readers those that only tell what a file is
NO_READERS = ("BUFR", "GRIB", "HDF5", "MPEG", "WMF")
# names of formats in Pillow, and of their modules
OWN = {"WEBP": "WebP", "AVIF": "Avif", "TIFF": "Tiff", "TGA": "Tga", "JPEG2000": "Jpeg2K"}


@dataclass(frozen=True)
class Plugin:
    """A format, Pillow's name of it, and the package that reads it."""

    name: str
    format: str
    package: str
    module: str


HEIC = Plugin("HEIC", "HEIF", "pillow-heif", "pillow_heif")
JXL = Plugin("JPEG XL", "JXL", "pillow-jxl-plugin", "pillow_jxl")
# ISO/IEC 23008-12, annex B: still pictures and sequences in HEVC; mif1 and msf1 are for any codec
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
SUBFILE_TYPE, SUB_IFDS = 0x00FE, 0x014A  # of TIFF
REDUCED = 1  # bit of the former
JXL_SIGNATURES = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def plugin_for(head: bytes) -> Plugin | None:
    """The plugin that a file with these first bytes needs; None for what Pillow knows itself."""
    if head.startswith(JXL_SIGNATURES):
        return JXL
    if head[4:8] == b"ftyp":
        size = max(16, min(int.from_bytes(head[:4], "big"), len(head)))
        brands = [head[8:12], *(head[i : i + 4] for i in range(16, size, 4))]
        if b"avif" not in brands and any(brand in HEIC_BRANDS for brand in brands):
            return HEIC
    return None


def readable_suffixes() -> frozenset[str]:
    """Suffixes, in lower case, of the files that Pillow reads now."""
    known = Image.registered_extensions()
    return frozenset(s for s, f in known.items() if f in Image.OPEN and f not in NO_READERS)


def load_own(format: str) -> None:
    """Register one of Pillow's formats by its name there, where it is one of OWN. On its own Pillow
    loads forty modules when it meets the first of these, a tenth of a second.
    """
    if format in OWN and format not in Image.OPEN:
        with contextlib.suppress(ImportError):  # which Pillow tells
            importlib.import_module(f"PIL.{OWN[format]}ImagePlugin")


def own_format(head: bytes) -> str:
    """Of OWN, what a file with these first bytes is; "" where it is none of them."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return "AVIF"
    return "TIFF" if head.startswith((b"II*\0", b"MM\0*")) else ""


def register(plugin: Plugin) -> bool:
    """Make Pillow read the format, unless it does so already; whether its package is here."""
    Image.init()
    if plugin.format in Image.OPEN:
        return True
    try:
        module = importlib.import_module(plugin.module)  # pillow_jxl registers itself
    except ImportError:
        return False
    if plugin is HEIC:
        module.register_heif_opener()
    return True


def is_preview(image: Image.Image) -> bool:
    """Whether an open image is a reduced copy of what its file is about, as in the raw files of
    most cameras: it is marked so, and the pictures of sub-IFDs, which Pillow does not read, follow.
    """
    found = tags(image)
    kind = found.get(SUBFILE_TYPE)
    return isinstance(kind, int) and bool(kind & REDUCED) and SUB_IFDS in found


def open_image(file: BinaryIO, head: bytes, name: str) -> Image.Image:
    """Image.open, with the plugin that the file asks for.

    Args:
        file: at its beginning.
        head: its first bytes, HEAD of them where there are so many.
        name: for the message.

    Raises:
        ImageError: the plugin's package is not installed, or Pillow reads a preview alone.
        UnidentifiedImageError: of a kind that is not known.
    """
    load_own(own_format(head))
    plugin = plugin_for(head)
    missing = plugin is not None and not register(plugin)
    try:
        image = Image.open(file)
    except UnidentifiedImageError:
        if plugin is not None and missing:
            raise ImageError(
                f"{name}: {plugin.name} pictures need the package {plugin.package}: "
                f"pip install '{EXTRA}'"
            ) from None
        raise
    if is_preview(image):
        raise ImageError(
            f"{name}: only a preview of {image.width} x {image.height} pixels can be read, as of a "
            "camera's raw file: develop it to a TIFF or JPEG file first"
        )
    return image
