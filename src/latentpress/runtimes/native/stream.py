"""Rows of a picture through the layers of a network, top to bottom. The C library counts the rows
and computes them; here is their memory.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.runtimes import native
from latentpress.runtimes.native import for_c
from latentpress.runtimes.native.layers import Layer, Network
from latentpress.runtimes.native.rows import BYTES, Window

Run = Callable[["Stream"], None]  # computes the planned rows


class Stream:
    """The state of one picture, of so many columns of the input.

    run: calls `run_layers` of layers, layers_count, from as many threads as it likes.
    """

    def __init__(self, network: Network, columns: int, library: Any, run: Run) -> None:
        self._network = network
        self._library = library
        self._run = run
        self._columns = {network.input: columns}
        for layer in network.layers:
            found = self._columns[layer.source] + 2 * layer.pad - layer.kernel[1]
            self._columns[layer.output] = (found // layer.stride + 1) * layer.shuffle
        names = [network.input, *(name for name in network.tensors if name != network.input)]
        self._number = {name: i for i, name in enumerate(names)}
        self._rows = (native.Rows * len(names))()
        self._windows = [
            Window(rows, network.tensors[name], self._columns[name])
            for name, rows in zip(names, self._rows, strict=True)
        ]
        self.layers_count = len(network.layers)
        self.layers = (native.Layer * self.layers_count)()
        for layer, prepared in zip(network.layers, self.layers, strict=True):
            self._prepare(layer, prepared)

    def restart(self) -> None:
        """Be ready for another picture of as many columns."""
        for layer in self.layers:
            layer.done = layer.most = 0
        for window in self._windows:
            window.restart()

    def put(
        self, rows: NDArray[Any], is_last: bool, whole: NDArray[Any] | None = None
    ) -> list[NDArray[Any]]:
        """The next rows of the input -> those of the output that are known by now, in parts.

        Args:
            rows: Pixels (rows, columns, 3), or planes (channels, rows, columns) of floats.
            is_last: Whether the picture ends here.
            whole: Of `whole_output`, where the parts are to lie; None for arrays of their own.
        """
        count = rows.shape[0 if self._network.is_of_pixels else 1]
        output = self._rows[self._number[self._network.output]]
        out = [self._run_rows(rows, count, is_last, whole)]
        while is_last and output.end < output.total:
            out.append(self._run_rows(rows, 0, is_last, whole))
        return out

    def whole_output(self, count: int) -> NDArray[Any]:
        """Room for the output of a picture of so many rows: bytes (rows, columns, channels), or
        planes (channels, rows, columns) of floats.
        """
        rows = {self._network.input: count}
        for layer in self._network.layers:
            found = rows[layer.source] + 2 * layer.pad - layer.kernel[0]
            rows[layer.output] = (found // layer.stride + 1) * layer.shuffle
        return self._room(rows[self._network.output])

    def _room(self, count: int) -> NDArray[Any]:
        """Room for so many rows of the output."""
        number = self._number[self._network.output]
        columns, channels = self._columns[self._network.output], self._rows[number].channels
        if BYTES in self._windows[number].kinds:
            return np.empty((count, columns, channels), np.uint8)
        return np.empty((channels, count, columns), np.float32)

    def planned(self) -> int:
        """Positions of all layers that the planned rows have."""
        return sum(layer.call.rows * layer.call.columns for layer in self.layers)

    def _run_rows(
        self, rows: NDArray[Any], count: int, is_last: bool, whole: NDArray[Any] | None
    ) -> NDArray[Any]:
        """As `put`, of `count` rows: all of them, or of none what the layers still have to do."""
        tensors = (self._rows, len(self._rows), self.layers, self.layers_count)
        output = self._number[self._network.output]
        start = self._rows[output].end
        self._library.drop_rows(*tensors)
        while not self._library.plan_rows(*tensors, count, is_last):
            for window in self._windows:
                window.make_room()
        if count:
            self._take(rows, self._rows[0].end - count)
        self._run(self)
        return self._given(output, start, whole)

    def _take(self, rows: NDArray[Any], start: int) -> None:
        """Put the input into its planned rows."""
        window, end = self._windows[0], self._rows[0].end
        place = ctypes.byref(self._rows[0]), start, end, self._columns[self._network.input]
        if BYTES in window.kinds:
            pixels = np.ascontiguousarray(rows, np.uint8)
            self._library.put_bytes(*place, pixels.ctypes.data)
        if window.kinds == {BYTES}:
            return
        if self._network.is_of_pixels:
            factor, offset = self._network.factor, self._network.offset
            values = rows.astype(np.float32) * np.float32(factor) + np.float32(offset)
            rows = values.transpose(2, 0, 1)
        is_apart = rows.strides[2] != rows.itemsize
        if rows.dtype != np.float32 or is_apart or not rows.flags.aligned:
            rows = for_c(rows, np.float32)
        between = (stride // rows.itemsize for stride in rows.strides[:2])
        self._library.put_planes(*place, rows.ctypes.data, *between)

    def _given(self, output: int, start: int, whole: NDArray[Any] | None) -> NDArray[Any]:
        """The rows of the output from one on, as of `_room`."""
        rows, columns = self._rows[output], self._columns[self._network.output]
        own = slice(0, rows.end - start) if whole is None else slice(start, rows.end)
        if whole is None:
            whole = self._room(own.stop)
        place = ctypes.byref(rows), start, rows.end, columns
        if whole.dtype == np.uint8:
            given = whole[own]
            self._library.get_bytes(*place, given.ctypes.data)
        else:
            given = whole[:, own]
            self._library.get_planes(*place, given.ctypes.data, whole.shape[1] * columns)
        return given

    def _prepare(self, layer: Layer, prepared: native.Layer) -> None:
        """All of a layer's call that stays the same."""
        source, output = self._number[layer.source], self._number[layer.output]
        read, written = self._rows[source], self._rows[output]
        weights = layer.weights
        assert weights is not None
        prepared.source, prepared.output, prepared.added = source, output, -1
        prepared.stride, prepared.pad, prepared.side = layer.stride, layer.pad, layer.shuffle
        call = prepared.call
        call.weights = weights.values.ctypes.data
        call.scales, call.biases = weights.scales.ctypes.data, weights.biases.ctypes.data
        call.pitch = self._columns[layer.source] * read.channels + 2 * read.border * read.channels
        call.stride = layer.stride
        call.column_step = read.channels * layer.stride
        call.kernel_rows, call.run = layer.kernel[0], layer.kernel[1] * read.channels
        call.groups = layer.shuffle
        call.columns = self._columns[layer.output] // layer.shuffle
        call.channels = written.channels * layer.shuffle
        call.zero, call.is_relu = written.fill, layer.is_relu
        call.is_bytes, call.is_halves = layer.is_bytes, layer.is_halves
        call.is_transformed = layer.is_transformed
        call.floats_pitch, call.halves_pitch, call.bytes_pitch = written.pitches
        if layer.inverse_steps is not None:
            call.inverse_steps = layer.inverse_steps.ctypes.data
        if layer.added:
            prepared.added = self._number[layer.added]
            call.added_pitch = self._rows[prepared.added].pitches[0]


def counters(layers: int, threads: int) -> Any:
    """Zeros, as `run_layers` takes them."""
    return (ctypes.c_int64 * (layers * (threads + 1)))()
