"""EXIF blocks with everything that a camera writes: sizes, a thumbnail, a place, a maker's note at
an absolute offset.
"""

import struct
from typing import Any

NOTE = b"a maker's note at its place"
THUMBNAIL = b"\xff\xd8" + bytes(range(1, 200)) * 20 + b"\xff\xd9"
PLACE = b"a place on earth"
SIZE = (4000, 3000)  # that the block tells


def camera_block(orientation: int, order: Any = "<", note_last: bool = False) -> bytes:
    """A TIFF stream: IFD0 (with sizes and a GPS IFD), the Exif IFD, and IFD1 with a JPEG thumbnail.
    note_last: behind the thumbnail.
    """
    width, height = SIZE
    places = {"exif": 8 + 2 + 12 * 6 + 4}
    places["gps"] = places["exif"] + 2 + 12 * 3 + 4
    places["ifd1"] = places["gps"] + 2 + 12 * 1 + 4
    after = places["ifd1"] + 2 + 12 * 3 + 4
    pieces = [("place", PLACE), ("thumbnail", THUMBNAIL), ("note", NOTE)]
    if not note_last:
        pieces = [pieces[2], *pieces[:2]]
    body = b""
    for name, data in pieces:
        places[name] = after + len(body)
        body += data

    def ifd(rows: Any, following: int = 0) -> bytes:
        out = struct.pack(order + "H", len(rows))
        for tag, kind, count, value in rows:
            value = (
                value
                if isinstance(value, bytes)
                else struct.pack(
                    order + {3: "HH", 4: "I"}[kind], value, *([0] if kind == 3 else [])
                )
            )
            out += struct.pack(order + "HHI", tag, kind, count) + value
        return out + struct.pack(order + "I", following)

    def at(name: str) -> bytes:
        return struct.pack(order + "I", places[name])

    ifd0 = ifd(
        [
            (0x0100, 3, 1, width),
            (0x0101, 4, 1, height),
            (0x010F, 2, 4, b"Abc\0"),
            (0x0112, 3, 1, orientation),
            (0x8769, 4, 1, places["exif"]),
            (0x8825, 4, 1, places["gps"]),
        ],
        places["ifd1"],
    )
    exif = ifd([(0x927C, 7, len(NOTE), at("note")), (0xA002, 4, 1, width), (0xA003, 3, 1, height)])
    gps = ifd([(0x001B, 7, len(PLACE), at("place"))])
    ifd1 = ifd(
        [
            (0x0112, 3, 1, orientation),
            (0x0201, 4, 1, places["thumbnail"]),
            (0x0202, 4, 1, len(THUMBNAIL)),
        ]
    )
    return (
        {"<": b"II", ">": b"MM"}[order]
        + struct.pack(order + "HI", 42, 8)
        + ifd0
        + exif
        + gps
        + ifd1
        + body
    )
