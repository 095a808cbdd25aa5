"""Graphs on the package's own convolutions (`native/`): bytes where a convolution has steps, floats
elsewhere. Every picture goes through in bands of rows, so that what a layer writes is still near
when the next one reads it.
"""

import os
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.runtimes import native
from latentpress.runtimes.native import layers
from latentpress.runtimes.native.stream import Stream, counters

BAND_POSITIONS = 768  # latent positions a band: about 25 MB
FACTOR = 16  # rows and columns of pixels a latent position
IDLE = 2  # streams that wait for another picture of their width


class NativeGraph:
    """A network and its idle streams.

    steps: of the convolutions that take bytes, by their names. threads: 0 for all cores.
    may_round: whether the other convolutions may take bfloat16 for floats, where AMX has it.
    """

    def __init__(
        self, data: bytes, steps: Mapping[str, Floats], threads: int, *, may_round: bool = False
    ) -> None:
        self._library = native.library()
        self._how = self._library.instructions()
        has_halves = may_round and self._how == native.VNNI_AND_AMX
        self._network = layers.read(data, steps, has_halves=has_halves)
        self._unit = FACTOR if self._network.is_of_pixels else 1
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
        return [np.concatenate(out, axis=3 - axis)]

    def rows_of_band(self, columns: int) -> int:
        """Latent rows of a band, of so many latent columns."""
        return max(1, BAND_POSITIONS // columns)

    def rows(self, columns: int) -> "NativeRows":
        """A picture of so many columns of the input, in bands of rows."""
        return NativeRows(self, columns)

    def take(self, columns: int) -> Stream:
        """A stream that is ready for the top of a picture."""
        with suppress(IndexError):
            width, stream = self._idle.pop()
            if width == columns:
                stream.restart()
                return stream
        return Stream(self._network, columns, self._library, self._run)

    def give_back(self, columns: int, stream: Stream) -> None:
        """Keep a stream whose picture has ended."""
        self._idle.append((columns, stream))

    def _run(self, stream: Stream) -> None:
        zeros = counters(stream.layers_count, self._threads)
        work = partial(
            self._library.run_layers, stream.layers, stream.layers_count, zeros, self._threads
        )
        others = [self._pool.submit(work, i, self._how) for i in range(1, self._threads)]
        work(0, self._how)
        for other in others:
            other.cancel()
        wait(others)


class NativeRows:
    """A picture that comes in bands of rows, top to bottom."""

    def __init__(self, graph: NativeGraph, columns: int) -> None:
        self._graph = graph
        self._columns = columns
        self._stream = graph.take(columns)

    def put(self, rows: NDArray[Any], is_last: bool) -> NDArray[Any]:
        """The graph's input for the next rows -> its output for those that are known by then."""
        if rows.dtype == np.uint8:
            latent = self._stream.put(rows[0], is_last)
            output = np.ascontiguousarray(latent.transpose(2, 0, 1))[None]
        else:
            output = self._stream.put(rows[0].transpose(1, 2, 0), is_last)[None].copy()
        if is_last:
            self._graph.give_back(self._columns, self._stream)
        return output
