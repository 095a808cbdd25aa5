"""Files to attack, and the tools of an attacker who knows the format."""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import latentpress
from latentpress import container
from latentpress.codec import decode_latent
from latentpress.container import (
    ALPHA,
    FIXED,
    ICC,
    LAST,
    LATENT_FACTORIZED,
    LATENT_MULTISTAGE,
    crc,
    pack,
    unpack,
)
from latentpress.entropy.factorized import FactorizedCoder
from latentpress.entropy.multistage import MultistageCoder
from latentpress.errors import FormatError
from latentpress.image.picture import read_picture
from latentpress.spaces import SPACES, space_of_codec
from latentpress.varint import read_varint

SD15, FLUX = space_of_codec("sd15"), space_of_codec("flux1")
W, H = 45, 34
HASH = bytes(4)


def picture(channels: int, width: int = W, height: int = H) -> NDArray[np.uint8]:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([(3 * x + 5 * y * k + k * 40) % 256 for k in range(channels)], axis=-1).astype(
        np.uint8
    )


@cache
def lp1_file(rich: bool = True) -> bytes:
    """A file of the built-in codec; a rich one holds every kind of chunk."""
    image = Image.fromarray(picture(4 if rich else 3))
    if rich:
        image.info.update(exif=b"Exif\0\0II*\0\x08\0\0\0\0\0", xmp=b"<x:xmpmeta/>")
    read = read_picture(image)
    read = replace(read, icc=b"icc" * 9) if rich else read
    return latentpress.compress(read, quality=40, content="photo")


@cache
def static_file() -> bytes:
    """A file of a Stable Diffusion space, from a random latent."""
    y = np.random.default_rng(0).normal(0, 1, (4, -(-H // 8), -(-W // 8))).astype(np.float32)
    return pack(
        SD15,
        HASH,
        W,
        H,
        60,
        {LATENT_FACTORIZED: FactorizedCoder(SD15, 60).encode([y]), ALPHA: b"\x80", ICC: b"icc"},
    )


@cache
def lattice_file() -> bytes:
    """A file of a Stable Diffusion space under its learned prior."""
    y = np.random.default_rng(0).normal(0, 1, (16, -(-H // 8), -(-W // 8))).astype(np.float32)
    return pack(
        FLUX,
        HASH,
        W,
        H,
        60,
        {LATENT_MULTISTAGE: MultistageCoder(FLUX, 60).encode([y]), ALPHA: b"\x80", ICC: b"icc"},
    )


FILES = {"lp1": lp1_file, "sd15": static_file, "flux1": lattice_file}


def read(data: bytes) -> None:
    """All that a reader does with a file; Stable Diffusion spaces without their synthesis
    transform.
    """
    if container.read_header(data).space == "lp1":
        latentpress.decompress(data)
    else:
        decode_latent(data)


def head_end(data: bytes) -> int:
    """Where the header's checksum stands."""
    position = FIXED.size
    while True:
        last = data[position] & LAST
        _, position = read_varint(data, position + 1)
        if last:
            return position


def reseal(data: bytes) -> bytes:
    """The file with every checksum right again, as far as its table can still be followed."""
    out, position, sizes = bytearray(data), FIXED.size, []
    try:
        while True:
            last = data[position] & LAST
            size, position = read_varint(data, position + 1)
            sizes.append(size)
            if last:
                break
    except (FormatError, IndexError):
        return data
    out[position : position + 4] = crc(data[:position])
    position += 4
    for size in sizes:
        if position + size + 4 <= len(out):
            out[position + size : position + size + 4] = crc(bytes(out[position : position + size]))
        position += size + 4
    return bytes(out)


def rebuilt(data: bytes, **changes: object) -> bytes:
    """The file with other header fields or chunks, sealed."""
    header, chunks = unpack(data)
    values = {
        "space": next(s for s in SPACES if s.id == header.space_id),
        "model_hash": bytes.fromhex(header.model_hash),
    }
    values |= {
        "width": header.width,
        "height": header.height,
        "quality": header.quality,
        "chunks": chunks,
    } | changes  # type: ignore[assignment]
    return pack(**values)  # type: ignore[arg-type]
