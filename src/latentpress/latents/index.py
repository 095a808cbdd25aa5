"""The .ltps file: records one after the other, then an index, so that any latent is read without
the others.

    "LTPS" version | space | 00 00
    records
    index: (end u64, CRC-32C u32) a record
    start of the index u64 | records u64 | CRC-32C of the header, the index and these two numbers
    | "SPTL"

All integers are little-endian; docs/formats/ltps.md is the normative text.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from latentpress.errors import FormatError, SpaceError, UsageError, VersionError
from latentpress.spaces import STABLE_DIFFUSION
from latentpress.system.sources import LTP, LTPS

MAGIC = LTPS
END = b"SPTL"
VERSION = 1
HEADER = struct.Struct("<4sBBxx")  # magic, version, space id
FOOTER = struct.Struct("<QQI4s")  # start of the index, records, CRC-32C, end mark
NUMBERS = struct.Struct("<QQ")
ROW = np.dtype([("end", "<u8"), ("crc", "<u4")])
RAW = 0  # the space id of latents of no named space
MAX_RECORD_BYTES = 1 << 30


@dataclass(frozen=True)
class Index:
    """Where the records stand. space: id. rows: of ROW, in file order; record i ends at
    rows["end"][i].
    """

    space: int
    rows: NDArray[np.void]

    def span(self, i: int) -> tuple[int, int]:
        """(first byte, bytes) of record i."""
        start = HEADER.size if i == 0 else int(self.rows["end"][i - 1])
        return start, int(self.rows["end"][i]) - start


def space_id(name: str | None) -> int:
    """The id of a space's name; None and "raw" are 0. UsageError where unknown; lp1 has a prior of
    its own and is not kept here.
    """
    if name in (None, "raw"):
        return RAW
    for space in STABLE_DIFFUSION:
        if space.name == name:
            return space.id
    names = ", ".join(space.name for space in STABLE_DIFFUSION)
    raise UsageError(f"unknown latent space {name!r}: one of {names}, or raw")


def space_name(number: int) -> str:
    """The name of a space's id, "raw" for 0; SpaceError where unknown."""
    if number == RAW:
        return "raw"
    for space in STABLE_DIFFUSION:
        if space.id == number:
            return space.name
    raise SpaceError(
        f"the file is in latent space {number}, which this version of latentpress does not know"
    )


def write_header(stream: BinaryIO, space: int) -> bytes:
    """Put the header at the start of a file; its bytes."""
    header = HEADER.pack(MAGIC, VERSION, space)
    stream.write(header)
    return header


def end_of(rows: NDArray[np.void]) -> int:
    """Where the last of these records ends; without any, where the first one will begin."""
    return int(rows["end"][-1]) if len(rows) else HEADER.size


def write_index(stream: BinaryIO, header: bytes, rows: NDArray[np.void]) -> None:
    """Put the index and the footer behind the last record."""
    start = end_of(rows)
    body = rows.tobytes()
    numbers = NUMBERS.pack(start, len(rows))
    stream.write(
        body + FOOTER.pack(start, len(rows), google_crc32c.value(header + body + numbers), END)
    )


def read_index(stream: BinaryIO, size: int) -> Index:
    """The index of a file of `size` bytes, checked; reads the header and the file's end.
    FormatError where it is no valid file.
    """
    stream.seek(0)
    header = stream.read(HEADER.size)
    if header[:3] == LTP and header[:4] != MAGIC:
        raise FormatError("an .ltp file, not an .ltps one: `latentpress info` reads it")
    if len(header) < HEADER.size or header[:4] != MAGIC:
        raise FormatError("not an .ltps file, or cut off within its header")
    if header[4] != VERSION:
        raise VersionError(
            f"written in version {header[4]} of the format; this latentpress reads version "
            f"{VERSION}"
        )
    if size < HEADER.size + FOOTER.size:
        raise FormatError("the file is cut off")
    stream.seek(size - FOOTER.size)
    start, count, crc, end = FOOTER.unpack(stream.read(FOOTER.size))
    if end != END or start < HEADER.size or start + count * ROW.itemsize + FOOTER.size != size:
        raise FormatError("the file is cut off, or its end is damaged")
    stream.seek(start)
    body = stream.read(count * ROW.itemsize)
    if (
        google_crc32c.value(header + body + NUMBERS.pack(start, count)) != crc
        or header[6:] != b"\0\0"
    ):
        raise FormatError("the index is damaged: its checksum does not match")
    rows = np.frombuffer(body, ROW)
    ends = np.concatenate([np.array([HEADER.size], np.uint64), rows["end"]])
    if (
        (ends[1:] <= ends[:-1]).any()
        or int(ends[-1]) != start
        or (np.diff(ends) > MAX_RECORD_BYTES).any()
    ):
        raise FormatError(
            "the index names records that overlap, are empty, too long or not where they should be"
        )
    space_name(header[5])
    return Index(header[5], rows)
