"""Graphs on the package's own convolutions (`native/`): bytes where a convolution has steps, floats
elsewhere. Every picture goes through in bands of rows, so that what a layer writes is still near
when the next one reads it.
"""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.runtimes import native
from latentpress.runtimes.native import layers
from latentpress.runtimes.native.stream import Stream, counters
from latentpress.runtimes.native.team import Team

BAND_POSITIONS = 256  # latent positions a band, whose tensors a core's cache still holds
SMALL_POSITIONS = 1024  # the same of a network whose tensors get no larger than its input
AVX2_BAND_POSITIONS = 512  # where weights are floats, which no core's cache holds
FACTOR = 16  # rows and columns of pixels a latent position
IDLE = 2  # streams that wait for another picture of their widths
SHARED = 4096  # positions of all layers, from which on threads share a band
WIDEST_IDLE = 256  # latent columns of such a stream: 30 MB


class NativeGraph:
    """A network and its idle streams.

    steps, turned: of the convolutions that take bytes. threads: 0 for all cores.
    Where the processor has nothing for bytes, all take floats. may_round: whether floats may be
    bfloat16, where the processor multiplies it. how: of convolution.h; NOTHING for the best that
    the processor has.
    """

    def __init__(
        self,
        data: bytes,
        steps: Mapping[str, Floats],
        threads: int,
        turned: Mapping[str, NDArray[np.uint8]] | None = None,
        *,
        may_round: bool = False,
        how: int = native.NOTHING,
    ) -> None:
        self._library = native.usable()
        self._how = how or native.best()
        is_narrow = self._how in (native.AVX2_ALONE, native.AVX2_AND_VNNI)
        if self._how == native.AVX2_ALONE:
            steps = {}
        has_halves = may_round and self._how in (native.VNNI_AND_HALVES, native.VNNI_AND_AMX)
        self._network = layers.read(
            data, steps, turned, has_halves=has_halves, may_transform=is_narrow
        )
        self.is_of_pixels = self._network.is_of_pixels
        self._unit = FACTOR if self._network.is_of_pixels else 1
        grows = self.is_of_pixels or any(layer.shuffle > 1 for layer in self._network.layers)
        band = AVX2_BAND_POSITIONS if is_narrow else BAND_POSITIONS
        self._band = band if grows else SMALL_POSITIONS
        self._team = Team(threads)
        self._idle = deque[tuple[int, Stream]](maxlen=IDLE)

    def run(self, feeds: Mapping[str, NDArray[Any]], *, frugal: bool = False) -> list[NDArray[Any]]:
        """As of RunningGraph."""
        [whole] = feeds.values()
        return [NativeRows(self, whole.shape[2 if self.is_of_pixels else 3]).put_whole(whole)]

    def rows_of_band(self, columns: int) -> int:
        """Rows of the input in a band, of so many columns."""
        return self._unit * max(1, self._band * self._unit // columns)

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
        return Stream(self._network, columns, self._library, self._run)

    def give_back(self, columns: int, stream: Stream) -> None:
        """Keep a stream whose picture has ended, unless it takes much memory."""
        if columns // self._unit <= WIDEST_IDLE:
            self._idle.append((columns, stream))

    def _run(self, stream: Stream) -> None:
        threads = self._team.size
        if threads > 1 and stream.planned() < SHARED:
            threads = 1
        zeros = counters(stream.layers_count, threads)

        def work(i: int) -> None:
            count = stream.layers_count
            self._library.run_layers(stream.layers, count, zeros, threads, i, self._how)

        self._team.share(work, threads)


class NativeRows:
    """A picture that comes in bands of rows, top to bottom."""

    def __init__(self, graph: NativeGraph, columns: int) -> None:
        self._graph = graph
        self._columns = columns
        self._stream = graph.take(columns)

    def put(self, rows: NDArray[Any], is_last: bool) -> NDArray[Any]:
        """The graph's input for the next rows -> its output for those that are known by then."""
        out = self._put(rows, is_last, None)
        axis = 0 if out[0].dtype == np.uint8 else 1
        return np.concatenate(out, axis)[None] if len(out) > 1 else out[0][None]

    def put_whole(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The graph's input for a picture -> its output."""
        output = self._stream.whole_output(rows.shape[self._axis])
        self._put(rows, True, output)
        return output[None]

    @property
    def _axis(self) -> int:
        """That of the rows of the input."""
        return 1 if self._graph.is_of_pixels else 2

    def _put(
        self, rows: NDArray[Any], is_last: bool, whole: NDArray[Any] | None
    ) -> list[NDArray[Any]]:
        """The output in parts. whole: where they are to lie side by side, as of `Stream.put`."""
        count, step = rows.shape[self._axis], self._graph.rows_of_band(self._columns)
        out = []
        for top in range(0, count, step):
            band = slice(top, min(top + step, count))
            own = rows[0, band] if self._graph.is_of_pixels else rows[0, :, band]
            out += self._stream.put(own, is_last and band.stop == count, whole)
        if is_last:
            self._graph.give_back(self._columns, self._stream)
        return out
