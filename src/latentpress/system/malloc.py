"""Settings of glibc's malloc: what is given back to the system, and what stays with the process
while a latent is optimised.

The tensors of an iteration are tens of MB each. glibc gives such blocks back to the system when
they are freed and fetches zeroed pages for the next: half of an optimisation's processor time. This
is a setting of the whole process: of optimisations in several threads the first makes it and the
last takes it back, to glibc's defaults. Where the C library has no mallopt (musl, macOS, Windows),
nothing is done.
"""

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# of mallopt, malloc.h
TRIM_THRESHOLD = -1
TOP_PAD = -2
MMAP_THRESHOLD = -3
MMAP_MAX = -4
THRESHOLD_BYTES = 1 << 20  # arrays above it are given back when they are freed
KEPT = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 1 << 26}
# man 3 mallopt
DEFAULT = {MMAP_MAX: 1 << 16, TRIM_THRESHOLD: 1 << 17, TOP_PAD: 1 << 17, MMAP_THRESHOLD: 1 << 17}

_lock = threading.Lock()
_users = 0


@contextmanager
def kept() -> Iterator[None]:
    """Inside, freed memory is used again; afterwards what is free goes back to the system."""
    c = _c_library()
    if c is None:
        yield
        return
    global _users
    with _lock:
        _users += 1
        for parameter, value in KEPT.items():
            c.mallopt(parameter, value)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                for parameter, value in DEFAULT.items():
                    c.mallopt(parameter, value)
                c.malloc_trim(0)


def return_freed_arrays() -> None:
    """Have malloc give arrays above a megabyte back to the system when they are freed.

    By default glibc raises that threshold as it goes; the tiles of a 100-megapixel picture then
    leave 0.15 GB of gaps behind. Elsewhere than on glibc this does nothing. For the command only:
    as a library latentpress sets malloc for the time of an optimisation alone.
    """
    c = _c_library()
    if c is not None:
        c.mallopt(MMAP_THRESHOLD, THRESHOLD_BYTES)


def _c_library() -> Any:
    """The C library of the process where it is one with mallopt (glibc), else None."""
    c = ctypes.CDLL(None) if sys.platform == "linux" else None
    return c if c is not None and hasattr(c, "mallopt") else None
