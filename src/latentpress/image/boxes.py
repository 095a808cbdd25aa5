"""What the boxes of AVIF, HEIC (ISO/IEC 14496-12, 23008-12) and JPEG 2000 (ISO/IEC 15444-1, annex
I) tell about color and depth, which Pillow does not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from latentpress.image.cicp import Cicp

LARGEST = 1 << 26  # bytes of a box of metadata that is read
MOST_BOXES = 10_000  # of a file that are looked at


@dataclass
class Properties:
    """Color and depth of a picture: its nclx numbers, its ICC profile, its bits a sample."""

    cicp: Cicp | None = None
    icc: bytes | None = None
    bits: int = 8
    depths: list[int] = field(default_factory=list)


def heif_properties(file: BinaryIO) -> Properties:
    """Of the primary item of an AVIF or HEIC file that begins at position 0; what is missing or
    damaged stays at its default.
    """
    found = Properties()
    try:
        meta = dict(_boxes(top_box(file, b"meta")[4:]))
        iprp = list(_boxes(meta.get(b"iprp", b"")))
        properties = [box for kind, body in iprp if kind == b"ipco" for box in _boxes(body)]
        version = meta[b"pitm"][0]
        (item,) = struct.unpack_from(">I" if version else ">H", meta[b"pitm"], 4)
        for kind, body in iprp:
            if kind == b"ipma":
                for i in _associations(body, item):
                    if 0 < i <= len(properties):
                        _read_property(*properties[i - 1], found)
    except (KeyError, IndexError, struct.error):
        pass
    found.bits = max(found.depths, default=8)
    return found


def jp2_properties(file: BinaryIO) -> Properties:
    """Of a JPEG 2000 file or bare codestream that begins at position 0."""
    found = Properties()
    try:
        file.seek(0)
        start = file.read(4096)
        if not start.startswith(b"\xff\x4f\xff\x51"):
            for kind, body in _boxes(top_box(file, b"jp2h")):
                if kind == b"colr" and found.cicp is None and found.icc is None:
                    if body[0] in (2, 3):
                        found.icc = body[3:]
                    elif body[0] == 5:
                        found.cicp = Cicp(*struct.unpack_from(">HH", body, 3))
            start = top_box(file, b"jp2c", 4096)
        (components,) = struct.unpack_from(">H", start, 40)
        found.bits = max((value & 0x7F) + 1 for value in start[42 : 42 + 3 * components : 3])
    except (ValueError, IndexError, struct.error):
        pass
    return found


def _read_property(kind: bytes, body: bytes, found: Properties) -> None:
    if kind == b"colr" and body[:4] == b"nclx":
        found.cicp = Cicp(*struct.unpack_from(">HH", body, 4))
    elif kind == b"colr" and body[:4] in (b"prof", b"rICC"):
        found.icc = body[4:]
    elif kind == b"pixi":
        found.depths += body[5 : 5 + body[4]]
    elif kind == b"av1C":
        found.depths.append(8 + 2 * bool(body[2] & 0x40) + 2 * bool(body[2] & 0x20))
    elif kind == b"hvcC":
        found.depths.append(8 + (body[17] & 7))


def _associations(body: bytes, item: int) -> Iterator[int]:
    """Numbers, from 1, of the properties of an item in an ItemPropertyAssociationBox."""
    wide_ids, wide_indices = body[0] >= 1, body[3] & 1
    (entries,) = struct.unpack_from(">I", body, 4)
    at = 8
    for _ in range(entries):
        (owner,) = struct.unpack_from(">I" if wide_ids else ">H", body, at)
        at += 4 if wide_ids else 2
        count = body[at]
        at += 1
        form = f">{count}{'H' if wide_indices else 'B'}"
        if owner == item:
            mask = 0x7FFF if wide_indices else 0x7F
            yield from (value & mask for value in struct.unpack_from(form, body, at))
        at += struct.calcsize(form)


def top_box(file: BinaryIO, wanted: bytes, limit: int = LARGEST) -> bytes:
    """The body of a file's first box of this kind, at most `limit` bytes; empty where none is."""
    for kind, start, size in _top_boxes(file):
        if kind == wanted:
            file.seek(start)
            return file.read(limit if size is None else max(0, min(size, limit)))
    return b""


def compressed_kinds(file: BinaryIO) -> set[bytes]:
    """The kinds of a JPEG XL file's boxes that are compressed by Brotli (ISO/IEC 18181-2, 9.5)."""
    found = set()
    for kind, start, _ in _top_boxes(file):
        if kind == b"brob":
            file.seek(start)
            found.add(file.read(4))
    return found


def _top_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int | None]]:
    """Kinds of a file's boxes, where their bodies begin, and the bytes of these; None: up to the
    file's end.
    """
    at = 0
    for _ in range(MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack_from(">I4s", head)
        start = 8
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack_from(">Q", head, 8)
            start = 16
        yield kind, at + start, size - start if size else None
        if not start <= size < 1 << 62:
            return
        at += size


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and bodies of the boxes in the body of another."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + size if size else len(data)
        if end < at + 8 or end > len(data):
            return
        yield kind, data[at + 8 : end]
        at = end
