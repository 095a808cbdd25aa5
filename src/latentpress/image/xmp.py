"""XMP made true and small: sizes as the picture has them, and no words about what is no longer
there.

A packet is altered as text, tag by tag, in time that grows with its length alone; everything else
in it stays as it was. Source: XMP specification part 1 (ISO 16684-1).
"""

from __future__ import annotations

import re

CONTAINER = b"http://ns.google.com/photos/1.0/container/"
CONTAINER_ITEM = b"http://ns.google.com/photos/1.0/container/item/"
CAMERA = b"http://ns.google.com/photos/1.0/camera/"
# Adobe's gain map specification, 1.0; Apple's auxiliary picture.
GAIN_MAP = b"http://ns.adobe.com/hdr-gain-map/1.0/"
APPLE_GAIN_MAP = b"http://ns.apple.com/HDRGainMap/1.0/"

NAME = rb"[A-Za-z_][\w.-]*(?::[\w.-]+)?"
# a name is taken whole: where no tag ends, each part of a long one would be tried otherwise
TAG = re.compile(rb"<(/?)(" + NAME + rb")(?![\w.-])([^<>]*?)(/?)>")
# only the first space of a run begins an attribute: a long run costs no more than its length
ATTRIBUTE = re.compile(rb"(?<!\s)\s+(" + NAME + rb")\s*=\s*(?:\"[^\"]*\"|'[^']*')")
PREFIX = re.compile(rb"xmlns:([\w.-]+)\s*=\s*[\"']([^\"']*)[\"']")
# Where a picture was taken: Exif's names and those of the makers of drones, under any prefix, and
# what programs look up for them (IPTC Photo Metadata Standard 2023.2).
GPS_NAME = rb":(?i:gps\w+|\w*(?:lat|longt?)itude)"
PLACE_NAMES = (
    rb"photoshop:(?:City|State|Country)|Iptc4xmpCore:(?:Location|CountryCode)"
    rb"|Iptc4xmpExt:Location(?:Created|Shown)"
)
GPS_NAMES = rb"[\w.-]+" + GPS_NAME + rb"|" + PLACE_NAMES
# of a tag that was not found
LEFT_GPS = re.compile(rb"(?:" + GPS_NAME + rb"|" + PLACE_NAMES + rb")\s*[=>]")
THUMBNAIL_NAMES = rb"(?:xmp|xap):Thumbnails"
EXTENDED_NAMES = rb"xmpNote:HasExtendedXMP"
FRAME_NAMES = rb"x:\w+|rdf:\w+|xmlns:[\w.-]+|xml:lang"  # of a packet that says nothing
NUMBER = rb")(\s*=\s*[\"']\s*|>\s*)\d{1,9}(?=\s*[\"'<])"  # of an attribute, of an element
WIDTH = re.compile(rb"(exif:PixelXDimension|tiff:ImageWidth" + NUMBER)
HEIGHT = re.compile(rb"(exif:PixelYDimension|tiff:ImageLength" + NUMBER)
ANY_TAG = re.compile(rb"<[^<>]*>")


def true_xmp(xmp: bytes, width: int, height: int, *, keeps_gps: bool = True) -> bytes | None:
    """A packet for an upright picture of this size, without thumbnails.

    Args:
        xmp: the packet, in UTF-8.
        width: columns of the upright picture; what the packet's widths become.
        height: rows, likewise.
        keeps_gps: whether the place where the picture was taken stays.

    Returns:
        The packet; None where nothing is left in it, or where a place may stand in it that is not
        wanted and cannot be found, since it is damaged or in UTF-16.
    """
    names = THUMBNAIL_NAMES if keeps_gps else THUMBNAIL_NAMES + b"|" + GPS_NAMES
    found = without_names(xmp, names)
    if not keeps_gps and (found is None or b"\0" in xmp or LEFT_GPS.search(found)):
        return None
    if found is None:  # damaged: kept as it is
        return xmp
    for size, value in ((WIDTH, width), (HEIGHT, height)):
        found = size.sub(rb"\g<1>\g<2>%d" % value, found)
    return None if found != xmp and is_empty(found) else found


def prefixes_of(xmp: bytes, *namespaces: bytes) -> list[bytes]:
    """The prefixes that a packet gives to these namespaces."""
    return sorted({m[1] for m in PREFIX.finditer(xmp) if m[2] in namespaces})


def without_namespaces(xmp: bytes, *namespaces: bytes) -> bytes | None:
    """The packet without what stands in these namespaces, and without their declarations; None
    where it is damaged, or nothing is left in it.
    """
    prefixes = b"|".join(re.escape(prefix) for prefix in prefixes_of(xmp, *namespaces))
    if not prefixes:
        return xmp
    found = without_names(xmp, rb"(?:" + prefixes + rb"):[\w.-]+|xmlns:(?:" + prefixes + rb")")
    return None if found is None or is_empty(found) else found


def without_names(xmp: bytes, names: bytes) -> bytes | None:
    """The packet without the elements, with all in them, and the attributes whose whole name, with
    its prefix, the expression `names` matches; None where such an element does not end.
    """
    wanted = re.compile(names)
    out = bytearray()
    position = 0  # what is before it is in `out`, or left out
    inside: bytes | None = None  # the name of the element that is being left out
    depth = 0
    for tag in TAG.finditer(xmp):
        is_end, name, attributes, is_whole = tag.groups()
        if inside is not None:
            if name == inside and not is_whole:
                depth += -1 if is_end else 1
            if depth == 0:
                inside = None
                position = tag.end()
        elif wanted.fullmatch(name):
            out += xmp[position : tag.start()]
            position = tag.end()
            if not is_end and not is_whole:
                inside = name
                depth = 1
        else:
            left = ATTRIBUTE.sub(lambda m: b"" if wanted.fullmatch(m[1]) else m[0], attributes)
            out += xmp[position : tag.start(3)] + left
            position = tag.end(3)
    return None if inside is not None else bytes(out + xmp[position:])


def is_empty(xmp: bytes) -> bool:
    """Whether a packet holds the frame of one alone: no property, no text."""
    frame = re.compile(FRAME_NAMES)
    for tag in TAG.finditer(xmp):
        names = [tag[2]] if tag[1] else [tag[2], *(m[1] for m in ATTRIBUTE.finditer(tag[3]))]
        if not all(frame.fullmatch(name) for name in names):
            return False
    return not ANY_TAG.sub(b"", xmp).strip(b" \t\r\n\0\xef\xbb\xbf")
