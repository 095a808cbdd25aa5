"""Graphs of whole numbers on the package's own sums (`native/integers.c`): the same numbers as
everywhere else, to the bit.
"""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from ctypes import addressof
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.runtimes import native
from latentpress.runtimes.native import SLACK, IntegerCall
from latentpress.runtimes.native.integer_layers import (
    IntegerLayer,
    IntegerNetwork,
    Packed,
    read,
)
from latentpress.runtimes.native.team import Team

Bytes = NDArray[np.uint8]
Make = Callable[["_Planes", int, int, int], None]
IDLE = 4  # sets of planes that wait for another segment of their size
SHARED = 50_000_000  # products of a layer, from which on threads share its rows


class IntegerGraph:
    """A network and its idle planes. ValueError as of `integer_layers.read`.

    threads: 0 for all cores. how: of convolution.h; NOTHING for the best that the processor has.
    """

    def __init__(self, data: bytes, threads: int = 1, how: int = native.NOTHING) -> None:
        self._library = native.usable()
        self._how = how or native.best()
        self._network = read(data, self._library, self._how)
        self._team = Team(threads)
        self._idle = deque[tuple[tuple[int, int], _Planes]](maxlen=IDLE)

    def run(self, feeds: Mapping[str, NDArray[Any]], *, frugal: bool = False) -> list[NDArray[Any]]:
        """As of RunningGraph: floats (1, C, h, w), which are whole numbers."""
        as_bytes = dict(feeds)
        for name in self._network.inputs:
            as_bytes[name] = to_bytes(feeds[name][0], self._network.zeros[name])
        return [
            as_floats(output) if output.dtype == np.uint8 else output[None]
            for output in self.run_bytes(as_bytes)
        ]

    def run_bytes(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The same of bytes.

        Args:
            feeds: Inputs that are convolved as bytes (h, w, C), each the number plus its zero;
                biases as floats.

        Returns:
            Bytes (h, w, C) where the graph clips to bytes, else floats (C, h, w).
        """
        h, w, _ = feeds[self._network.inputs[0]].shape
        planes = self._take(h, w)
        outputs = planes.run(feeds, self._sum)
        self._idle.append(((h, w), planes))
        return outputs

    def _sum(self, planes: "_Planes", i: int, rows: int, products: int) -> None:
        """The sums of layer i, of so many rows and products."""
        count = min(self._team.size, rows) if products >= SHARED else 1

        def work(part: int) -> None:
            edges = rows * part // count, rows * (part + 1) // count
            self._library.sum_integers(addressof(planes.calls[i]), *edges, self._how)

        self._team.share(work, count)

    def _take(self, h: int, w: int) -> "_Planes":
        with suppress(IndexError):
            size, planes = self._idle.pop()
            if size == (h, w):
                return planes
        return _Planes(self._network, h, w)


class _Planes:
    """The tensors of one segment, and the calls that fill them. h, w: of the inputs."""

    def __init__(self, network: IntegerNetwork, h: int, w: int) -> None:
        self._network = network
        self._inside: dict[str, Bytes] = {}
        self._corner: dict[str, tuple[int, int, int]] = {}  # address, pitch, channels
        self._sizes = dict.fromkeys(network.inputs, (h, w))
        for layer in network.layers:
            for summand in layer.summands:
                if summand.source not in self._inside:
                    self._make(summand.source, summand.weight.shape[1])
            top, left, bottom, right = layer.summands[0].pads
            h, w = self._sizes[layer.summands[0].source]
            rows, columns = layer.summands[0].weight.shape[2:]
            self._sizes[layer.output] = (
                (h + top + bottom - rows + 1) * layer.shuffle,
                (w + left + right - columns + 1) * layer.shuffle,
            )
            if layer.is_bytes:
                self._make(layer.output, len(layer.scale) // layer.shuffle**2)
        # what calls read and write of the latest run, held while threads are at it
        self._floats: dict[str, Floats] = {}
        self._bias: Floats | None = None
        self.calls = [
            self._call(*pair) for pair in zip(network.layers, network.packed, strict=True)
        ]

    def run(self, feeds: Mapping[str, NDArray[Any]], make: Make) -> list[NDArray[Any]]:
        """As of `IntegerGraph.run_bytes`. make: makes the sums of a layer."""
        for name in self._network.inputs:
            self._inside[name][...] = feeds[name]
        self._floats = floats = {}
        for i, (call, layer, packed) in enumerate(
            zip(self.calls, self._network.layers, self._network.packed, strict=True)
        ):
            rows, columns = self._sizes[layer.output]
            if isinstance(packed.biases, str):
                bias = packed.in_order(np.ravel(feeds[packed.biases]))
                call.biases = bias.ctypes.data
                self._bias = bias
            if not layer.is_bytes:
                made = np.empty((len(layer.scale), rows, columns), np.float32)
                floats[layer.output] = made
                call.floats = made.ctypes.data
            products = call.columns * sum(summand.weight.size for summand in layer.summands)
            make(self, i, rows // layer.shuffle, rows // layer.shuffle * products)
        self._floats = {}
        return [
            floats[name] if name in floats else self._inside[name].copy()
            for name in self._network.outputs
        ]

    def _make(self, name: str, channels: int) -> None:
        """The bytes of a tensor, with their border."""
        border, (h, w) = self._network.borders[name], self._sizes[name]
        shape = (h + 2 * border, w + 2 * border, channels)
        whole = np.full(int(np.prod(shape)) + SLACK, self._network.zeros[name], np.uint8)
        plane = whole[:-SLACK].reshape(shape)
        self._inside[name] = plane[border : border + h, border : border + w]
        self._corner[name] = (whole.ctypes.data, shape[1] * channels, channels)

    def _address(self, name: str, row: int, column: int) -> int:
        """Of the first channel at a place of a tensor."""
        start, pitch, channels = self._corner[name]
        border = self._network.borders[name]
        return start + (row + border) * pitch + (column + border) * channels

    def _call(self, layer: IntegerLayer, packed: Packed) -> IntegerCall:
        """The call of a layer, with all that stays the same."""
        call = IntegerCall()
        call.count = len(layer.summands)
        for one, summand, weights in zip(
            call.summands, layer.summands, packed.weights, strict=False
        ):
            top, left, _, _ = summand.pads
            _, inputs, rows, columns = summand.weight.shape
            one.input = self._address(summand.source, -top, -left)
            one.weights = weights.ctypes.data
            one.pitch, one.column_step = self._corner[summand.source][1], inputs
            one.kernel_rows, one.run = rows, columns * inputs
        call.starts, call.scales = packed.starts.ctypes.data, packed.scales.ctypes.data
        if not isinstance(packed.biases, str):
            call.biases = packed.biases.ctypes.data
        h, w = self._sizes[layer.output]
        call.groups, call.columns = layer.shuffle, w // layer.shuffle
        call.channels = len(layer.scale) // layer.shuffle
        if layer.is_bytes:
            call.bytes = self._address(layer.output, 0, 0)
            call.bytes_pitch = self._corner[layer.output][1]
        call.plane, call.floats_pitch = h * w, w
        return call


def to_bytes(plane: Floats, zero: int) -> Bytes:
    """Whole numbers (C, h, w) -> bytes (h, w, C), each that number plus zero."""
    return np.ascontiguousarray((plane + np.float32(zero)).transpose(1, 2, 0).astype(np.uint8))


def as_floats(plane: Bytes) -> Floats:
    """Bytes (h, w, C) -> the same numbers, (1, C, h, w)."""
    return np.ascontiguousarray(plane.transpose(2, 0, 1), np.float32)[None]
