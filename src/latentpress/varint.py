"""LEB128: whole numbers as little-endian groups of seven bits, the top bit of a byte saying that
another follows.
"""

from latentpress.errors import FormatError

MAX_VALUE = 1 << 31  # the largest length of the project's own formats
MAX_BYTES = 5  # that such a length may take


def write_varint(value: int) -> bytes:
    """LEB128 of value >= 0."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """(value, position behind it); FormatError where cut off, above MAX_VALUE, or longer than
    needed.
    """
    value = 0
    for i in range(MAX_BYTES):
        if position + i >= len(data):
            raise FormatError("a length is cut off")
        byte = data[position + i]
        value |= (byte & 0x7F) << 7 * i
        if not byte & 0x80:
            if value > MAX_VALUE or (i and not byte):
                raise FormatError("a length is impossible")
            return value, position + i + 1
    raise FormatError("a length is impossible")
