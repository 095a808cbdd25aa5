"""The bytes of a file, wherever they are: under a path or a URL, in memory, or behind an open
file.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from latentpress.errors import ImageError, LatentpressError, UsageError, prefixed
from latentpress.system.places import elsewhere, located, path_name

LTP = b"LTP"  # how an .ltp file begins
LTPS = b"LTPS"  # how a .ltps file begins
LTP_MIME = "image/x-latentpress"
LTPS_MIME = "application/x-latentpress-latents"
GIVES_TEXT = "the open file gives text: open it in binary mode, 'rb'"


class BinaryFile(Protocol):
    """An open binary file, of whatever class: it is read from where it stands."""

    def read(self) -> bytes:
        """All that is left."""
        ...


ByteSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile


class Named(io.BytesIO):
    """Bytes in memory under the name of the file they are from, as messages tell it."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def read_source(source: ByteSource) -> bytes:
    """All bytes of a source.

    Raises:
        ImageError: the file cannot be read.
        UsageError: it is no source of bytes.
    """
    if isinstance(source, bytes):
        return source
    if isinstance(source, (bytearray, memoryview)):
        return bytes(source)
    source = located(source)
    place = elsewhere(source)
    if place is not None:
        return place.load()
    if isinstance(source, (str, os.PathLike)):
        try:
            with open(source, "rb") as stream:
                return stream.read()
        except OSError as error:
            raise unreadable(os.fspath(source), error) from error
        except ValueError as error:  # a null character
            raise ImageError(f"{os.fspath(source)!r}: {error}") from error
    if not hasattr(source, "read"):
        raise UsageError(
            f"a path, bytes or an open binary file is needed, not {type(source).__name__}"
        )
    try:
        data: object = source.read()
    except UnicodeDecodeError as error:
        raise UsageError(GIVES_TEXT) from error
    except (OSError, ValueError) as error:  # the latter of a closed file
        raise ImageError(f"{name_of(source) or 'the file'}: {error}") from error
    except Exception as error:  # of a connection, as http.client.IncompleteRead
        said = f"reading it failed ({type(error).__name__}: {error})"
        raise ImageError(f"{name_of(source) or 'the file'}: {said}") from error
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError(GIVES_TEXT)
    return bytes(data)


@contextlib.contextmanager
def reading(source: ByteSource) -> Iterator[bytes]:
    """Yield the bytes of a source; where the block raises a LatentpressError, but for a UsageError,
    the message then begins with the name of the file, if it has one.
    """
    data = read_source(source)
    name = name_of(source)
    try:
        yield data
    except UsageError:
        raise
    except LatentpressError as error:
        if name is None:
            raise
        raise prefixed(name, error) from error


def visible(folder: Path, pattern: str) -> list[Path]:
    """The files at any depth of a folder that a pattern names, in order; ImageError where one of
    its folders cannot be listed. None is hidden: beside a.ltp, macOS puts its attributes as ._a.ltp
    into file systems that are not its own.
    """

    def refused(error: OSError) -> None:
        raise unreadable(os.fspath(error.filename), error, listed=True) from error

    found = []
    for place, folders, names in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in names if not name.startswith("."))
        found += [path for path in paths if path.match(pattern) and path.is_file()]
    return sorted(found)


def name_of(source: object) -> str | None:
    """The path of a source, as it is shown; None where it has none."""
    if isinstance(source, (str, os.PathLike)):
        return path_name(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else None  # of a pipe it is a number


def unreadable(name: str, error: OSError, *, listed: bool = False) -> ImageError:
    """What the system said of reading a file, in one sentence that names it. listed: it is a
    folder, which was to be listed.
    """
    if isinstance(error, FileNotFoundError):
        reason = "no such file"
    # to open a folder as a file is not permitted on Windows
    elif isinstance(error, IsADirectoryError) or (not listed and os.path.isdir(name)):
        reason = "is a folder, not a file"
    elif isinstance(error, PermissionError):
        reason = "no permission to read it"
    else:
        reason = error.strerror or str(error) or type(error).__name__
    return ImageError(f"{name}: {reason}")


def not_a_picture(start: bytes) -> str | None:
    """What bytes that begin so are, where they are one of this package's files and not a picture;
    else None.
    """
    if start.startswith(LTPS):
        return "holds latents, not a picture: `latentpress latents unpack` gives them back"
    if start.startswith(LTP):
        return "is already an .ltp file: `latentpress decompress` makes a picture of it"
    return None
