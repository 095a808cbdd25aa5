"""Rows of a picture through the layers of a network, top to bottom. A layer computes what it can of
the rows so far; rows that nobody needs any more are dropped. No row is computed twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.runtimes.native import Convolution
from latentpress.runtimes.native.layers import Layer, Network, Tensor
from latentpress.runtimes.native.rows import Rows

Convolve = Callable[[Convolution, int], None]  # a call, and how many rows it has


@dataclass
class _Held:
    """A tensor's windows: of floats, of bytes, or both."""

    floats: Rows | None
    bytes: Rows | None

    def __iter__(self) -> Iterator[Rows]:
        return (rows for rows in (self.floats, self.bytes) if rows is not None)

    @property
    def end(self) -> int:
        return next(iter(self)).end


class Stream:
    """The state of one picture, of so many columns of the input. convolve: does the work."""

    def __init__(self, network: Network, columns: int, convolve: Convolve) -> None:
        self._network = network
        self._convolve = convolve
        self._columns = {network.input: columns}
        for layer in network.layers:
            found = self._columns[layer.source] + 2 * layer.pad - layer.kernel[1]
            self._columns[layer.output] = (found // layer.stride + 1) * layer.shuffle
        self._held = {name: self._windows(name, t) for name, t in network.tensors.items()}
        self._done = [0] * len(network.layers)  # rows of each convolution
        self._calls = [self._prepared(layer) for layer in network.layers]

    def restart(self) -> None:
        """Be ready for another picture of as many columns."""
        self._done = [0] * len(self._network.layers)
        for held in self._held.values():
            for rows in held:
                rows.restart()

    def put(self, rows: NDArray[Any], is_last: bool) -> NDArray[Any]:
        """The next rows of the input, (rows, columns, channels) -> those of the output that are
        known by now, a view that the next call changes. is_last: whether the picture ends here.
        """
        self._drop()
        self._take(rows)
        output = self._held[self._network.output]
        start = output.end
        if is_last:
            self._finish(self._network.input)
        for i, layer in enumerate(self._network.layers):
            self._run(i, layer, is_last)
            if is_last:
                self._finish(layer.output)
        window = next(iter(output))
        return window.inside(start, window.end)

    def _windows(self, name: str, tensor: Tensor) -> _Held:
        size = self._columns[name], tensor.channels, tensor.border
        floats = Rows(np.float32, *size, 0) if tensor.has_floats else None
        zero = round(tensor.zero)
        return _Held(floats, None if tensor.steps is None else Rows(np.uint8, *size, zero))

    def _prepared(self, layer: Layer) -> Convolution:
        """The call of a layer, with all that stays the same."""
        read, output = self._read(layer), self._held[layer.output]
        tensor, weights = self._network.tensors[layer.output], layer.weights
        assert weights is not None
        call = Convolution()
        call.weights = weights.values.ctypes.data
        call.scales, call.biases = weights.scales.ctypes.data, weights.biases.ctypes.data
        call.pitch, call.row_step = read.pitch, read.pitch * layer.stride
        call.column_step = read.channels * layer.stride
        call.kernel_rows, call.run = layer.kernel[0], layer.kernel[1] * read.channels
        call.groups = layer.shuffle
        call.columns = self._columns[layer.output] // layer.shuffle
        call.channels = tensor.channels * layer.shuffle
        call.zero, call.is_relu = round(tensor.zero), layer.is_relu
        call.is_bytes = layer.is_bytes
        if output.floats:
            call.floats_pitch = output.floats.pitch
        if output.bytes:
            assert layer.inverse_steps is not None
            call.bytes_pitch = output.bytes.pitch
            call.inverse_steps = layer.inverse_steps.ctypes.data
        if layer.added:
            call.added_pitch = self._floats(layer.added).pitch
        return call

    def _floats(self, name: str) -> Rows:
        rows = self._held[name].floats
        assert rows is not None
        return rows

    def _read(self, layer: Layer) -> Rows:
        held = self._held[layer.source]
        rows = held.bytes if layer.is_bytes else held.floats
        assert rows is not None
        return rows

    def _take(self, rows: NDArray[Any]) -> None:
        held = self._held[self._network.input]
        end = held.end + len(rows)
        for window in held:
            window.reserve(end)
            inside = window.inside(window.end, end)
            if window is held.floats and self._network.is_of_pixels:
                np.multiply(rows, self._network.factor, out=inside, dtype=np.float32)
                inside += self._network.offset
            else:
                inside[...] = rows
            window.end = end

    def _finish(self, name: str) -> None:
        for window in self._held[name]:
            window.finish()

    def _run(self, i: int, layer: Layer, is_last: bool) -> None:
        read, output, side = self._read(layer), self._held[layer.output], layer.shuffle
        known = read.end + (layer.pad if is_last else 0)
        count = (known + layer.pad - layer.kernel[0]) // layer.stride + 1
        if layer.added:
            count = min(count, self._held[layer.added].end // side)
        start = self._done[i]
        if count <= start:
            return
        call = self._calls[i]
        for window in output:
            window.reserve(count * side)
        call.input = read.address(start * layer.stride - layer.pad, -layer.pad)
        row = start * side
        if output.floats:
            call.floats = output.floats.address(row, 0)
        if output.bytes:
            call.bytes = output.bytes.address(row, 0)
        if layer.added:
            call.added = self._floats(layer.added).address(row, 0)
        self._convolve(call, count - start)
        self._done[i] = count
        for window in output:
            window.end = count * side

    def _drop(self) -> None:
        """Let go of the rows that no layer needs any more."""
        needed = {self._network.output: self._held[self._network.output].end}
        for done, layer in zip(self._done, self._network.layers, strict=True):
            for name, row in (
                (layer.source, done * layer.stride - layer.pad),
                (layer.added, done * layer.shuffle),
            ):
                needed[name] = min(row, needed.get(name, row))
        for name, held in self._held.items():
            for window in held:
                window.drop(min(needed[name], window.end))
