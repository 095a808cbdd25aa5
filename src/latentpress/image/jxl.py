"""What the first bytes of a JPEG XL codestream tell (ISO/IEC 18181-1, annexes D and E) and its
Pillow plugin does not: it gives 8 bits and the first frame without a word.
"""

from __future__ import annotations

from typing import BinaryIO

from latentpress.image.boxes import top_box

HEAD = 256  # bytes of a codestream that are enough for its header
SIGNATURE = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"

Option = tuple[int, int]  # (offset, bits that are added)
SIZE: list[Option] = [(1, 9), (1, 13), (1, 18), (1, 30)]
PREVIEW: list[Option] = [(1, 6), (65, 8), (321, 10), (1345, 12)]
PREVIEW_DIV8: list[Option] = [(16, 0), (32, 0), (1, 5), (33, 9)]
TICKS: list[Option] = [(100, 0), (1000, 0), (1, 10), (1, 30)]
TICK_DIVISORS: list[Option] = [(1, 0), (1001, 0), (1, 8), (1, 10)]
LOOPS: list[Option] = [(0, 0), (0, 3), (0, 16), (0, 32)]
INTEGER_BITS: list[Option] = [(8, 0), (10, 0), (12, 0), (1, 6)]
FLOAT_BITS: list[Option] = [(32, 0), (16, 0), (24, 0), (1, 6)]


def read_jxl_header(file: BinaryIO) -> tuple[int, bool]:
    """Bits a sample, 8 to 32, and whether the picture is an animation; file: begins at position 0.

    (8, False) where the header is damaged.
    """
    file.seek(0)
    stream = file.read(HEAD)
    if stream.startswith(CONTAINER):
        stream = top_box(file, b"jxlc", HEAD) or top_box(file, b"jxlp", HEAD)[4:]
    if not stream.startswith(SIGNATURE):
        return 8, False
    bits = _Bits(stream[2:])
    animated = False
    try:
        _skip_size(bits)
        if bits.read(1):  # all_default
            return 8, False
        if bits.read(1):  # extra_fields
            bits.read(3)  # orientation
            if bits.read(1):
                _skip_size(bits)
            if bits.read(1):
                _skip_preview(bits)
            animated = bool(bits.read(1))
            if animated:
                _skip_animation(bits)
        return bits.choose(FLOAT_BITS if bits.read(1) else INTEGER_BITS), animated
    except EOFError:
        return 8, False


class _Bits:
    """Bits from the least significant one of each byte on."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def read(self, count: int) -> int:
        if count > self.left:
            raise EOFError
        value = self.value & ((1 << count) - 1)
        self.value >>= count
        self.left -= count
        return value

    def choose(self, options: list[Option]) -> int:
        """A U32 field: two bits choose among four distributions."""
        offset, extra = options[self.read(2)]
        return offset + self.read(extra)


def _skip_size(bits: _Bits) -> None:
    small = bits.read(1)
    for side in ("height", "width"):
        if small:
            bits.read(5)
        else:
            bits.choose(SIZE)
        if side == "height" and bits.read(3):  # a ratio tells the width
            return


def _skip_preview(bits: _Bits) -> None:
    options = PREVIEW_DIV8 if bits.read(1) else PREVIEW
    bits.choose(options)
    if not bits.read(3):
        bits.choose(options)


def _skip_animation(bits: _Bits) -> None:
    for options in (TICKS, TICK_DIVISORS, LOOPS):
        bits.choose(options)
    bits.read(1)
