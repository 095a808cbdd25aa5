"""EXIF made true and small: sizes as the picture has them, no thumbnail, no place where it was
asked for.

The block is altered where it stands, so that offsets within it, those of a maker's note too, stay
true: what is taken out is overwritten with zeros, which deflate to next to nothing, and cut off
where it was the end of the block. Source: Exif 2.32 (CIPA DC-008), TIFF 6.0.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ORDERS = {b"II": "<", b"MM": ">"}  # the first two bytes of a TIFF stream
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
WHOLE_NUMBERS = {3: "H", 4: "I"}  # SHORT and LONG
ENTRY_BYTES = 12
MAX_SUB_IFDS = 2  # of one tag in one IFD: a hostile block may have thousands
EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD = 0x8769, 0x8825, 0xA005
WIDTHS = (0x0100, 0xA002)  # ImageWidth, PixelXDimension
HEIGHTS = (0x0101, 0xA003)  # ImageLength, PixelYDimension
# where the bytes of a thumbnail stand, and how many there are: of a JPEG, of uncompressed strips
THUMBNAIL_DATA = ((0x0201, 0x0202), (0x0111, 0x0117))

Range = tuple[int, int]  # of bytes: the first one, the one behind the last


class Entry(NamedTuple):
    """A row of an IFD; length: how many values of the type; at: where the row stands."""

    tag: int
    type: int
    length: int
    at: int


class Directory(NamedTuple):
    """An IFD: where it begins, its rows, and the offset of the next IFD, 0 where there is none."""

    start: int
    entries: list[Entry]
    next: int

    @property
    def link(self) -> int:
        """Where the offset of the next IFD stands."""
        return self.start + 2 + ENTRY_BYTES * len(self.entries)


def true_exif(exif: bytes, width: int, height: int, *, keeps_gps: bool = True) -> bytes | None:
    """An EXIF block for an upright picture of this size, without a thumbnail.

    Args:
        exif: a TIFF stream.
        width: columns of the upright picture; what ImageWidth and PixelXDimension become, where
            they are there.
        height: rows, likewise.
        keeps_gps: whether the GPS IFD stays.

    Returns:
        The block, not longer than it was. A damaged one is given back as it is, or None where a
        place that may stand in it is not wanted.
    """
    try:
        block = _Block(exif)
        first = block.directory(block.number("I", 4))
    except (KeyError, struct.error):
        return exif if keeps_gps else None
    main = [first, *block.sub_directories(first, EXIF_IFD)]
    main += [
        d for exif_ifd in main[1:] for d in block.sub_directories(exif_ifd, INTEROPERABILITY_IFD)
    ]
    places = block.sub_directories(first, GPS_IFD)
    if not keeps_gps and len(places) < sum(e.tag == GPS_IFD for e in first.entries):
        return None
    erased: list[Directory] = []
    if keeps_gps:
        main += places
    else:
        erased += places
    for directory in main:
        block.set_numbers(directory, WIDTHS, width)
        block.set_numbers(directory, HEIGHTS, height)
    kept = [piece for directory in main for piece in block.ranges(directory)]
    gone: list[Range] = []
    if first.next:
        struct.pack_into(block.order + "I", block.data, first.link, 0)
        try:
            thumbnail = block.directory(first.next)
            erased.append(thumbnail)
            gone += block.thumbnail_ranges(thumbnail)
        except struct.error:  # the link led out of the block
            pass
    gone += [piece for directory in erased for piece in block.ranges(directory)]
    if not keeps_gps:
        block.remove(first, GPS_IFD)
    return block.without(gone, [(0, 8), *kept])


class _Block:
    """The bytes of an EXIF block, and how to find one's way in them. KeyError where they do not
    begin as a TIFF stream.
    """

    def __init__(self, exif: bytes) -> None:
        self.order = ORDERS[exif[:2]]
        self.data = bytearray(exif)

    def number(self, code: str, at: int) -> int:
        """The number at an offset; struct.error beyond the end."""
        return int(struct.unpack_from(self.order + code, self.data, at)[0])

    def directory(self, start: int) -> Directory:
        """The IFD at an offset, without a next one where its link is cut off; struct.error where a
        row is.
        """
        rows = range(start + 2, start + 2 + ENTRY_BYTES * self.number("H", start), ENTRY_BYTES)
        entries = [
            Entry(self.number("H", at), self.number("H", at + 2), self.number("I", at + 4), at)
            for at in rows
        ]
        if rows and rows[-1] + ENTRY_BYTES > len(self.data):
            raise struct.error("the last row is cut off")
        link = start + 2 + ENTRY_BYTES * len(entries)
        return Directory(
            start, entries, self.number("I", link) if link + 4 <= len(self.data) else 0
        )

    def sub_directories(self, directory: Directory, tag: int) -> list[Directory]:
        """The IFDs that the rows with this tag lead to, of which Exif allows one and at most
        MAX_SUB_IFDS are looked at; one that is damaged is left out.
        """
        rows = [e for e in directory.entries if e.tag == tag and e.length == 1]
        found = []
        for start in sorted({self.number("I", e.at + 8) for e in rows})[:MAX_SUB_IFDS]:
            try:
                found.append(self.directory(start))
            except struct.error:
                continue
        return found

    def ranges(self, directory: Directory) -> Iterator[Range]:
        """The bytes of an IFD, and those of its values that stand elsewhere."""
        yield directory.start, directory.link + 4
        for entry in directory.entries:
            size = TYPE_BYTES.get(entry.type, 0) * entry.length
            if size > 4:
                start = self.number("I", entry.at + 8)
                yield start, start + size

    def thumbnail_ranges(self, directory: Directory) -> Iterator[Range]:
        """The bytes of the picture that the first IFD describes."""
        for place, length in THUMBNAIL_DATA:
            starts = self.values(directory, place)
            yield from (
                (a, a + n) for a, n in zip(starts, self.values(directory, length), strict=False)
            )

    def values(self, directory: Directory, tag: int) -> list[int]:
        """The whole numbers of a row, as many as the block holds; none where it is not there."""
        for entry in directory.entries:
            code = WHOLE_NUMBERS.get(entry.type)
            if entry.tag == tag and code:
                size = TYPE_BYTES[entry.type]
                start = entry.at + 8
                if size * entry.length > 4:
                    start = self.number("I", start)
                end = min(start + size * entry.length, len(self.data) - size + 1)
                return [self.number(code, at) for at in range(start, end, size)]
        return []

    def set_numbers(self, directory: Directory, tags: Collection[int], value: int) -> None:
        """Write a number, at most 65,535, into the rows with these tags that hold one."""
        for entry in directory.entries:
            code = WHOLE_NUMBERS.get(entry.type)
            if entry.tag in tags and entry.length == 1 and code:
                struct.pack_into(self.order + code, self.data, entry.at + 8, value)

    def remove(self, directory: Directory, tag: int) -> None:
        """Take the rows with this tag out of an IFD; zeros stand behind its link for them."""
        kept = [e for e in directory.entries if e.tag != tag]
        rows = b"".join(bytes(self.data[e.at : e.at + ENTRY_BYTES]) for e in kept)
        link = bytes(self.data[directory.link : directory.link + 4])
        start = directory.start
        end = directory.link + len(link)
        new = struct.pack(self.order + "H", len(kept)) + rows + link
        self.data[start:end] = new.ljust(end - start, b"\0")

    def without(self, gone: Iterable[Range], kept: Iterable[Range]) -> bytes:
        """The block with zeros in the ranges that are gone and not kept, and without those at its
        end.
        """
        erased = self._covered(gone) & ~self._covered(kept)
        left = np.frombuffer(self.data, np.uint8) * ~erased
        return left[: len(left) - int(np.argmin(erased[::-1]))].tobytes()

    def _covered(self, ranges: Iterable[Range]) -> NDArray[np.bool_]:
        """Which bytes of the block lie in one of the ranges."""
        size = len(self.data)
        steps = np.zeros(size + 1, np.int64)
        for start, end in ranges:
            steps[min(start, size)] += 1
            steps[min(end, size)] -= 1
        return np.cumsum(steps[:size]) > 0
