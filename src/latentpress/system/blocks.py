"""Memory for the large arrays that come and go with every picture: blocks that are used again.

malloc fetches such an array from the system anew for every picture, and the system zeroes its pages
one by one, which is a seventh of the processor time of a small picture. Here the block of an array
that nobody holds any more waits for the next one of its size.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LEAST, MOST = 1 << 17, 1 << 24  # bytes of an array that gets a block
UNIT = 1 << 17  # bytes, of which a block has a multiple, so that nearly equal arrays share one
KEPT = 1 << 26  # bytes of all blocks that wait

_waiting: list[NDArray[np.uint8]] = []  # the one that has waited longest first
_lock = threading.Lock()


class _Lent:
    """A block while an array lies in it. NumPy keeps it as the array's base, and its views'."""

    def __init__(self, block: NDArray[np.uint8], shape: Sequence[int], dtype: np.dtype[Any]):
        self._block = block
        self.__array_interface__ = {
            "version": 3,
            "shape": tuple(shape),
            "typestr": dtype.str,
            "data": (block.ctypes.data, False),
        }

    def __del__(self) -> None:
        _give_back(self._block)


def empty(shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """As `numpy.empty`."""
    kind = np.dtype(dtype)
    size = prod(shape) * kind.itemsize
    if not LEAST <= size <= MOST:
        return np.empty(shape, kind)
    size = -(-size // UNIT) * UNIT
    block = _taken(size)
    if block is None:
        block = np.empty(size, np.uint8)
    return np.asarray(_Lent(block, shape, kind))


def concatenated(parts: Sequence[NDArray[Any]], axis: int) -> NDArray[Any]:
    """As `numpy.concatenate`, of arrays of one kind; a single one is not copied."""
    if len(parts) == 1:
        return parts[0]
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return np.concatenate(parts, axis, out=empty(shape, parts[0].dtype))


def waiting() -> int:
    """Bytes of the blocks that wait."""
    return sum(block.size for block in tuple(_waiting))


def _taken(size: int) -> NDArray[np.uint8] | None:
    """A waiting block of a size, the one that was used last; None where there is none."""
    # a thread never waits here: an array may end at any line, this function's among them
    if not _lock.acquire(blocking=False):
        return None
    try:
        for i in range(len(_waiting) - 1, -1, -1):
            if _waiting[i].size == size:
                return _waiting.pop(i)
        return None
    finally:
        _lock.release()


def _give_back(block: NDArray[np.uint8]) -> None:
    if not _lock.acquire(blocking=False):
        return
    try:
        _waiting.append(block)
        while waiting() > KEPT:
            _waiting.pop(0)
    finally:
        _lock.release()
