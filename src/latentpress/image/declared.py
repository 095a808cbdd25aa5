"""What a file tells about its colors and its depth, and the ICC profile that this means.

Without a profile, viewers take a picture for sRGB; so does everything here. What says the same as
sRGB gets no profile, what says something else gets the profile that it means, and PQ and HLG, which
8 bits with a profile cannot hold, are converted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from PIL import Image, ImageFile

from latentpress.image import hdr, profiles
from latentpress.image.boxes import (
    LARGEST,
    Properties,
    compressed_kinds,
    heif_properties,
    jp2_properties,
    top_box,
)
from latentpress.image.cicp import (
    BT709,
    NAMES,
    PQ,
    PRIMARIES,
    SRGB_CURVE,
    TRANSFERS,
    Cicp,
    Curve,
)
from latentpress.image.color import Converted
from latentpress.image.companions import JPEG_FORMATS, has_tone_map
from latentpress.image.jxl import CONTAINER, read_jxl_header

PNG_COLOR = (b"cICP", b"sRGB", b"gAMA", b"cHRM")
# whose profile Pillow, or a plugin of it, gives in `info`: None where it is damaged
PROFILED = ("PNG", "AVIF", "HEIF")
GAMMA_RANGE = 0.1, 10.0  # of PNG's gAMA; anything else is a damaged chunk


LEFT_OUT = "the ICC profile was left out"  # how a loss of one begins


@dataclass(frozen=True)
class Declared:
    """Colors as a file tells them beside `icc_profile` in Pillow's `info`, and bits a sample.

    cicp_first: the numbers count before an ICC profile, as in PNG, not after it. chromaticities:
    (x, y) of white, red, green, blue. lost_icc: a profile is there that Pillow could not read.
    tone_map: AVIF and HEIF: a gain map is there.
    Of JPEG XL also what its plugin leaves out: XMP, the kinds of its compressed boxes, that there
    are more frames, and that the pixels are upright whatever EXIF says (ISO/IEC 18181-2).
    """

    cicp: Cicp | None = None
    cicp_first: bool = False
    icc: bytes | None = None
    lost_icc: bool = False
    srgb: bool = False
    gamma: float | None = None
    chromaticities: tuple[float, ...] | None = None
    bits: int = 8
    tone_map: bool = False
    xmp: bytes | None = None
    compressed: frozenset[bytes] = frozenset()
    more_frames: bool = False
    upright: bool = False

    def without_colors(self) -> Declared:
        """The same of a file whose colors something else tells."""
        return Declared(
            bits=self.bits,
            tone_map=self.tone_map,
            xmp=self.xmp,
            compressed=self.compressed,
            more_frames=self.more_frames,
            upright=self.upright,
        )


@dataclass
class Settled:
    """A converted picture, the profile that it is kept with, and sentences about what was lost."""

    image: Image.Image
    icc: bytes | None = None
    losses: list[str] = field(default_factory=list)


def read_declared(image: Image.Image) -> Declared:
    """Of an open image, from its file, whose position stays. Where it is loaded, by the name that
    Pillow keeps of its file; where it has none, only what is in `info`. Without colors where the
    file's profile was taken out of `info`.
    """
    found = _read(image)
    has_profile = found.icc is not None or found.lost_icc
    if image.format in PROFILED and has_profile and "icc_profile" not in image.info:
        return found.without_colors()
    return found


def _read(image: Image.Image) -> Declared:
    read = READERS.get(image.format or "")
    declared = _from_info(image)
    if image.format == "PPM":
        return replace(declared, bits=_ppm_bits(image))
    if read is None or not isinstance(image, ImageFile.ImageFile):
        return declared
    opened: BinaryIO | None = getattr(image, "fp", None)
    try:
        if opened is None or getattr(image, "_im", None) is not None:  # closed, or holds samples
            with open(image.filename, "rb") as file:
                return read(file, declared)
        place = opened.tell()
    except (OSError, ValueError):  # no such file, or a closed one
        return declared
    try:
        return read(opened, declared)
    finally:
        opened.seek(place)


def settle(converted: Converted, icc: bytes | None, declared: Declared) -> Settled:
    """The colors that a picture is kept in.

    The order of PNG (third edition, 4.3): cICP, iCCP, sRGB, gAMA with cHRM. In the other formats a
    profile counts before the numbers (MIAF, 7.3.6.4).
    """
    if not converted.keeps_icc:  # converted to sRGB already
        return Settled(converted.image)
    found = Settled(converted.image)
    if declared.more_frames:
        found.losses.append("only the first frame was kept")
    icc = icc or declared.icc
    if icc is None and declared.lost_icc:
        found.losses.append(f"{LEFT_OUT}: it is damaged")
    steps: list[Callable[[], bool]] = [
        lambda: _by_profile(found, icc),
        lambda: _by_numbers(found, declared.cicp),
    ]
    for step in reversed(steps) if declared.cicp_first else steps:
        if step():
            return found
    if not declared.srgb:
        _by_gamma(found, declared)
    return found


def _by_profile(found: Settled, icc: bytes | None) -> bool:
    """Take the profile, if it fits; whether the colors are settled by it."""
    if not icc:
        return False
    numbers = profiles.code_points(icc)
    if numbers is not None and numbers.is_hdr and numbers.is_known:
        return _by_numbers(found, numbers)
    found.icc, problem = profiles.fitting(icc, found.image.mode)
    if problem:
        found.losses.append(f"{LEFT_OUT}: {problem}")
    return problem is None


def _by_numbers(found: Settled, cicp: Cicp | None) -> bool:
    """Take H.273's numbers, if they are known; whether the colors are settled by them."""
    if cicp is None or cicp.is_unspecified:
        return False
    if not cicp.is_known:
        found.losses.append(
            f"the color space of the numbers {cicp.primaries} and {cicp.transfer} (H.273) is not "
            "known and was left out"
        )
        return False
    if not cicp.full_range:
        found.image = _expanded(found.image)
    name, curve = NAMES.get(cicp.primaries, f"primaries {cicp.primaries}"), SRGB_CURVE
    primaries = PRIMARIES[cicp.primaries]
    if cicp.is_hdr:
        kind = "PQ" if cicp.transfer == PQ else "HLG"
        found.image = hdr.to_sdr(found.image, cicp)
        target = hdr.sdr_primaries(cicp)
        primaries = PRIMARIES[target]
        to = "sRGB" if target == BT709 else NAMES[target]
        found.losses.append(f"{kind} colors ({name}) were converted to 8-bit SDR in {to}")
        name = NAMES[target]
    else:
        curve = TRANSFERS[cicp.transfer]
        if curve != SRGB_CURVE:
            name += f", transfer {cicp.transfer}"
    found.icc = _profile(found.image.mode, name, primaries, curve)
    return True


