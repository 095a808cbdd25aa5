"""The well-known ICC profiles, each one number in a file: a profile counts as one of them by the
colors that it gives, never by its name.

A decoder gives back a profile of its own making, at most one level of 8 bits from the one that
was there, for every color; the bytes are another profile's.
"""

from __future__ import annotations

import io
import struct
from functools import cache

import numpy as np
from PIL import Image

from latentpress.errors import VersionError
from latentpress.image.profiles import pack_profile, text_tag

SRGB, DISPLAY_P3, ADOBE_RGB, GRAY_GAMMA_22, GRAY_SRGB = 1, 2, 3, 4, 5
TOLERANCE = 1  # levels of 8 bits between an equivalent profile and the one that was there

ONE = 65536  # of s15Fixed16Number, ICC.1:2022, 4.6
D50 = (63190, 65536, 54061)  # ICC.1:2022, 7.2.16: the illuminant of the connection space
# Bradford's adaptation of D65, x = .3127, y = .3290, to D50 (ICC.1:2022, Annex E.3).
FROM_D65 = (68674, 1502, -3291, 1939, 64912, -1119, -606, 988, 49262)
# Red, green and blue, X Y Z each, adapted so; their sum is D50, so that gray has no cast.
# sRGB: IEC 61966-2-1. Display P3: SMPTE EG 432-1 with D65. Adobe RGB (1998) Color Image Encoding.
COLORANTS = {
    SRGB: ((28576, 14581, 912), (25239, 46983, 6361), (9375, 3972, 46788)),
    DISPLAY_P3: ((33759, 15807, -69), (19135, 45366, 2745), (10296, 4363, 51385)),
    ADOBE_RGB: ((39960, 20389, 1276), (13453, 41004, 3989), (9777, 4143, 48796)),
}
# parametricCurveType (ICC.1:2022, 10.18): the function's number and its parameters.
SRGB_CURVE = (3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
ADOBE_CURVE = (0, (563 / 256,))
GAMMA_22 = (0, (2.2,))
CURVES = {
    SRGB: SRGB_CURVE,
    DISPLAY_P3: SRGB_CURVE,
    ADOBE_RGB: ADOBE_CURVE,
    GRAY_GAMMA_22: GAMMA_22,
    GRAY_SRGB: SRGB_CURVE,
}
NAMES = {
    SRGB: "sRGB",
    DISPLAY_P3: "Display P3",
    ADOBE_RGB: "compatible with Adobe RGB (1998)",
    GRAY_GAMMA_22: "Gray, gamma 2.2",
    GRAY_SRGB: "Gray, curve of sRGB",
}
COPYRIGHT = "No copyright, use freely"

HEADER_BYTES = 128  # ICC.1:2022, 7.2
MAX_MATCHED = 1 << 20  # bytes; a larger profile is no well-known one
TABLE_TAGS = (b"A2B", b"B2A", b"D2B", b"B2D")  # tables, whose colors depend on the intent
GRID = 9  # levels a channel of the colors that are compared


def known_number(icc: bytes) -> int | None:
    """The number of the well-known profile that gives the same colors as `icc`, within TOLERANCE
    in each of GRID ** 3 colors and 256 grays; None where there is none, or `icc` is damaged.
    """
    if not HEADER_BYTES + 4 <= len(icc) <= MAX_MATCHED or icc[36:40] != b"acsp":
        return None
    if icc[20:24] != b"XYZ " or any(tag[:3] in TABLE_TAGS for tag in _tags(icc)):
        return None
    mode = {b"RGB ": "RGB", b"GRAY": "L"}.get(icc[16:20])
    if mode is None:
        return None
    own = [number for number in NAMES if (number in COLORANTS) == (mode == "RGB")]
    for number in own:
        if icc == known_profile(number):
            return number
    return next((number for number in own if _is_alike(icc, known_profile(number), mode)), None)


@cache
def known_profile(number: int) -> bytes:
    """The profile of a number, a version 4 ICC profile of about 500 bytes, always the same.
    VersionError where the number is unknown.
    """
    if number not in NAMES:
        raise VersionError(
            f"the file names the ICC profile number {number}, which this version of latentpress "
            "does not know"
        )
    curve = _curve(*CURVES[number])
    tags = [
        (b"desc", text_tag(NAMES[number])),
        (b"cprt", text_tag(COPYRIGHT)),
        (b"wtpt", _xyz(D50)),
    ]
    tags.append((b"chad", b"sf32" + bytes(4) + struct.pack(">9i", *FROM_D65)))
    if number in COLORANTS:
        tags += [
            (name, _xyz(values))
            for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), COLORANTS[number], strict=True)
        ]
        tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    else:
        tags.append((b"kTRC", curve))
    return pack_profile(b"RGB " if number in COLORANTS else b"GRAY", tags)


def _xyz(values: tuple[int, ...]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *values)


def _curve(function: int, parameters: tuple[float, ...]) -> bytes:
    numbers = [round(p * ONE) for p in parameters]
    return b"para" + bytes(4) + struct.pack(f">Hxx{len(numbers)}i", function, *numbers)


def _tags(icc: bytes) -> list[bytes]:
    """The signatures of the tag table, as far as it reaches."""
    (count,) = struct.unpack_from(">I", icc, HEADER_BYTES)
    rows = icc[HEADER_BYTES + 4 :][: 12 * min(count, len(icc))]
    return [rows[i : i + 4] for i in range(0, len(rows), 12)]


def _is_alike(icc: bytes, known: bytes, mode: str) -> bool:
    """Whether samples that are read by `icc` and written by `known` stay what they were."""
    from PIL import ImageCms  # most pictures have one of the known profiles, or none

    samples = _samples(mode)
    try:
        seen = ImageCms.profileToProfile(
            samples,
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.ImageCmsProfile(io.BytesIO(known)),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode=mode,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False
    difference = np.asarray(seen, np.int16) - np.asarray(samples, np.int16)
    return bool(np.abs(difference).max() <= TOLERANCE)


@cache
def _samples(mode: str) -> Image.Image:
    """The colors that are compared: every gray, and in RGB a grid."""
    grays = np.arange(256, dtype=np.uint8)[None]
    if mode == "L":
        return Image.fromarray(grays)
    levels = np.rint(np.linspace(0, 255, GRID)).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(1, -1, 3)
    return Image.fromarray(np.concatenate([np.repeat(grays[..., None], 3, 2), grid], 1))
