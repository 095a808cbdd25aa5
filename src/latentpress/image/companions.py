"""What a picture file holds beside its picture and an .ltp file cannot: a gain map, a video, a long
XMP. It is told, and the words about it go too, so that nothing lies.

A gain map is known by its XMP or its segment in JPEG, by the brand of tone-mapped pictures in AVIF
and HEIF, and by Apple's auxiliary picture in HEIF, where the reader names it.

Sources: Android's "Ultra HDR image format" 1.1, "Motion Photo format" 1.0; CIPA DC-007 (previews);
ISO 21496-1; ISO 23008-12 (the brand tmap); XMP specification part 3, 1.1.3.1 (extended XMP).
"""

from __future__ import annotations

import re
from typing import BinaryIO

from PIL import Image

from latentpress.image import xmp as packets

ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"  # how an APP2 segment of such a JPEG begins
TONE_MAP_BRAND = b"tmap"
BRANDS = slice(8, 128)  # where the brands of an AVIF or HEIF file stand; none has more than thirty
APPLE_AUXILIARY = "hdrgainmap"  # the end of the name of Apple's auxiliary picture
JPEG_FORMATS = ("JPEG", "MPO")
MP_ENTRIES, PREVIEW = 0xB002, "Large Thumbnail"  # CIPA DC-007, and Pillow's word for its classes
GAIN_MAP_WORDS = "the HDR gain map"
VIDEO_WORDS = "the motion photo's video"
BESIDE_WORDS = "the pictures beside this one"
EXTENDED_WORDS = "the extended part of XMP"
ITEM = re.compile(rb"Semantic\s*=\s*[\"'](\w+)|:Semantic>\s*(\w+)")  # of a container's directory
VIDEO_NAMES = rb"(?:MotionPhoto|MicroVideo)\w*"


def has_tone_map(file: BinaryIO) -> bool:
    """Whether an AVIF or HEIF file, which begins at position 0, has the brand tmap."""
    file.seek(0)
    start = file.read(BRANDS.stop)
    end = int.from_bytes(start[:4], "big")  # of the first box
    brands = start[BRANDS][: max(end - BRANDS.start, 0)]
    return start[4:8] == b"ftyp" and TONE_MAP_BRAND in (
        brands[i : i + 4] for i in range(0, len(brands), 4)
    )


def count_beside(image: Image.Image) -> int:
    """How many of the frames that an open JPEG file (MPO) has for Pillow are none: smaller copies
    of the first, as of many cameras, and a gain map.
    """
    if image.format != "MPO":
        return 0
    entries = getattr(image, "mpinfo", {}).get(MP_ENTRIES, ())
    previews = sum(entry["Attribute"]["MPType"].startswith(PREVIEW) for entry in entries)
    return previews + _has_jpeg_map(image, image.info.get("xmp", b""))


def left_out(
    image: Image.Image, xmp: bytes | None, tone_map: bool
) -> tuple[list[str], bytes | None]:
    """What is not taken over from a loaded image beside its pixels, in words, and the XMP without
    the names that tell of it. tone_map: what has_tone_map said of its file.

    Only JPEG files are known to hold a gain map that XMP tells of, or a video; in any other image
    such names speak of something that was lost before.
    """
    words = []
    is_jpeg = image.format in JPEG_FORMATS
    packet = xmp or b""
    items = _items(packet) if is_jpeg else set()
    if tone_map or _has_apple_map(image) or (is_jpeg and _has_jpeg_map(image, packet)):
        words.append(GAIN_MAP_WORDS)
    video = _video_names(packet)
    if is_jpeg and (b"MotionPhoto" in items or (video and _says_one(packet, video))):
        words.append(VIDEO_WORDS)
    if items - {b"", b"Primary", b"GainMap", b"MotionPhoto"}:
        words.append(BESIDE_WORDS)
    cleaned: bytes | None = packet
    if b"HasExtendedXMP" in packet:
        words.append(EXTENDED_WORDS)
        cleaned = packets.without_names(packet, packets.EXTENDED_NAMES)
    if cleaned and video:
        cleaned = packets.without_names(cleaned, video)
    if cleaned:
        cleaned = packets.without_namespaces(
            cleaned,
            packets.GAIN_MAP,
            packets.APPLE_GAIN_MAP,
            packets.CONTAINER,
            packets.CONTAINER_ITEM,
        )
    return words, cleaned or None


def _items(packet: bytes) -> set[bytes]:
    """What a container's directory names, and b""."""
    return {found for match in ITEM.findall(packet) for found in match}


def _has_jpeg_map(image: Image.Image, packet: bytes) -> bool:
    """Whether a JPEG file says in its XMP or in a segment that a gain map follows."""
    return (
        b"GainMap" in _items(packet)
        or bool(packets.prefixes_of(packet, packets.GAIN_MAP))
        or any(data.startswith(ISO_GAIN_MAP) for _, data in getattr(image, "applist", ()))
    )


def _has_apple_map(image: Image.Image) -> bool:
    """Whether pillow-heif found Apple's auxiliary picture."""
    auxiliary = image.info.get("aux")
    return isinstance(auxiliary, dict) and any(
        str(name).endswith(APPLE_AUXILIARY) for name in auxiliary
    )


def _video_names(packet: bytes) -> bytes | None:
    """An expression of the names that tell of a video; None where the packet does not know them."""
    prefixes = b"|".join(re.escape(p) for p in packets.prefixes_of(packet, packets.CAMERA))
    return rb"(?:" + prefixes + rb"):" + VIDEO_NAMES if prefixes else None


def _says_one(packet: bytes, names: bytes) -> bool:
    """Whether a name that the expression matches has the value 1: there is a video."""
    return re.search(rb"(?:" + names + rb")(?:\s*=\s*[\"']|>)\s*1\b", packet) is not None
