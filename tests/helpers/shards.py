"""Shards and tables for tests: small pictures, packed."""

import io
import struct
import tarfile
from collections.abc import Iterable
from zlib import crc32

import numpy as np
from PIL import Image

from latentpress.collection.members import Change
from latentpress.collection.unit import Made
from latentpress.errors import ImageError

SUFFIXES = frozenset({".jpg", ".png"})


def picture(number: int, form: str = "JPEG", side: int = 16) -> bytes:
    """A small picture that no other number gives."""
    pixels = np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((side, side)).save(stream, form)
    return stream.getvalue()


def damaged_png() -> bytes:
    """A file of which Pillow says by ValueError, and not by OSError, that it is damaged."""
    chunk = b"IHDR" + bytes(4)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 4) + chunk + struct.pack(">I", crc32(chunk))


def shard(members: Iterable[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A .tar file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for number, (name, data) in enumerate(members):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid = len(data), 1_700_000_000 + number, 1000
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def members(data: bytes) -> list[tuple[str, bytes]]:
    """Names and bytes of the regular files of a .tar file, in order."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [(info.name, archive.extractfile(info).read()) for info in archive if info.isreg()]


def samples(many: int) -> list[tuple[str, bytes]]:
    """Members of a shard as webdataset writes it."""
    made = []
    for i in range(many):
        made += [
            (f"{i:04}.jpg", picture(i)),
            (f"{i:04}.txt", b"a picture"),
            (f"{i:04}.cls", b"%d" % i),
        ]
    return made


def shortened(name: str, output: str, data: bytes) -> Made:
    """In the place of a codec: the last bytes, and an error for what is no picture."""
    if not data.startswith((b"\xff\xd8", b"\x89PNG")):
        raise ImageError(f"{name}: no picture")
    return Made(b"LTP" + data[-20:], fields={"output": output})


CHANGE = Change(shortened, SUFFIXES)
