"""An AV1 still picture as it stands in a file: three units of its bitstream, without the boxes of
AVIF around it.

The boxes say nothing that the bitstream does not say, take 275 bytes, and could hold more than one
picture of one size. So they are left out, the bitstream's own header is checked before a decoder
sees it, and boxes that are always the same are put around it then ("As AV1" of
docs/formats/ltp.md).
"""

from dataclasses import dataclass

from latentpress.errors import FormatError
from latentpress.varint import read_varint, write_varint

START = b"\x12\x00\x0a"  # a temporal delimiter, then a sequence header
SEQUENCE_HEADER, FRAME = 0x0A, 0x32  # unit headers: the type, and that a size follows
BT709, SRGB, BT601 = 1, 13, 6  # primaries, transfer, matrix (ITU-T H.273)
COLORS = BT709 << 16 | SRGB << 8 | BT601
BRANDS = b"avif\0\0\0\0avifmif1miaf"


@dataclass(frozen=True)
class Sequence:
    """What is needed of a sequence header. chroma: bits of monochrome and of both subsamplings, as
    of a box av1C.
    """

    profile: int
    level: int
    width: int
    height: int
    chroma: int


class _Bits:
    """Bits of some bytes, the highest first; FormatError past their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bits that were not taken."""
        return 8 * len(self._data) - self._at

    def take(self, count: int) -> int:
        """The next bits as a number."""
        value = 0
        for _ in range(count):
            if self._at >= 8 * len(self._data):
                raise FormatError("the screen chunk holds an AV1 header that is cut off")
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value


def check_av1(body: bytes, width: int, height: int) -> Sequence:
    """The sequence header of a piece. FormatError unless it is one still picture of this size, of
    8 bits, in the colors that every piece has, and nothing else.
    """
    if not body.startswith(START):
        raise FormatError("the screen chunk holds an AV1 stream that does not begin as one")
    header, at = _unit(body, 2, SEQUENCE_HEADER)
    _, end = _unit(body, at, FRAME)
    if end != len(body):
        raise FormatError("bytes follow the AV1 picture in the screen chunk")
    sequence = _sequence(_Bits(header))
    if (sequence.width, sequence.height) != (width, height):
        raise FormatError(
            f"the screen chunk holds an AV1 picture of {sequence.width} x {sequence.height} pixels "
            f"where {width} x {height} belong"
        )
    return sequence


def unboxed(avif: bytes) -> bytes:
    """The bitstream of an AVIF file of one picture, as an encoder wrote it: the body of its last
    box.
    """
    at = 0
    while at + 8 <= len(avif):
        size = int.from_bytes(avif[at : at + 4], "big")
        if avif[at + 4 : at + 8] == b"mdat":
            return avif[at + 8 : at + size]
        at += size
    raise ValueError("an AVIF file without a box mdat")


def described(body: bytes) -> bytes:
    """The bitstream with the colors of every piece in its sequence header. libavif before 1.4 names
    them in a box alone.
    """
    header, end = _unit(body, 2, SEQUENCE_HEADER)
    bits = _Bits(header)
    _before_colors(bits)
    if bits.take(1):
        return body
    left = bits.left
    before, behind = divmod(int.from_bytes(header, "big"), 1 << left)
    header = ((before | 1) << 24 + left | COLORS << left | behind).to_bytes(len(header) + 3, "big")
    return START + write_varint(len(header)) + header + body[end:]


def boxed(body: bytes, sequence: Sequence) -> bytes:
    """A piece as an AVIF file."""
    planes = 1 if sequence.chroma & 4 else 3
    size = sequence.width.to_bytes(4, "big") + sequence.height.to_bytes(4, "big")
    properties = _box(
        "ipco",
        _full("ispe", size)
        + _full("pixi", bytes([planes] + [8] * planes))
        + _box(
            "av1C",
            bytes([0x81, sequence.profile << 5 | sequence.level, sequence.chroma << 2, 0]),
        )
        + _box("colr", b"nclx\0\1\0\x0d\0\6\x80"),
    )
    item = _full("infe", b"\0\1\0\0av01\0", 2)

    def boxes(offset: int) -> bytes:
        location = offset.to_bytes(4, "big") + len(body).to_bytes(4, "big")
        meta = (
            _full("hdlr", bytes(4) + b"pict" + bytes(13))
            + _full("pitm", b"\0\1")
            + _full("iloc", b"\x44\0\0\1\0\1\0\0\0\1" + location)
            + _full("iinf", b"\0\1" + item)
            + _box(
                "iprp", properties + _full("ipma", bytes.fromhex("00000001 0001 04 01 02 83 04"))
            )
        )
        return _box("ftyp", BRANDS) + _full("meta", meta)

    head = boxes(0)
    return boxes(len(head) + 8) + _box("mdat", body)


def _unit(body: bytes, at: int, kind: int) -> tuple[bytes, int]:
    """A unit of this kind (an OBU), and the position behind it."""
    if body[at : at + 1] != bytes([kind]):
        raise FormatError("the screen chunk holds more or less than one AV1 picture")
    size, at = read_varint(body, at + 1)
    if at + size > len(body):
        raise FormatError("the screen chunk holds an AV1 picture that is cut off")
    return body[at : at + size], at + size


def _sequence(bits: _Bits) -> Sequence:
    """The fields of a sequence header; FormatError where one has another value than all have."""
    sequence, is_usual = _before_colors(bits)
    colors = (bits.take(1), bits.take(24), bits.take(1))
    if sequence.profile > 1 or not is_usual or colors != (1, COLORS, 1):
        raise FormatError("the screen chunk holds an AV1 picture of a kind that none may have")
    if not sequence.chroma & 4:
        bits.take(2 if sequence.profile == 0 else 0)  # where chroma samples lie
        bits.take(1)
    if bits.take(1):
        raise FormatError("the screen chunk holds an AV1 picture with film grain")
    return sequence


def _before_colors(bits: _Bits) -> tuple[Sequence, bool]:
    """The fields up to those of the colors, and whether it is a still picture of 8 bits."""
    profile = bits.take(3)
    is_still = bits.take(2) == 3  # a still picture, with the short header
    level = bits.take(5)
    wide, high = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(wide) + 1, bits.take(high) + 1
    bits.take(6)  # tools of the decoder
    is_deep = bits.take(1)
    is_gray = bits.take(1) if profile == 0 else 0
    chroma = 4 * is_gray | (3 if profile == 0 else 0)
    return Sequence(profile, level, width, height, chroma), is_still and not is_deep


def _box(name: str, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + name.encode("ascii") + body


def _full(name: str, body: bytes, version: int = 0) -> bytes:
    return _box(name, bytes([version, 0, 0, 0]) + body)
