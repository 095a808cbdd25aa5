"""Members of a .tar file as a stream, one after the other, and the headers of new ones.

`tarfile` takes a damaged header in the middle for the end and holds whatever an extended header
promises in memory. Here both are errors, which name the member before them.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import BinaryIO, cast

from latentpress.errors import FormatError, ImageError
from latentpress.system.members import check_size

BLOCK = 512
COPY_BYTES = 1 << 20
MAX_EXTENDED = 1 << 20  # bytes of an extended header: names and attributes
ENCODING, ERRORS = "utf-8", "surrogateescape"
END = bytes(2 * BLOCK)
GZIP = b"\x1f\x8b"
COMPRESSED = (GZIP, b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # gzip, bzip2, xz, zstd
PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK, SPARSE = b"x", b"g", b"L", b"K", b"S"
REGULAR = (b"0", b"\0", b"7")


@dataclass(frozen=True)
class Member:
    """A member of a .tar file.

    name: as it stands there, its folders too. size: bytes. is_file: a regular file; else a folder,
    a link, a device, or attributes for all (without a name). head: its header as it stands there,
    with the extended ones before it. info: what the header says. offset: where its bytes begin.
    """

    name: str
    size: int
    is_file: bool
    head: bytes
    info: tarfile.TarInfo
    offset: int

    @property
    def is_special(self) -> bool:
        """A link, a device or a pipe."""
        return self.info.type in (b"1", b"2", b"3", b"4", b"6")

    @property
    def padding(self) -> int:
        """Bytes between its last and the next header."""
        return -self.size % BLOCK


class TarReader:
    """The members of a stream in their order; the bytes of the one that came last can be asked for.

    Args:
        stream: at its beginning. One that can seek is not read where nothing is asked for.

    Raises:
        FormatError: while iterating or reading: cut off, damaged, or of a kind that is not read.
        ImageError: the stream cannot be read.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0
        self._left = 0  # bytes of the last member that were not read, its padding not counted
        self._padding = 0
        self._last = ""
        self._end: int | None = None
        if stream.seekable():
            self._end = stream.seek(0, 2)
            stream.seek(0)

    def __iter__(self) -> Iterator[Member]:
        while (member := self._next()) is not None:
            yield member

    def read(self, member: Member) -> bytes:
        """All bytes of the member that came last; ImageError where they are too many to hold."""
        check_size(member.size)
        data = self._take(self._left)
        self._left = 0
        return data

    def blocks(self) -> Iterator[bytes]:
        """The bytes of the member that came last, those that were not read yet, in pieces."""
        while self._left:
            data = self._take(min(self._left, COPY_BYTES))
            self._left -= len(data)
            yield data

    def _next(self) -> Member | None:
        head, name, pax = b"", None, {}
        while True:
            self._skip()
            block = self._read(BLOCK)
            if block == bytes(BLOCK):
                if head:
                    raise self._broken("ends after an extended header")
                if isinstance(self._stream, Inflated):
                    self._stream.finish()
                return None
            if len(block) < BLOCK:
                raise self._broken(
                    "is cut off: the mark of its end is missing" if not block else "is cut off"
                )
            info = self._info(block)
            head += block
            if info.type in (PAX, GNU_NAME, GNU_LINK):
                body = self._extended(info)
                head += body
                if info.type == PAX:
                    pax = _records(body[: info.size])
                    if any(key.startswith("GNU.sparse") for key in pax):
                        raise self._broken("has a sparse file, which is not read,")
                elif info.type == GNU_NAME:
                    name = body[: info.size].rstrip(b"\0").decode(ENCODING, ERRORS)
                continue
            if info.type == PAX_GLOBAL:
                head += self._extended(info)
                info.size = 0
                return Member("", 0, False, head, info, self._position)
            if info.type == SPARSE:
                raise self._broken("has a sparse file, which is not read,")
            return self._member(head, info, name, pax)

    def _member(
        self, head: bytes, info: tarfile.TarInfo, name: str | None, pax: dict[str, str]
    ) -> Member:
        is_file = info.type in REGULAR and not (info.type == b"\0" and info.name.endswith("/"))
        if "size" in pax:
            try:
                info.size = int(pax["size"])
            except ValueError:
                raise self._broken("has a header that is damaged") from None
        if info.type in (b"1", b"2", b"3", b"4", b"5", b"6"):  # which have no bytes
            info.size = 0
        if info.size < 0:
            raise self._broken("has a header that is damaged")
        info.name = pax.get("path", name if name is not None else info.name)
        info.pax_headers = pax
        self._last = info.name
        self._left, self._padding = info.size, -info.size % BLOCK
        return Member(info.name, info.size, is_file, head, info, self._position)

    def _info(self, block: bytes) -> tarfile.TarInfo:
        try:
            return tarfile.TarInfo.frombuf(block, ENCODING, ERRORS)
        except (tarfile.HeaderError, ValueError) as error:
            if self._position == BLOCK and block.startswith(COMPRESSED):
                raise FormatError(
                    "the archive is compressed: unpack it to a .tar or .tar.gz"
                ) from error
            raise self._broken("has a header that is damaged") from error

    def _extended(self, info: tarfile.TarInfo) -> bytes:
        """The body of an extended header, with its padding."""
        if not 0 <= info.size <= MAX_EXTENDED:
            raise self._broken(f"has an extended header of {info.size:,} bytes")
        return self._take(info.size + -info.size % BLOCK)

    def _skip(self) -> None:
        """Go behind the last member."""
        left, self._left = self._left + self._padding, 0
        self._padding = 0
        if self._end is not None and left:
            if self._position + left > self._end:
                raise self._broken("is cut off")
            self._position = self._stream.seek(self._position + left)
            return
        while left:
            left -= len(self._take(min(left, COPY_BYTES)))

    def _take(self, size: int) -> bytes:
        """So many bytes; FormatError where there are fewer."""
        if self._end is not None and self._position + size > self._end:
            raise self._broken("is cut off")
        data = self._read(size)
        if len(data) < size:
            raise self._broken("is cut off")
        return data

    def _read(self, size: int) -> bytes:
        """So many bytes, or as many as there are."""
        parts, left = [], size
        try:
            while left and (data := self._stream.read(min(left, COPY_BYTES))):
                parts.append(data)
                left -= len(data)
        except OSError as error:
            raise ImageError(f"cannot be read: {error.strerror or error}") from error
        self._position += size - left
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _broken(self, what: str) -> FormatError:
        where = f"in or behind its member {self._last!r}" if self._last else "at its beginning"
        return FormatError(f"the archive {what} {where}, at byte {self._position:,}")


