"""Memory that is freed stays with the process while a search runs.

The tensors of an iteration are tens of MB each. glibc gives such blocks back to the system when they are freed and fetches zeroed pages
for the next: half of a search's processor time. Where the C library has no mallopt (musl, macOS, Windows), nothing is done.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = -1, -2, -3, -4  # of mallopt, malloc.h
KEPT = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 1 << 26}
DEFAULT = {MMAP_MAX: 1 << 16, TRIM_THRESHOLD: 1 << 17, TOP_PAD: 1 << 17, MMAP_THRESHOLD: 1 << 17}  # man 3 mallopt


@contextmanager
def kept() -> Iterator[None]:
    """Inside, freed memory is used again; afterwards what is free goes back to the system."""
    c = ctypes.CDLL(None) if sys.platform == "linux" else None
    if c is None or not hasattr(c, "mallopt"):
        yield
        return
    for parameter, value in KEPT.items():
        c.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in DEFAULT.items():
            c.mallopt(parameter, value)
        c.malloc_trim(0)
