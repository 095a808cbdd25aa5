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
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    return bytes([*out, value])


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """(value, position behind it); FormatError where cut off, above MAX_VALUE, or longer than
    needed.
    """
    try:
        value, end = read_leb128(data, position, MAX_BYTES)
    except EOFError as error:
        raise FormatError("a length is cut off") from error
    except OverflowError as error:
        raise FormatError("a length is impossible") from error
    is_padded = end - position > 1 and data[end - 1] == 0
    if value > MAX_VALUE or is_padded:
        raise FormatError("a length is impossible")
    return value, end


def read_leb128(data: bytes | memoryview, position: int, most_bytes: int) -> tuple[int, int]:
    """(value, position behind it). EOFError where it is cut off, OverflowError where it is longer
    than most_bytes.
    """
    value = 0
    for i in range(most_bytes):
        if position + i >= len(data):
            raise EOFError("a number is cut off")
        byte = data[position + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, position + i + 1
    raise OverflowError("a number is too long")
