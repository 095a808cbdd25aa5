"""Bounded memory for large pictures on glibc."""

import contextlib
import ctypes

M_MMAP_THRESHOLD = -3  # malloc.h
THRESHOLD_BYTES = 1 << 20


def return_freed_arrays() -> None:
    """Have malloc give arrays above a megabyte back to the system when they are freed.

    By default glibc raises that threshold as it goes; the tiles of a 100-megapixel picture then leave 0.15 GB of gaps
    behind. Elsewhere than on glibc this does nothing. For the command only: as a library latentpress sets malloc for the
    time of a search alone (refine/heap.py).
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, THRESHOLD_BYTES)
