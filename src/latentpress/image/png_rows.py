"""A PNG file that is written as its rows come, the same pixels and chunks as Pillow's.

Pillow's encoder wants the whole image. Here it filters the rows, in bands: a band is given to it
below the last row of the one before, and encoded without compression; what it made of that row is
left out. The bands then go through one stream of zlib.

Source: PNG specification, third edition, 5.3 (chunks), 9 (filters), 10 (deflate).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
IDAT_BYTES = 1 << 18  # of a chunk of pixels, at least, but for the last
MEMORY = 9  # of zlib, as Pillow has it


def write_png(
    stream: BinaryIO,
    pixel: bytes,
    size: tuple[int, int],
    bands: Iterable[Image.Image],
    level: int,
    strategy: int,
) -> None:
    """Write a PNG file.

    pixel: a PNG file of one pixel of the same mode, whose chunks are taken over. size: width and
    height. bands: of rows, top to bottom. level, strategy: of zlib.
    """
    stream.write(SIGNATURE)
    is_written = False
    for kind, body in chunks_of(pixel):
        if kind == b"IHDR":
            write_chunk(stream, kind, struct.pack(">II", *size) + body[8:])
        elif kind != b"IDAT":
            write_chunk(stream, kind, body)
        elif not is_written:
            is_written = True
            for packed in _deflated(filtered(bands), level, strategy):
                write_chunk(stream, kind, packed)


def filtered(bands: Iterable[Image.Image]) -> Iterator[bytes]:
    """The rows of each band, each behind the number of its filter."""
    above = None
    for band in bands:
        width, height = band.size
        image = band
        if above is not None:
            image = Image.new(band.mode, (width, height + 1))
            image.paste(above, (0, 0))
            image.paste(band, (0, 1))
        rows = _rows(image)
        yield rows if above is None else rows[len(rows) // (height + 1) :]
        above = band.crop((0, height - 1, width, height))
        del band, image, rows  # before the next one is made


def chunks_of(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and body of each chunk."""
    at = len(SIGNATURE)
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + size]
        at += 12 + size


def _rows(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=0)
    return zlib.decompress(b"".join(b for k, b in chunks_of(stream.getvalue()) if k == b"IDAT"))


def _deflated(parts: Iterable[bytes], level: int, strategy: int) -> Iterator[bytes]:
    packer = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS, MEMORY, strategy)
    held = bytearray()
    for part in parts:
        held += packer.compress(part)
        del part
        if len(held) >= IDAT_BYTES:
            yield bytes(held)
            held.clear()
    yield bytes(held + packer.flush())


def write_chunk(stream: BinaryIO, kind: bytes, body: bytes) -> None:
    """A chunk of a PNG file."""
    checksum = zlib.crc32(body, zlib.crc32(kind))
    stream.write(struct.pack(">I4s", len(body), kind))
    stream.write(body)
    stream.write(struct.pack(">I", checksum))
