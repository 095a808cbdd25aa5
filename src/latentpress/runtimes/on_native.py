"""Graphs on the package's own convolutions (`native/`): bytes where a convolution has steps, floats
elsewhere. Every picture goes through in bands of rows, so that what a layer writes is still near
when the next one reads it.
"""

import itertools
import os
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ctypes import addressof
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.runtimes import native
from latentpress.runtimes.native import Convolution, layers
from latentpress.runtimes.native.stream import Stream

BAND_POSITIONS = 768  # latent positions a band: about 25 MB
FACTOR = 16  # rows and columns of pixels a latent position
IDLE = 2  # streams that wait for another picture of their widths


class NativeGraph:
    """A network and its idle streams. steps: of the convolutions that take bytes, by their names.
    threads: 0 for all cores.
    """

    def __init__(self, data: bytes, steps: Mapping[str, Floats], threads: int) -> None:
        self._network = layers.read(data, steps)
        self._unit = FACTOR if self._network.is_of_pixels else 1
        self.gives_pixels = self._network.gives_pixels
        self._library = native.library()
        self._how = self._library.instructions()
        self._threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._threads, "latentpress layer")
        self._idle = deque[tuple[int, Stream]](maxlen=IDLE)

    def run(self, feeds: Mapping[str, NDArray[Any]], *, frugal: bool = False) -> list[NDArray[Any]]:
        """As of RunningGraph."""
        [whole] = feeds.values()
        axis = 1 if self._network.is_of_pixels else 2
        count, columns = whole.shape[axis : axis + 2]
        step = self._unit * self.rows_of_band(columns // self._unit)
        bands = NativeRows(self, columns)
        out = [
            bands.put(np.take(whole, range(top, min(top + step, count)), axis), top + step >= count)
            for top in range(0, count, step)
        ]
        return [np.concatenate(out, axis=1 if self.gives_pixels else 2)]

    def rows_of_band(self, columns: int) -> int:
        """Latent rows of a band, of so many latent columns."""
        return max(1, BAND_POSITIONS // columns)

    def rows(self, columns: int) -> "NativeRows":
        """A picture of so many columns of the input, in bands of rows."""
        return NativeRows(self, columns)

    def take(self, columns: int) -> Stream:
        """A stream that is ready for the top of a picture."""
        for _ in range(IDLE):
            with suppress(IndexError):
                width, stream = self._idle.popleft()
                if width == columns:
                    stream.restart()
                    return stream
                self._idle.append((width, stream))  # of another width: kept for it
        return Stream(self._network, columns, self._convolve)

    def give_back(self, columns: int, stream: Stream) -> None:
        """Keep a stream whose picture has ended."""
        self._idle.append((columns, stream))

    def _convolve(self, call: Convolution, rows: int) -> None:
        count = min(self._threads, rows)
        edges = [i * rows // count for i in range(count + 1)]
        own, *parts = itertools.pairwise(edges)
        work = partial(self._library.convolve, addressof(call))
        others = [self._pool.submit(work, *part, self._how) for part in parts]
        work(*own, self._how)
        for other in others:
            other.result()


class NativeRows:
    """A picture that comes in bands of rows, top to bottom."""

    def __init__(self, graph: NativeGraph, columns: int) -> None:
        self._graph = graph
        self._columns = columns
        self._stream = graph.take(columns)

    def put(self, rows: NDArray[Any], is_last: bool) -> NDArray[Any]:
        """The graph's input for the next rows -> its output for those that are known by then."""
        own = rows[0] if rows.dtype == np.uint8 else rows[0].transpose(1, 2, 0)
        output = self._stream.put(own, is_last)
        if self._graph.gives_pixels:
            output = output[None].copy()
        else:
            output = np.ascontiguousarray(output.transpose(2, 0, 1))[None]
        if is_last:
            self._graph.give_back(self._columns, self._stream)
        return output