def _by_gamma(found: Settled, declared: Declared) -> None:
    """Take PNG's gAMA and cHRM: one without the other stands beside sRGB's primaries or curve."""
    primaries, curve, name = PRIMARIES[BT709], SRGB_CURVE, []
    if declared.chromaticities is not None:
        name.append("cHRM")
        primaries = (*declared.chromaticities[2:], *declared.chromaticities[:2])
    if declared.gamma is not None:
        low, high = GAMMA_RANGE
        if low <= declared.gamma <= high:
            curve = (1 / declared.gamma, 1.0, 0.0, 0.0, 0.0)
            name.append(f"gAMA {declared.gamma:g}")
        else:
            found.losses.append(f"the gamma {declared.gamma:g} cannot be used and was left out")
    try:
        found.icc = _profile(found.image.mode, f"PNG {' '.join(name)}", primaries, curve)
    except ValueError as error:
        found.losses.append(f"the chromaticities were left out: {error}")
        found.icc = _profile(found.image.mode, f"PNG {name[-1]}", PRIMARIES[BT709], curve)


def _profile(mode: str, name: str, primaries: tuple[float, ...], curve: Curve) -> bytes | None:
    """The profile of these colors; None where they are sRGB's."""
    if mode == "L":
        return None if profiles.is_srgb_curve(curve) else profiles.make_gray_profile(name, curve)
    if profiles.is_srgb(primaries, curve):
        return None
    return profiles.make_profile(name, primaries, curve)


def _expanded(image: Image.Image) -> Image.Image:
    """Samples of narrow range, 16 to 235, to 0 to 255; alpha stays."""
    table = [min(255, max(0, round((v - 16) * 255 / 219))) for v in range(256)]
    tables = table * min(3, len(image.getbands()))
    return image.point(tables + (list(range(256)) if image.mode == "RGBA" else []))


