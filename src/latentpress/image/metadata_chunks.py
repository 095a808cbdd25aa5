"""Metadata <-> bodies of chunks, each under the name of its way of coding; container.py numbers
them.

A well-known ICC profile is one number; anything else is deflated, or stored as it is where that
takes no more bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from latentpress.errors import FormatError
from latentpress.image.deflated import MAX_PLAIN, deflate, inflate
from latentpress.image.known_profiles import known_number, known_profile
from latentpress.image.pixel_density import Density, pack_density, unpack_density
from latentpress.image.text import MAX_TEXT, Text, pack_text, unpack_text

DEFLATED = " deflated"  # behind the name of what is stored as it is otherwise
ICC_KNOWN, TEXT, DENSITY = "icc number", "text", "dpi"


@dataclass(frozen=True)
class Metadata:
    """ICC profile, EXIF (a TIFF stream), XMP, texts and density of a picture, as far as there."""

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    text: Text = ()
    density: Density | None = None


def encode_metadata(metadata: Metadata) -> dict[str, bytes]:
    """Names of chunks and their bodies, of what there is."""
    chunks: dict[str, bytes] = {}
    number = known_number(metadata.icc) if metadata.icc else None
    if number is not None:
        chunks[ICC_KNOWN] = bytes([number])
    elif metadata.icc:
        chunks |= _smallest("icc", metadata.icc)
    if metadata.exif:
        chunks |= _smallest("exif", metadata.exif)
    if metadata.xmp:
        chunks |= _smallest("xmp", metadata.xmp)
    if metadata.text:
        chunks[TEXT] = deflate(pack_text(metadata.text))
    if metadata.density:
        chunks[DENSITY] = pack_density(metadata.density)
    return chunks


def decode_metadata(bodies: Mapping[str, bytes]) -> Metadata:
    """The inverse, of those chunks that are there; FormatError where one is damaged, VersionError
    where it names an unknown profile.
    """
    icc = _plain(bodies, "icc")
    if ICC_KNOWN in bodies:
        if len(bodies[ICC_KNOWN]) != 1:
            raise FormatError("the chunk of the ICC profile's number must hold one byte")
        icc = known_profile(bodies[ICC_KNOWN][0])
    text: Text = ()
    if TEXT in bodies:
        text = unpack_text(inflate(bodies[TEXT], TEXT, MAX_TEXT))
    density = unpack_density(bodies[DENSITY]) if DENSITY in bodies else None
    return Metadata(icc, _plain(bodies, "exif"), _plain(bodies, "xmp"), text, density)


def _smallest(name: str, plain: bytes) -> dict[str, bytes]:
    """The chunk of these bytes that takes the fewest."""
    packed = deflate(plain) if len(plain) <= MAX_PLAIN else plain
    return {name + DEFLATED: packed} if len(packed) < len(plain) else {name: plain}


def _plain(bodies: Mapping[str, bytes], name: str) -> bytes | None:
    """The bytes of the chunk `name`, inflated where they are deflated; None without any."""
    if name + DEFLATED in bodies:
        return inflate(bodies[name + DEFLATED], name)
    return bodies.get(name) or None
