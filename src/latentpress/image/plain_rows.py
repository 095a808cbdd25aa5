"""PPM, PGM and BMP files that are written as their rows come, byte for byte as by Pillow."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from PIL import Image

BMP_HEAD = struct.Struct("<2sIIIIIIHHII")  # a file's header, and its image header up to its size


def write_ppm(
    stream: BinaryIO, pixel: bytes, size: tuple[int, int], bands: Iterable[Image.Image]
) -> None:
    """Write a PPM or PGM file. Arguments as of `png_rows.write_png`."""
    stream.write(pixel[:2] + b"\n%d %d\n255\n" % size)
    for band in bands:
        stream.write(band.tobytes())


def write_bmp(
    stream: BinaryIO, pixel: bytes, size: tuple[int, int], bands: Iterable[Image.Image]
) -> None:
    """Write a BMP file, whose last row stands first: the stream is sought. Arguments as of
    `png_rows.write_png`.
    """
    magic, _, reserved, start, header, _, _, planes, bits, method, _ = BMP_HEAD.unpack_from(pixel)
    width, height = size
    row_bytes = -(-width * bits // 32) * 4
    total = row_bytes * height
    sizes = (magic, start + total, reserved, start, header, width, height)
    stream.write(BMP_HEAD.pack(*sizes, planes, bits, method, total) + pixel[BMP_HEAD.size : start])
    origin = stream.tell()
    bottom = height
    for band in bands:
        samples = np.asarray(band).reshape(band.height, -1, bits // 8)
        rows = np.zeros((band.height, row_bytes), np.uint8)
        rows[:, : width * bits // 8] = samples[::-1, :, ::-1].reshape(band.height, -1)
        bottom -= band.height
        stream.seek(origin + bottom * row_bytes)
        stream.write(rows.data)
    stream.seek(origin + total)
