"""Method 1: every bit as it was. The numbers' bytes are taken apart, most significant first, and
each plane goes through zlib.

The sign is turned to the lowest place, so that the first plane of a float32 is its exponent.
Payload: for every plane a byte (0 raw, 1 zlib) and, of a zlib plane, its length as LEB128; then the
planes.
"""

import zlib

import numpy as np

from latentpress.errors import FormatError
from latentpress.latents.dtypes import BITS_TYPE, Array, from_bits, to_bits
from latentpress.varint import read_varint, write_varint

STORED, ZLIB = 0, 1
STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY)


def encode(values: Array, kind: int) -> bytes:
    """An array of a kind of numbers -> the payload."""
    bits = to_bits(np.ascontiguousarray(values), kind).ravel()
    width = BITS_TYPE[kind].itemsize
    turned = ((bits << 1) | (bits >> (8 * width - 1))).astype(BITS_TYPE[kind])
    planes = turned.view(np.uint8).reshape(-1, width)[:, ::-1]
    head = bytearray()
    bodies = []
    for i in range(width):
        plane = planes[:, i].tobytes()
        packed = min((_deflate(plane, strategy) for strategy in STRATEGIES), key=len)
        if len(packed) < len(plane):
            head += bytes([ZLIB]) + write_varint(len(packed))
            bodies.append(packed)
        else:
            head.append(STORED)
            bodies.append(plane)
    return bytes(head) + b"".join(bodies)


def decode(payload: bytes, amount: int, kind: int) -> Array:
    """The payload -> (amount,) numbers. FormatError where it does not hold exactly them."""
    width = BITS_TYPE[kind].itemsize
    position = 0
    sizes = []
    for _ in range(width):
        if position >= len(payload) or payload[position] > ZLIB:
            raise FormatError("a lossless latent is damaged")
        packed = payload[position] == ZLIB
        size, position = read_varint(payload, position + 1) if packed else (amount, position + 1)
        sizes.append((packed, size))
    if position + sum(size for _, size in sizes) != len(payload):
        raise FormatError("a lossless latent is cut off, or bytes follow it")
    planes = np.empty((amount, width), np.uint8)
    for i, (packed, size) in enumerate(sizes):
        body = payload[position : position + size]
        planes[:, width - 1 - i] = np.frombuffer(
            inflate(body, amount) if packed else body, np.uint8
        )
        position += size
    turned = planes.view(BITS_TYPE[kind]).ravel()
    return from_bits(((turned >> 1) | (turned << (8 * width - 1))).astype(BITS_TYPE[kind]), kind)


def _deflate(plane: bytes, strategy: int) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 15, 9, strategy)
    return packer.compress(plane) + packer.flush()


def inflate(body: bytes, amount: int) -> bytes:
    """Exactly `amount` bytes; no more is ever made."""
    unpacker = zlib.decompressobj()
    try:
        plane = unpacker.decompress(body, amount + 1)
    except zlib.error as error:
        raise FormatError("a lossless latent is damaged") from error
    if len(plane) != amount or not unpacker.eof or unpacker.unused_data:
        raise FormatError("a lossless latent is damaged")
    return plane
