"""Metadata behind a deflate coder: the plain length as LEB128, then one raw deflate stream of just
so many bytes (RFC 1951).
"""

import zlib

from latentpress.errors import FormatError
from latentpress.varint import read_varint, write_varint

MAX_PLAIN = 1 << 26  # bytes of one kind of metadata; longer ones are stored as they are
RAW = -15  # zlib's window bits for a stream without header and checksum
LEVEL, MEMORY = 9, 9  # zlib's most


def deflate(plain: bytes) -> bytes:
    """1 to MAX_PLAIN bytes -> the body of a chunk."""
    coder = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW, MEMORY)
    return write_varint(len(plain)) + coder.compress(plain) + coder.flush()


def inflate(body: bytes, name: str, most: int = MAX_PLAIN) -> bytes:
    """The inverse of deflate; name: of the chunk. FormatError where the stream is damaged, cut off,
    of another length than it says, or longer than `most` bytes: never more than those are made.
    """
    size, start = read_varint(body, 0)
    if not 1 <= size <= most:
        raise FormatError(f"the {name} chunk promises {size:,} bytes; 1 to {most:,} are allowed")
    coder = zlib.decompressobj(RAW)
    try:
        plain = coder.decompress(body[start:], size)
        beyond = coder.decompress(coder.unconsumed_tail, 1)
    except zlib.error:
        raise FormatError(f"the {name} chunk is damaged: its bytes cannot be inflated") from None
    if len(plain) != size or beyond or not coder.eof or coder.unused_data:
        raise FormatError(f"the {name} chunk is damaged: it has another length than it says")
    return plain