def _from_info(image: Image.Image) -> Declared:
    """What Pillow and its plugins keep of a file when it is loaded."""
    info = image.info
    nclx, gamma, chromaticities = (
        info.get(key) for key in ("nclx_profile", "gamma", "chromaticity")
    )
    bits = info.get("bit_depth")
    return Declared(
        # some segments of the profile are missing
        lost_icc=image.format in JPEG_FORMATS and info.get("icc_profile", b"") is None,
        cicp=Cicp(nclx["color_primaries"], nclx["transfer_characteristics"])
        if isinstance(nclx, dict) and {"color_primaries", "transfer_characteristics"} <= set(nclx)
        else None,
        srgb="srgb" in info,
        gamma=gamma if isinstance(gamma, float) else None,
        chromaticities=chromaticities
        if isinstance(chromaticities, tuple) and len(chromaticities) == 8
        else None,
        bits=bits if isinstance(bits, int) else 8,
        upright=image.format == "JXL" and not getattr(image, "jpeg", False),
    )


def _png(file: BinaryIO, declared: Declared) -> Declared:
    """The chunks before the pixels that tell of color (PNG, third edition, 11.3.2)."""
    chunks: dict[bytes, bytes] = {}
    file.seek(8)
    bits = file.read(17)[16:]  # of the header chunk
    file.seek(8)
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if kind in (b"IDAT", b"IEND"):
            break
        if kind == b"iCCP":
            chunks[kind] = b""  # Pillow reads it
        if kind not in PNG_COLOR or size > 32:
            file.seek(size + 4, 1)
            continue
        body, checksum = file.read(size), file.read(4)
        if checksum == zlib.crc32(kind + body).to_bytes(4, "big"):
            chunks.setdefault(kind, body)
    cicp = chunks.get(b"cICP", b"")
    gamma, chromaticities = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    return Declared(
        cicp=Cicp(cicp[0], cicp[1], cicp[3] != 0) if len(cicp) == 4 and cicp[2] == 0 else None,
        cicp_first=True,
        lost_icc=b"iCCP" in chunks,
        srgb=len(chunks.get(b"sRGB", b"")) == 1,
        gamma=struct.unpack(">I", gamma)[0] / 1e5 if len(gamma) == 4 else None,
        chromaticities=tuple(v / 1e5 for v in struct.unpack(">8I", chromaticities))
        if len(chromaticities) == 32
        else None,
        bits=bits[0] if bits else 8,
    )


def _ppm_bits(image: Image.Image) -> int:
    """Of the largest sample that a PPM file, not loaded yet, may hold."""
    args = [tile[3] for tile in getattr(image, "tile", ()) if tile[0] in ("ppm", "ppm_plain")]
    largest = args[0][-1] if args and isinstance(args[0], tuple) else 255
    return max(8, largest.bit_length()) if isinstance(largest, int) else 8


def _bmp(file: BinaryIO, declared: Declared) -> Declared:
    """The profile in a file with a BITMAPV5HEADER, whose offsets count from that header."""
    file.seek(14)
    header = file.read(124)
    if len(header) < 124 or header[:4] != b"\x7c\0\0\0" or header[56:60] != b"DEBM":
        return declared
    start, size = struct.unpack_from("<II", header, 112)
    file.seek(14 + start)
    return replace(declared, icc=file.read(min(size, LARGEST)) or None)


def _heif(file: BinaryIO, declared: Declared) -> Declared:
    return replace(_with(declared, heif_properties(file)), tone_map=has_tone_map(file))


def _jp2(file: BinaryIO, declared: Declared) -> Declared:
    return _with(declared, jp2_properties(file))


def _jxl(file: BinaryIO, declared: Declared) -> Declared:
    bits, animated = read_jxl_header(file)
    found = replace(declared, bits=bits, more_frames=animated)
    file.seek(0)
    if file.read(len(CONTAINER)) != CONTAINER:
        return found
    kinds = frozenset(compressed_kinds(file)) if declared.upright else frozenset()
    return replace(found, xmp=top_box(file, b"xml ") or None, compressed=kinds)


def _with(declared: Declared, properties: Properties) -> Declared:
    return replace(
        declared,
        cicp=properties.cicp or declared.cicp,
        icc=properties.icc,
        bits=max(properties.bits, declared.bits),
    )


# by Pillow's name of the format
READERS = {"PNG": _png, "BMP": _bmp, "AVIF": _heif, "HEIF": _heif, "JPEG2000": _jp2, "JXL": _jxl}
