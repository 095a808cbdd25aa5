"""What of a picture's metadata is taken over: all that a file can hold, made true, less what the
caller strips.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from latentpress.image import companions, metadata
from latentpress.image.color import Converted, to_srgb
from latentpress.image.declared import Declared
from latentpress.image.exif import true_exif
from latentpress.image.known_profiles import GRAY_SRGB, SRGB, known_number
from latentpress.image.metadata_chunks import Metadata
from latentpress.image.pixel_density import read_density
from latentpress.image.text import MAX_TEXT, Text, pack_text, read_text
from latentpress.image.xmp import true_xmp

IPTC_WORDS = "IPTC data"
BAD_EXIF_WORDS = "EXIF that cannot be read"
COMPRESSED_WORDS = {b"Exif": "EXIF compressed by Brotli", b"xml ": "XMP compressed by Brotli"}
# what the name of STRIPPABLE keeps from being told, beside not being taken over
WORDS_OF = {
    "gainmap": (companions.GAIN_MAP_WORDS, companions.VIDEO_WORDS, companions.BESIDE_WORDS),
    "exif": (BAD_EXIF_WORDS, COMPRESSED_WORDS[b"Exif"]),
    "xmp": (companions.EXTENDED_WORDS, COMPRESSED_WORDS[b"xml "]),
    "iptc": (IPTC_WORDS,),
}


@dataclass(frozen=True)
class Found:
    """The metadata that is taken over; Exif's number of the orientation, 1 to 8, that the picture
    had; whether a gain map stood beside it; what was lost against the caller's will, in words.
    """

    metadata: Metadata
    orientation: int
    has_gain_map: bool
    lost: tuple[str, ...]


def find_metadata(
    image: Image.Image,
    strip: Collection[str],
    declared: Declared,
    given: Mapping[str, Any],
) -> Found:
    """The metadata of a loaded image, for the upright picture.

    Args:
        image: loaded.
        strip: names of STRIPPABLE.
        declared: what its file told: XMP, taken where Pillow has none, what of it is compressed,
            a gain map, and whether the decoder has turned the picture already.
        given: as of picture.read_picture.
    """
    icc, exif, xmp, has_bad_exif = metadata.read_metadata(image, given)
    info: dict[Any, Any] = {**image.info, **given}
    if "xmp" not in given:
        xmp = xmp or declared.xmp
    words, xmp = companions.left_out(image, xmp, declared.tone_map)
    words += [text for kind, text in COMPRESSED_WORDS.items() if kind in declared.compressed]
    if has_bad_exif:
        words.append(BAD_EXIF_WORDS)
    if metadata.has_iptc(image):
        words.append(IPTC_WORDS)
    by_exif, exif = metadata.upright_exif(exif) if exif else (0, None)
    by_xmp, xmp = metadata.upright_xmp(xmp) if xmp else (0, None)
    if image.format == "AVIF":  # turned by boxes alone (MIAF), of which Pillow makes Exif's number
        by_xmp = 0
        by_exif = by_exif if info.get("exif") else 0
    if image.format == "TIFF":  # turned by Pillow while it was loaded
        by_xmp = 0
    orientation = 1 if declared.upright else by_exif or by_xmp or 1
    is_turned = orientation >= 5
    width, height = reversed(image.size) if is_turned else image.size
    keeps_gps = "gps" not in strip
    text: Text = ()
    if "text" not in strip:
        text = read_text(image)
        if len(pack_text(text)) > MAX_TEXT:
            words.append(f"texts of more than {MAX_TEXT:,} bytes")
            text = ()
    density = None if "dpi" in strip else read_density(info)
    taken = Metadata(
        icc=icc,
        exif=true_exif(exif, width, height, keeps_gps=keeps_gps)
        if exif and "exif" not in strip
        else None,
        xmp=true_xmp(xmp, width, height, keeps_gps=keeps_gps)
        if xmp and "xmp" not in strip
        else None,
        text=text,
        density=density[::-1] if density and is_turned else density,
    )
    silent = {word for name in strip for word in WORDS_OF.get(name, ())}
    lost = tuple(word for word in words if word not in silent)
    return Found(taken, orientation, companions.GAIN_MAP_WORDS in words, lost)


def without_profile(converted: Converted, icc: bytes) -> Converted:
    """The picture in sRGB, as it is seen without a profile; a damaged profile, or one that does not
    fit, is left out alone.
    """
    if known_number(icc) in (SRGB, GRAY_SRGB):
        return converted
    is_gray = converted.image.mode == "L"
    rgb = to_srgb(converted.image if is_gray else converted.image.convert("RGB"), icc)
    if rgb is None:
        return converted
    told = "colors were converted to sRGB, for the ICC profile is left out"
    notice = f"{converted.notice} and {told}" if converted.notice else told
    return replace(converted, image=rgb.getchannel("G") if is_gray else rgb, notice=notice)
