"""PNG files of one plane, as an alpha chunk may hold them, and what is wrong with some of them."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIZE = (9, 5)  # width and height of the plane
LINES = b"".join(bytes([y, *((37 * y + 11 * x) % 256 for x in range(9))]) for y in range(5))
STREAM = zlib.compress(LINES)
ADAM7 = b"".join(b"\0" + bytes(n) for n in (2, 1, 3, 2, 2, 5, 4, 4, 4, 9, 9))


def chunk(name: bytes, body: bytes, wrong: int = 0) -> bytes:
    """A chunk; wrong: bits of its checksum that are turned."""
    checksum = zlib.crc32(name + body) ^ wrong
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def head(*fields: int) -> bytes:
    """IHDR; fields: depth, color, compression, filter, interlacing."""
    return chunk(b"IHDR", struct.pack(">II", *SIZE) + bytes(fields))


HEAD, PIXELS, END = head(8, 0, 0, 0, 0), chunk(b"IDAT", STREAM), chunk(b"IEND", b"")
PLAIN = SIGNATURE + HEAD + PIXELS + END
FRAME = struct.pack(">IIIIIHHBB", 0, 3, 2, 1, 1, 1, 1, 0, 0)  # of an animation, not the whole plane


def between(*chunks: bytes) -> bytes:
    """The plane with chunks before its pixels."""
    return SIGNATURE + HEAD + b"".join(chunks) + PIXELS + END


def pixels(packed: bytes) -> bytes:
    """A plane of this zlib stream."""
    return SIGNATURE + HEAD + chunk(b"IDAT", packed) + END


TAKEN = {
    "plain": PLAIN,
    "interlaced": SIGNATURE + head(8, 0, 0, 0, 1) + chunk(b"IDAT", zlib.compress(ADAM7)) + END,
    "transparent gray": between(chunk(b"tRNS", b"\0\1")),
    "short tRNS": between(chunk(b"tRNS", b"")),
    "short gAMA": between(chunk(b"gAMA", b"")),
    "short sRGB": between(chunk(b"sRGB", b"")),
    "odd iCCP": between(chunk(b"iCCP", b"name\0\7")),
    "text that swells": between(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3 << 20)))),
    "animation": between(chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", FRAME)),
    "odd name": between(chunk(b"a-cd", b"")),
    "damage behind the pixels": SIGNATURE + HEAD + PIXELS + chunk(b"tEXt", b"a\0b", 1),
    "no end": SIGNATURE + HEAD + PIXELS,
    "bytes behind the end": PLAIN + b"more",
    "bytes behind the stream": pixels(STREAM + b"abc"),
    "many chunks": SIGNATURE + HEAD + b"".join(chunk(b"IDAT", bytes([b])) for b in STREAM) + END,
    "an empty chunk": SIGNATURE + HEAD + chunk(b"IDAT", b"") + PIXELS + END,
}
REFUSED = {
    "nothing": b"",
    "signature": SIGNATURE,
    "no header": SIGNATURE + PIXELS + END,
    "no pixels": SIGNATURE + HEAD + END,
    "two headers": between(HEAD),
    "another header first": SIGNATURE + head(8, 2, 0, 0, 0) + HEAD + PIXELS + END,
    "a chunk before the header": SIGNATURE + chunk(b"tEXt", b"a\0b") + HEAD + PIXELS + END,
    "long header": SIGNATURE + chunk(b"IHDR", HEAD[8:21] + b"\0") + PIXELS + END,
    "end before the pixels": between(END),
    "compression": SIGNATURE + head(8, 0, 1, 0, 0) + PIXELS + END,
    "filter": SIGNATURE + head(8, 0, 0, 1, 0) + PIXELS + END,
    "interlacing": SIGNATURE + head(8, 0, 0, 0, 2) + PIXELS + END,
    "depth": SIGNATURE + head(3, 0, 0, 0, 0) + PIXELS + END,
    "damaged header": PLAIN[:29] + bytes(4) + PLAIN[33:],
    "damage before the pixels": between(chunk(b"tEXt", b"a\0b", 1)),
    "damaged pixels": SIGNATURE + HEAD + chunk(b"IDAT", STREAM, 1) + END,
    "cut off in the checksum": (SIGNATURE + HEAD + PIXELS)[:-1],
    "a chunk within the pixels": SIGNATURE
    + HEAD
    + chunk(b"IDAT", STREAM[:9])
    + chunk(b"tEXt", b"a\0b")
    + chunk(b"IDAT", STREAM[9:])
    + END,
    "no checksum of the stream": pixels(STREAM[:-4]),
    "another checksum of the stream": pixels(STREAM[:-1] + bytes([STREAM[-1] ^ 1])),
    "a line less": pixels(zlib.compress(LINES[:-10])),
    "a byte less": pixels(zlib.compress(LINES[:-1])),
    "a byte more": pixels(zlib.compress(LINES + b"\0")),
    "unknown filter": pixels(zlib.compress(LINES[:-10] + b"\5" + LINES[-9:])),
    "long length": SIGNATURE + HEAD + b"\xff\xff\xff\xf4" + PIXELS[4:] + END,
}
