"""What became of a picture that failed, in one sentence that names it; what ends a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from latentpress.errors import (
    DiskFullError,
    ImageError,
    LatentpressError,
    UsageError,
    prefixed,
)

# what the work on one picture may raise; RuntimeError is from ONNX Runtime and torch
FAULTS = (LatentpressError, OSError, MemoryError, RuntimeError)
ENDING = (UsageError, DiskFullError)  # of those, what no other picture would escape


def describe(source: object, error: BaseException) -> ImageError:
    """An error of the operating system, of memory or of a runtime as one sentence."""
    if isinstance(error, MemoryError):
        return ImageError(f"{source}: not enough memory for this picture")
    reason = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    return ImageError(f"{source}: {reason.splitlines()[0]}")


def sentence(source: object, error: BaseException) -> str:
    """An exception as one sentence: of one that nobody expected its name, too."""
    if isinstance(error, LatentpressError):
        return str(error)
    if isinstance(error, FAULTS):
        return str(describe(source, error))
    reason = (str(error).strip().splitlines() or [""])[0]
    return f"{source}: {type(error).__name__}: {reason}".removesuffix(": ")


@contextmanager
def naming(
    source: object, but: tuple[type[LatentpressError], ...] = (UsageError,)
) -> Iterator[None]:
    """Prefix the message of any LatentpressError with the file's name, but of those of a kind."""
    try:
        yield
    except but:
        raise
    except LatentpressError as error:
        raise prefixed(source, error) from error
