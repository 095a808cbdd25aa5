"""Settings of glibc's malloc: what is given back to the system, and what stays with the process,
for the command and while a latent is optimized.

The tensors of an iteration are tens of MB each. glibc gives such blocks back to the system when
they are freed and fetches zeroed pages for the next: half of an optimization's processor time. This
is a setting of the whole process: of optimizations in several threads the first makes it and the
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
ARENA_MAX = -8
HUGE_PAGES = 14  # MADV_HUGEPAGE of madvise
PAGE_BYTES = 1 << 12
HEAP_BYTES = 1 << 28
MOST_KEPT = 1 << 25  # bytes; malloc takes no more
GIVEN_BACK = 1 << 20
FEW = 1 << 24  # pixels
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


def use_huge_pages() -> None:
    """Have malloc give out memory of huge pages, and use again what is freed.

    A small picture's arrays are a few MB each. By default malloc fetches such a block from the
    system anew each time, in pages of 4 kB that are zeroed one by one, which is up to a third of
    the processor time. Here the heap is made HEAP_BYTES long before it is used, and Linux is asked
    for pages of 2 MB there; what is not used takes no memory. Elsewhere than on glibc this does
    nothing. For the command only: as a library latentpress sets malloc for the time of an
    optimization alone.
    """
    c = _c_library()
    if c is None:
        return
    c.malloc.restype = ctypes.c_void_p
    c.malloc.argtypes = (ctypes.c_size_t,)
    c.free.argtypes = (ctypes.c_void_p,)
    c.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    c.mallopt(ARENA_MAX, 1)  # threads too use this heap
    c.mallopt(MMAP_MAX, 0)
    c.mallopt(TRIM_THRESHOLD, 2 * HEAP_BYTES)
    if block := c.malloc(HEAP_BYTES):
        start = -(-block // PAGE_BYTES) * PAGE_BYTES
        c.madvise(start, HEAP_BYTES - PAGE_BYTES, HUGE_PAGES)
        c.free(block)
    c.mallopt(MMAP_MAX, DEFAULT[MMAP_MAX])
    c.mallopt(MMAP_THRESHOLD, MOST_KEPT)


def make_room(pixels: int) -> None:
    """Before a picture of more than FEW pixels, give what is free back to the system, and from then
    on arrays above a megabyte when they are freed, for those of a large picture would leave gaps in
    the heap, 0.15 GB of them at 100 megapixels. For the command only.
    """
    c = _c_library()
    if c is not None and pixels > FEW:
        c.mallopt(TRIM_THRESHOLD, DEFAULT[TRIM_THRESHOLD])
        c.mallopt(MMAP_THRESHOLD, GIVEN_BACK)
        c.malloc_trim(0)


def _c_library() -> Any:
    """The C library of the process where it is one with mallopt (glibc), else None."""
    c = ctypes.CDLL(None) if sys.platform == "linux" else None
    return c if c is not None and hasattr(c, "mallopt") else None
