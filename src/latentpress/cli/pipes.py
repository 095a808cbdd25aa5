"""`-`: one picture from standard input, one to standard output.

What goes to standard output is the bytes of a file and nothing else: from then on the words of the
command, and what any library prints, go to standard error.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from latentpress.errors import ImageError, OutputError, UsageError
from latentpress.system.files import REASONS
from latentpress.system.places import Elsewhere, as_path, elsewhere
from latentpress.system.sources import read_source

DASH = "-"
OUTPUTS = (DASH, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


class StandardInput(Elsewhere):
    """What is piped into the command, read once and kept."""

    def __new__(cls, text: str = DASH, *_: object) -> StandardInput:
        """text: as it was typed."""
        return super().__new__(cls, text)  # type: ignore[return-value]

    def load(self) -> bytes:
        """As of Elsewhere."""
        return _input()

    def size(self) -> int | None:
        """As of Elsewhere; reads it."""
        return len(_input())

    def __str__(self) -> str:
        return "standard input"

    @property
    def name(self) -> str:
        """As of Path."""
        return str(self)


class NamedPipe(Elsewhere):
    """A pipe that has a path, as the <(...) of a shell has, read once and kept."""

    def load(self) -> bytes:
        """As of Elsewhere."""
        return _named(self.text)

    def size(self) -> int | None:
        """As of Elsewhere; reads it."""
        return len(self.load())


class StandardOutput(Elsewhere):
    """Where one file goes, once it is whole. Its text is the suffix of that file."""

    _written = 0

    def save(self, file: Path) -> None:
        """As of Elsewhere."""
        stream = claim()
        try:
            with file.open("rb") as written:
                shutil.copyfileobj(written, stream)
            stream.flush()
        except OSError as error:
            reason = (
                "nobody reads it any more"
                if nobody_reads(error)
                else REASONS.get(error.errno or 0) or error.strerror
            )
            _leave(stream)
            raise OutputError(f"{self}: {reason}") from None
        self._written = file.stat().st_size

    def size(self) -> int | None:
        """As of Elsewhere: of what was written."""
        return self._written or None

    def check(self, overwrite: bool) -> None:
        """As of Elsewhere: refused on a terminal, which would show the bytes."""
        if claim().isatty():
            raise UsageError(
                "standard output is a terminal, which cannot show the bytes of a file: pipe them "
                "into another command or a file, or name an output with -o"
            )

    def __str__(self) -> str:
        return "standard output"

    @property
    def name(self) -> str:
        """As of Path."""
        return str(self)

    @property
    def suffix(self) -> str:
        """Of the kind of file that is written."""
        return self.text


def nobody_reads(error: OSError) -> bool:
    """Whether this is of a pipe that was closed at its other end, of which Windows says EINVAL."""
    is_of_windows = sys.platform == "win32" and error.errno == errno.EINVAL
    return isinstance(error, BrokenPipeError) or (is_of_windows and error.filename is None)


def input_path(text: str) -> Path:
    """What an argument names: standard input, a URL or a path."""
    return StandardInput() if text == DASH else as_path(text)


def output_path(asked: str, suffix: str) -> Path:
    """What -o names: standard output, a URL or a path. suffix: of what is written there."""
    return StandardOutput(suffix) if asked in OUTPUTS else as_path(asked)


def piped(sources: Sequence[Path], asked: str | None, suffix: str) -> list[Path] | None:
    """The outputs of a command that makes one file of each source, where a pipe is among them;
    None where there is none. UsageError where a pipe is not alone.
    """
    has_input = any(isinstance(source, StandardInput) for source in sources)
    if asked not in OUTPUTS and not has_input:
        return None
    if len(sources) > 1:
        raise UsageError(
            f"{len(sources)} inputs, and a pipe holds one file: use - for one picture alone"
        )
    if asked is None:
        return [StandardOutput(suffix)]
    target = output_path(asked, suffix)
    if target.is_dir() or asked.endswith(("/", os.sep)):
        raise UsageError(f"standard input has no name: name a file, not the folder {asked}")
    return [target]


def once(*sources: Path) -> None:
    """UsageError where standard input is named twice."""
    if sum(isinstance(source, StandardInput) for source in sources) > 1:
        raise UsageError("standard input can be read once: name a file for one of the two")


def kept(source: Path) -> Path:
    """A path that may be read, and asked for its size, more than once: of a pipe what it holds."""
    is_pipe = elsewhere(source) is None and source.is_fifo()
    return NamedPipe(os.fspath(source)) if is_pipe else source


@functools.cache
def _named(path: str) -> bytes:
    """All of a pipe."""
    return read_source(path)


@functools.cache
def _input() -> bytes:
    """All of standard input."""
    if sys.stdin is None:
        raise ImageError("standard input is closed")
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal: pipe a file into the command")
    try:
        # not sys.stdin, which is locked while it is read: a process that another thread (of a
        # runtime) forks meanwhile would wait for it for ever, and with it this one
        with open(0, "rb", closefd=False) as stream:
            return stream.read()
    except OSError as error:
        raise ImageError(f"standard input: {error.strerror or error}") from error


@functools.cache
def claim() -> BinaryIO:
    """Standard output, for the bytes of a file; all that is printed goes to standard error."""
    if sys.stdout is not None:
        sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print past Python
    sys.stdout = sys.stderr
    return stream


def _leave(stream: BinaryIO) -> None:
    """Close without another attempt to write what could not be written."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        stream.close()
