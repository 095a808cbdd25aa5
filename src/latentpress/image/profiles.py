"""ICC profiles: made from primaries and a curve, and checked before they are kept (ICC.1:2022).

Pillow's ImageCms makes none but sRGB, Lab and XYZ, hence the writer here.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import numpy as np

from latentpress.image.cicp import BT709, PRIMARIES, SRGB_CURVE, Cicp, Curve
from latentpress.image.colorimetry import D50, Matrix, adaptation, to_xyz, white_of

HEADER = 128  # bytes
SPACES = {b"RGB ": "RGB", b"GRAY": "gray", b"CMYK": "CMYK", b"Lab ": "Lab", b"XYZ ": "XYZ"}
WORDS = {"L": "gray", "RGB": "RGB"}
CHROMATICITY_TOLERANCE = 0.003  # of x and y: what counts as sRGB's primaries and white
GAMMA_TOLERANCE = 0.005  # of PNG's gAMA, 1 / gamma: 0.45 and 0.45455 both stand for sRGB's curve
COPYRIGHT = "CC0"


def is_srgb(primaries: Sequence[float], curve: Curve) -> bool:
    """Whether pictures without a profile, which viewers take for sRGB, show these colors."""
    near = np.abs(np.subtract(primaries, PRIMARIES[BT709])).max() <= CHROMATICITY_TOLERANCE
    return bool(near) and is_srgb_curve(curve)


def is_srgb_curve(curve: Curve) -> bool:
    """Whether a curve is sRGB's, or the gamma of 2.2 by which PNG files stand for it."""
    power = curve[1:] == (1.0, 0.0, 0.0, 0.0)
    return curve == SRGB_CURVE or (power and abs(1 / curve[0] - 1 / 2.2) <= GAMMA_TOLERANCE)


def make_profile(name: str, primaries: Sequence[float], curve: Curve) -> bytes:
    """A display profile (matrix and curve, version 4.3) for RGB; the same bytes every time.

    Args:
        name: its description, for people.
        primaries: CIE 1931 (x, y) of red, green, blue and white, 8 numbers.
        curve: sample to linear light, see cicp.py.

    Raises:
        ValueError: the primaries span no triangle around the white.
    """
    colors = to_xyz(primaries)  # which checks the white, too
    white = white_of(primaries)
    colorants = adaptation(white) @ colors
    trc = _parametric(curve)
    return pack_profile(
        b"RGB ",
        [
            (b"desc", text_tag(name)),
            (b"cprt", text_tag(COPYRIGHT)),
            (b"wtpt", _xyz(D50)),
            (b"chad", b"sf32" + bytes(4) + _fixed(*adaptation(white).ravel())),
            *((tag, _xyz(colorants[:, i])) for i, tag in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))),
            *((tag, trc) for tag in (b"rTRC", b"gTRC", b"bTRC")),
        ],
    )


def make_gray_profile(name: str, curve: Curve) -> bytes:
    """A display profile for gray whose samples become light by this curve."""
    return _gray_profile(name, _parametric(curve))


def fitting(icc: bytes, mode: str) -> tuple[bytes | None, str | None]:
    """The profile as a picture of this mode can carry it, or None and why it cannot.

    Bytes after its end are cut off, which libpng refuses. A gray picture with a profile for RGB
    gets the profile for gray that shows the same.

    Args:
        icc: a profile.
        mode: "L" or "RGB", with or without alpha.

    Returns:
        (profile, None) or (None, the rest of a sentence about the profile).
    """
    mode = "L" if mode in ("L", "LA", "1") else "RGB"
    if len(icc) < HEADER + 4 or icc[36:40] != b"acsp":
        return None, "it is damaged"
    (size,) = struct.unpack_from(">I", icc)
    if size > len(icc):
        return None, f"it is cut off, {len(icc)} bytes of {size}"
    icc = icc[: max(size, HEADER + 4)]
    tags = _tags(icc)
    if tags is None:
        return None, "it is damaged"
    space = icc[16:20]
    if space == b"RGB " and mode == "L":
        curves = {tags.get(tag) for tag in (b"rTRC", b"gTRC", b"bTRC")}
        [trc] = curves if len(curves) == 1 else [None]
        if trc is None:
            return None, "it is for RGB colors, and the picture is gray"
        icc = _gray_profile("Grey", trc)
    elif space != {"L": b"GRAY", "RGB": b"RGB "}[mode]:
        found = SPACES.get(space, "other")
        return None, f"it is for {found} colors, and the picture is {WORDS[mode]}"
    return (icc, None) if _is_usable(icc, mode) else (None, "it is damaged")


def code_points(icc: bytes) -> Cicp | None:
    """The H.273 numbers of a profile's `cicp` tag (ICC.1:2022, 9.2.17); None where it has none."""
    body = (_tags(icc) or {}).get(b"cicp", b"")
    return Cicp(body[8], body[9]) if len(body) >= 12 and body[:4] == b"cicp" else None


def _is_usable(icc: bytes, mode: str) -> bool:
    """Whether LittleCMS can show a picture through it."""
    from PIL import ImageCms

    try:
        ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB"), mode, "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError):
        return False
    return True


def _tags(icc: bytes) -> dict[bytes, bytes] | None:
    """The bodies of a profile's tags; None where one lies outside."""
    found = {}
    try:
        (count,) = struct.unpack_from(">I", icc, HEADER)
        for i in range(count):
            tag, start, size = struct.unpack_from(">4sII", icc, HEADER + 4 + 12 * i)
            if start + size > len(icc):
                return None
            found[tag] = icc[start : start + size]
    except struct.error:
        return None
    return found


def _gray_profile(name: str, trc: bytes) -> bytes:
    tags = [(b"desc", text_tag(name)), (b"cprt", text_tag(COPYRIGHT)), (b"wtpt", _xyz(D50))]
    return pack_profile(b"GRAY", [*tags, (b"kTRC", trc)])


def pack_profile(space: bytes, tags: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Header (ICC.1:2022, 7.2), tag table and bodies, equal ones once, at multiples of four."""
    offset, table, body = HEADER + 4 + 12 * len(tags), b"", b""
    places: dict[bytes, int] = {}
    for tag, data in tags:
        if data not in places:
            places[data] = offset + len(body)
            body += data + bytes(-len(data) % 4)
        table += tag + struct.pack(">II", places[data], len(data))
    header = struct.pack(
        ">I4xI4s4s4s6H4s28x", offset + len(body), 0x04300000, b"mntr", space, b"XYZ ",
        2026, 1, 1, 0, 0, 0, b"acsp",
    )  # fmt: skip
    header = (header + _fixed(*D50)).ljust(HEADER, b"\0")
    return header + struct.pack(">I", len(tags)) + table + body


def _parametric(curve: Curve) -> bytes:
    """A parametricCurveType: function 0 for a plain power, else 3."""
    if curve[1:] == (1.0, 0.0, 0.0, 0.0):
        return b"para" + struct.pack(">4xHH", 0, 0) + _fixed(curve[0])
    return b"para" + struct.pack(">4xHH", 3, 0) + _fixed(*curve)


def text_tag(text: str) -> bytes:
    """A multiLocalizedUnicodeType with one text."""
    data = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4xII4sII", 1, 12, b"enUS", len(data), 28) + data


def _xyz(value: Matrix) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*value)


def _fixed(*values: float) -> bytes:
    """s15Fixed16Number, big-endian."""
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))
