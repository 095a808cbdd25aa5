"""Metadata of a picture: EXIF and XMP as bytes, with the orientation taken out and everything else
left as it was.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any

from PIL import Image, PngImagePlugin

from latentpress.image.exif import EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD, ORDERS
from latentpress.image.tiff import tags

EXIF_PREFIX = b"Exif\x00\x00"
ORIENTATION = 0x0112
IPTC_TAG = 0x83BB  # of TIFF
IPTC_TEXT = "Raw profile type iptc"  # ImageMagick's keyword in a PNG file
RAW_EXIF = "Raw profile type exif"  # likewise
IPTC_RESOURCE = b"8BIM\x04\x04"
PHOTOSHOP_TAG = 0x8649  # of TIFF
PSD_IPTC, PSD_EXIF, PSD_XMP = 0x0404, 0x0422, 0x0424  # numbers of Photoshop's image resources
XMP_ORIENTATION = re.compile(
    rb"""(tiff:Orientation\s*=\s*["']\s*|<tiff:Orientation>\s*)([1-8])(?=\s*["'<])"""
)

# The tags of a TIFF file that describe the picture; the others describe how the file stores it.
TIFF_DESCRIPTION = (
    0x010E,
    0x010F,
    0x0110,
    0x011A,
    0x011B,
    0x0128,
    0x0131,
    0x0132,
    0x013B,
    0x013C,
    0x4746,
    0x4749,
    0x8298,
    0x9C9B,
    0x9C9C,
    0x9C9D,
    0x9C9E,
    0x9C9F,
)
TIFF_RESOLUTION = {0x011A, 0x011B, 0x0128}
SUB_IFDS = (EXIF_IFD, GPS_IFD)


class Verbatim(str):
    """A text of a TIFF tag. Pillow reads its bytes as Latin-1 whatever they are, and would write
    question marks for those beyond ASCII: this one is written as it was read.
    """

    __slots__ = ()

    def encode(self, encoding: str = "latin-1", errors: str = "strict") -> bytes:
        """Its bytes, whatever encoding is asked for."""
        return super().encode("latin-1", "replace")


def read_metadata(
    image: Image.Image, given: Mapping[str, Any]
) -> tuple[bytes | None, bytes | None, bytes | None, bool]:
    """ICC profile, EXIF and XMP of a loaded image, each as it stood in the file, None when there is
    none; and whether there is EXIF that Pillow cannot give as one block.

    given: what counts in the place of the image's own, under Pillow's names. EXIF is a TIFF stream
    without the prefix "Exif\\0\\0".
    """
    icc = given["icc_profile"] if "icc_profile" in given else image.info.get("icc_profile")
    xmp = given["xmp"] if "xmp" in given else _xmp(image)
    if isinstance(xmp, str):
        xmp = xmp.encode("utf-8", "surrogateescape")
    is_lost = False
    try:
        exif = given["exif"] if "exif" in given else _exif(image, xmp)
    except MemoryError:
        raise
    except Exception:  # as with damaged images, nearly anything
        exif, is_lost = None, True
    if isinstance(exif, Image.Exif):
        exif = exif.tobytes()
    while isinstance(exif, bytes) and exif.startswith(EXIF_PREFIX):
        exif = exif[len(EXIF_PREFIX) :]
    icc, exif, xmp = (v if isinstance(v, bytes) and v else None for v in (icc, exif, xmp))
    return icc, exif, xmp, is_lost


def upright_exif(exif: bytes) -> tuple[int, bytes]:
    """Orientation 1 to 8 of an EXIF block (0: not there), and the block with orientation 1; only
    these bytes differ.

    Source: Exif 2.32, tag 0x0112 of the 0th IFD.
    """
    patched = bytearray(exif)
    found = 0
    try:
        order = ORDERS[exif[:2]]
        (ifd,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, ifd)
        for entry in range(ifd + 2, ifd + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(order + "HHI", exif, entry)
            code = {1: "B", 3: "H", 4: "I"}.get(kind)
            if tag == ORIENTATION and count == 1 and code:
                (value,) = struct.unpack_from(order + code, exif, entry + 8)
                if 1 <= value <= 8:
                    found = found or value
                    struct.pack_into(order + code, patched, entry + 8, 1)
    except (KeyError, struct.error):  # damaged: kept as it is
        pass
    return found, bytes(patched)


def upright_xmp(xmp: bytes) -> tuple[int, bytes]:
    """Orientation 1 to 8 of an XMP packet (0: not there), and the packet of the same length with
    orientation 1.
    """
    match = XMP_ORIENTATION.search(xmp)
    return (int(match[2]) if match else 0), XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def has_iptc(image: Image.Image) -> bool:
    """Whether a loaded image carries IPTC data, which a picture of ours does not keep."""
    photoshop = image.info.get("photoshop")
    found = tags(image)
    block = found.get(PHOTOSHOP_TAG)
    return (
        IPTC_TEXT in (getattr(image, "text", None) or ())
        or IPTC_TAG in found
        or (isinstance(block, bytes) and IPTC_RESOURCE in block)
        or _resource(image, PSD_IPTC) is not None
        or (isinstance(photoshop, dict) and 0x0404 in photoshop)
        or (isinstance(photoshop, bytes) and IPTC_RESOURCE in photoshop)
    )


def _exif(image: Image.Image, xmp: Any) -> bytes:
    """The EXIF block of a loaded image; b"" where there is none, though Pillow makes a tag of the
    orientation in its XMP then, and where it was taken out of `info`, though Pillow has read it.
    """
    exif = image.info.get("exif") or _resource(image, PSD_EXIF)
    if isinstance(exif, bytes) and exif:
        return exif
    # TIFF tags, ImageMagick's text chunk in a PNG, or what the caller set
    found = image.getexif()
    if getattr(found, "_loaded_exif", None) and RAW_EXIF not in image.info:
        return b""
    if isinstance(xmp, bytes) and dict(found) == {ORIENTATION: upright_xmp(xmp)[0]}:
        return b""
    if image.format == "TIFF":
        described = description(found)
        found = Image.Exif()
        found.update(described)
    return found.tobytes() if len(found) else b""


def _xmp(image: Image.Image) -> Any:
    text = image.info.get("XML:com.adobe.xmp")
    if isinstance(text, PngImagePlugin.iTXt):  # beside "xmp", unless that was taken out
        text = None
    return image.info.get("xmp") or text or _resource(image, PSD_XMP)


def _resource(image: Image.Image, number: int) -> bytes | None:
    """An image resource of a PSD file, which Pillow reads and leaves where it is."""
    found = {n: data for n, _, data in getattr(image, "resources", ()) if image.format == "PSD"}
    return found.get(number)


def description(exif: Image.Exif) -> dict[int, Any]:
    """The tags and sub-IFDs that describe the picture, as Pillow's `tiffinfo`; empty when there is
    nothing but a resolution.
    """
    found = _verbatim({tag: exif[tag] for tag in TIFF_DESCRIPTION if tag in exif})
    found |= {tag: _verbatim(ifd) for tag in SUB_IFDS if (ifd := exif.get_ifd(tag))}
    for ifd in (found.get(tag, {}) for tag in SUB_IFDS):
        if INTEROPERABILITY_IFD in ifd:  # an offset in the block that it was read from
            ifd[INTEROPERABILITY_IFD] = _verbatim(exif.get_ifd(INTEROPERABILITY_IFD))
    return {} if set(found) <= TIFF_RESOLUTION else found


def _verbatim(values: dict[int, Any]) -> dict[int, Any]:
    return {tag: Verbatim(v) if isinstance(v, str) else v for tag, v in values.items()}
