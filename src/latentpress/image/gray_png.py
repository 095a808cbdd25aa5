"""A PNG within an alpha chunk, which holds one gray plane ("As a PNG" of docs/formats/ltp.md).

Its chunks are read here. Pillow refuses a PNG for chunks that mean nothing in a plane, and takes
one whose last rows are missing; so it gets a PNG of the lines alone, whose filters it undoes.

Source: PNG specification, third edition, 5.3 (chunks), 8.1 (Adam7), 9 (filters).
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from latentpress._typing import Pixels
from latentpress.errors import FormatError
from latentpress.image.limits import no_pillow_limit
from latentpress.image.plugins import load_own
from latentpress.image.png_rows import SIGNATURE, write_chunk

HEADER = struct.Struct(">IIBBBBB")  # width, height, depth, color, compression, filter, interlacing
DEPTHS = (1, 2, 4, 8)
# first column, first row, columns and rows from sample to sample of Adam7's passes
ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4)),
    *((1, 0, 2, 2), (0, 1, 1, 2)),
)
WHOLE = ((0, 0, 1, 1),)
PART = 1 << 14  # bytes of a stream that are inflated at once, to 17 MB at most


def decode_gray_png(body: bytes, width: int, height: int) -> Pixels:
    """The plane (height, width) uint8. FormatError where the bytes are no gray PNG of this size, or
    where one of its lines is not there.
    """
    header, packed = _chunks(body)
    columns, rows, depth, *kind = HEADER.unpack(header)
    if (columns, rows) != (width, height) or depth not in DEPTHS or kind[:3] != [0, 0, 0]:
        raise FormatError("the alpha chunk does not fit the picture")
    if kind[3] > 1:
        raise FormatError("the alpha chunk is damaged")
    size = _size_of_lines(width, height, depth, ADAM7 if kind[3] else WHOLE)
    _check_stream(packed, size)
    plain = io.BytesIO()
    plain.write(SIGNATURE)
    for name, part in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")):
        write_chunk(plain, name, part)
    load_own("PNG")
    with no_pillow_limit(), Image.open(plain, formats=("PNG",)) as image:
        return np.asarray(image.convert("L"))


def _chunks(body: bytes) -> tuple[bytes, bytes]:
    """The body of IHDR, and the zlib stream."""
    header, at = b"", len(SIGNATURE)
    packed: list[bytes] = []
    if not body.startswith(SIGNATURE):
        raise FormatError("the alpha chunk is damaged")
    while True:
        name = body[at + 4 : at + 8]
        if packed and name != b"IDAT":
            return header, b"".join(packed)
        end = at + 8 + int.from_bytes(body[at : at + 4], "big")
        is_whole = zlib.crc32(body[at + 4 : end]).to_bytes(4, "big") == body[end : end + 4]
        if not is_whole or name == b"IEND" or (name == b"IHDR") != (not header):
            raise FormatError("the alpha chunk is damaged")
        if not header:
            header = body[at + 8 : end]
            if len(header) != HEADER.size:
                raise FormatError("the alpha chunk is damaged")
        elif name == b"IDAT":
            packed.append(body[at + 8 : end])
        at = end + 4


def _size_of_lines(
    width: int, height: int, depth: int, passes: tuple[tuple[int, int, int, int], ...]
) -> int:
    """Bytes of all lines, each with that of its filter."""
    total = 0
    for x, y, across, down in passes:
        columns, rows = -(-(width - x) // across), -(-(height - y) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * depth // 8))
    return total


def _check_stream(packed: bytes, size: int) -> None:
    """FormatError unless a zlib stream holds exactly so many bytes, which are not kept."""
    stream, left = zlib.decompressobj(), size
    try:
        for at in range(0, len(packed), PART):
            left -= len(stream.decompress(packed[at : at + PART]))
            if left < 0 or stream.eof:
                break
    except zlib.error:
        raise FormatError("the alpha chunk is damaged") from None
    if left or not stream.eof:
        raise FormatError("the alpha chunk is damaged")