class Inflated(io.RawIOBase):
    """What a gzip stream holds, read once from its beginning to its end. FormatError where it is
    damaged or cut off.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=stream, mode="rb")

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Bytes of what it holds."""
        try:
            return self._file.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FormatError(
                f"the archive is damaged or cut off within its gzip: {error}"
            ) from error

    def finish(self) -> None:
        """Read to the end of the gzip stream, where its checksum stands."""
        while self.read(COPY_BYTES):
            pass


def inflated(stream: BinaryIO, head: BinaryIO) -> BinaryIO:
    """The stream, or what it holds where it is compressed by gzip. head: the same file as one that
    can seek, at its beginning, where it is left.
    """
    try:
        start = head.read(len(GZIP))
        head.seek(0)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}") from error
    return cast(BinaryIO, Inflated(stream)) if start == GZIP else stream


def header(member: Member, name: str, size: int) -> bytes:
    """The header of a member under another name, with another size: owner, permissions and time
    are the member's.
    """
    info = copy(member.info)
    info.name, info.size = name, size
    info.pax_headers = {k: v for k, v in info.pax_headers.items() if k not in ("path", "size")}
    if info.pax_headers:
        return info.tobuf(tarfile.PAX_FORMAT, ENCODING, ERRORS)
    if member.head[257:263] == b"ustar\0":
        try:
            return info.tobuf(tarfile.USTAR_FORMAT, ENCODING, ERRORS)
        except ValueError:  # the name is too long
            return info.tobuf(tarfile.PAX_FORMAT, ENCODING, ERRORS)
    return info.tobuf(tarfile.GNU_FORMAT, ENCODING, ERRORS)


def _records(body: bytes) -> dict[str, str]:
    """Keyword -> value of an extended header of POSIX: records "LENGTH KEYWORD=VALUE\\n"."""
    found, at = {}, 0
    while at < len(body) and body[at]:
        digits, space, _ = body[at : at + 20].partition(b" ")
        if not space or not digits.isdigit() or not int(digits):
            break
        record = body[at + len(digits) + 1 : at + int(digits)]
        key, _, value = record.removesuffix(b"\n").partition(b"=")
        found[key.decode(ENCODING, ERRORS)] = value.decode(ENCODING, ERRORS)
        at += int(digits)
    return found
