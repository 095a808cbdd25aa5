"""An ONNX graph of whole numbers -> layers: convolutions of bytes by weights of 16 bits, the sums
of which are shifted, rounded half to even, and clipped to bytes or given out as they are.

Such are the networks of the prior. A tensor of both signs is held as bytes too, each 128 more than
its number. A graph of anything else is refused, for its numbers would not be the same everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.runtimes.native import POSITIONS, check_reach, for_c
from latentpress.runtimes.onnx_file import Graph, Node, read_graph

SUMMANDS, MOST_NUMBERS = 3, 131072  # of integers.h
LANES, TILE, WEIGHT_BYTES = 16, 64, 2
BYTE_MAX = 255
SIGNED = ("z", "white")  # inputs of both signs; .0 and .1 may follow, of a graph that is halved
SIGNED_ZERO = 128
WEIGHT_MAX = 32639  # both of whose bytes have a sign
SUM_LIMIT = 1 << 24  # below which float32 holds every whole number
KEPT = ("Round", "Identity")


@dataclass(frozen=True)
class Summand:
    """A convolution of the bytes of `source`. weight: (O, I, H, W) int16. pads: rows above, columns
    on the left, rows below, columns on the right.
    """

    source: str
    weight: NDArray[np.int16]
    pads: tuple[int, int, int, int]


@dataclass(frozen=True)
class IntegerLayer:
    """summands: what is summed. bias: (O,) of the graph, or the name of an input. scale: (O,).
    shuffle: the block's side of a DepthToSpace. output: the name of a tensor. is_bytes: whether it
    is clipped to bytes.
    """

    summands: tuple[Summand, ...]
    bias: Floats | str
    scale: Floats
    shuffle: int = 1
    output: str = ""
    is_bytes: bool = False


@dataclass(frozen=True)
class Packed:
    """The numbers of a layer as integers.c takes them. weights: a summand each. order: of every
    place in blocks of 16 output channels the number of its channel, -1 where there is none.
    """

    weights: tuple[NDArray[np.int8], ...]
    order: NDArray[np.int32]
    starts: NDArray[np.int32]
    biases: Floats | str
    scales: Floats

    def in_order(self, values: Floats) -> Floats:
        """Numbers of the output channels, at the places of the blocks; 0 elsewhere."""
        found = np.where(self.order < 0, 0, np.asarray(values, np.float32)[self.order])
        return np.ascontiguousarray(found, np.float32)


@dataclass(frozen=True)
class IntegerNetwork:
    """layers: in the order in which they run. inputs: those that are convolved. zeros: of every
    tensor of bytes the byte that stands for 0. borders: of every tensor that a layer reads, its
    columns and rows of zeros. outputs: the graph's, as names of tensors.
    """

    layers: list[IntegerLayer]
    packed: list[Packed]
    inputs: tuple[str, ...]
    zeros: dict[str, int]
    borders: dict[str, int]
    outputs: tuple[str, ...]


@dataclass
class _Reading:
    """One pass over the nodes of a graph."""

    graph: Graph
    zeros: dict[str, int]
    layers: list[IntegerLayer] = field(default_factory=list)
    open: dict[str, IntegerLayer] = field(default_factory=dict)  # layers that nodes may still join
    names: dict[str, str] = field(default_factory=dict)  # of tensors that are others

    def constant(self, name: str) -> NDArray[Any] | None:
        return self.graph.constants.get(self.names.get(name, name))

    def read(self) -> tuple[list[IntegerLayer], tuple[str, ...]]:
        for node in self.graph.nodes:
            [output] = node.outputs
            is_weight = node.op == "Cast" and self.constant(node.inputs[0]) is not None
            if is_weight or (node.op == "Identity" and node.inputs[0] in self.zeros):
                self.names[output] = node.inputs[0]
            elif layer := self.continued(node):
                self.put(layer, output)
            else:
                raise ValueError(f"{node.op} is not of a network of whole numbers")
        for name in self.graph.outputs:
            if name in self.open:
                self.layers.append(replace(self.open[name], output=name))
        return self.layers, tuple(self.names.get(n, n) for n in self.graph.outputs)

    def put(self, layer: IntegerLayer, output: str) -> None:
        if layer.is_bytes:
            self.layers.append(replace(layer, output=output))
            self.zeros[output] = 0
        else:
            self.open[output] = layer

    def continued(self, node: Node) -> IntegerLayer | None:
        """The layer with a node at its end; None where the node has no place in one."""
        source = self.names.get(node.inputs[0], node.inputs[0])
        if node.op == "Conv" and source in self.zeros:
            return self.convolution(node, source)
        layer = self.open.get(source)
        if layer is None or node.op in KEPT:
            return layer
        others = [self.constant(name) for name in node.inputs[1:]]
        if node.op == "Add":
            return self.sum(layer, node.inputs[1], others[0])
        if node.op == "Mul" and others[0] is not None:
            return replace(layer, scale=layer.scale * others[0].ravel())
        if node.op == "DepthToSpace" and node.attributes.get("mode") == b"CRD":
            return replace(layer, shuffle=layer.shuffle * node.attributes["blocksize"])
        if node.op == "Clip" and [float(o.item()) for o in others if o is not None] == [0, 255]:
            return replace(layer, is_bytes=True)
        return None

    def convolution(self, node: Node, source: str) -> IntegerLayer:
        weight, about = self.constant(node.inputs[1]), node.attributes
        steps = {*about.get("dilations", [1]), *about.get("strides", [1])}
        if weight is None or weight.dtype != np.int16 or steps != {1} or len(node.inputs) > 2:
            raise ValueError("a convolution of others than whole numbers, or with gaps")
        count = len(weight)
        summand = Summand(source, weight, tuple(about["pads"]))
        return IntegerLayer((summand,), np.zeros(count, np.float32), np.ones(count, np.float32))

    def sum(self, layer: IntegerLayer, name: str, constant: Any) -> IntegerLayer | None:
        other = self.open.get(name)
        if other is not None:
            return replace(layer, summands=layer.summands + other.summands)
        if constant is not None and not isinstance(layer.bias, str):
            return replace(layer, bias=layer.bias + constant.ravel().astype(np.float32))
        return replace(layer, bias=name) if name in self.graph.inputs else None


def read(data: bytes, library: Any, how: int) -> IntegerNetwork:
    """The layers of an ONNX file.

    Args:
        data: The file's bytes. Its inputs that are convolved are -127 to 127 where they are SIGNED,
            else 0 to 255.
        library: Of `native.built`, which packs the weights.
        how: Of convolution.h, of the sums that will read them.

    Raises:
        ValueError: A node has no place in a layer, a number could be too large, or a layer has too
            many channels.
    """
    graph = read_graph(data)
    convolved = {node.inputs[0] for node in graph.nodes if node.op == "Conv"}
    inputs = tuple(name for name in graph.inputs if name in convolved)
    zeros = {name: SIGNED_ZERO if name.split(".")[0] in SIGNED else 0 for name in inputs}
    reading = _Reading(graph, zeros)
    layers, outputs = reading.read()
    borders = dict.fromkeys(reading.zeros, 0)
    for layer in layers:
        for summand in layer.summands:
            borders[summand.source] = max(borders[summand.source], *summand.pads)
    packed = [pack(layer, reading.zeros, library, how) for layer in layers]
    return IntegerNetwork(layers, packed, inputs, reading.zeros, borders, outputs)


def pack(layer: IntegerLayer, zeros: Mapping[str, int], library: Any, how: int) -> Packed:
    """The numbers of a layer as integers.c takes them. ValueError as of `read`."""
    if len(layer.summands) > SUMMANDS:
        raise ValueError("a layer of too many convolutions")
    reach = 0 if isinstance(layer.bias, str) else np.abs(layer.bias)
    for summand in layer.summands:
        check_reach(summand.weight.shape[1])
        size = np.abs(summand.weight.astype(np.int32))
        if size.max() > WEIGHT_MAX:
            raise ValueError("a weight that two signed bytes do not hold")
        largest = BYTE_MAX - zeros[summand.source]
        reach = reach + size.sum((1, 2, 3), dtype=np.int64) * largest
    if sum(map(_numbers, layer.summands)) > MOST_NUMBERS:
        raise ValueError("a layer that reads too many numbers")
    if np.max(reach) >= SUM_LIMIT:
        raise ValueError("sums that float32 does not hold")
    side, count = layer.shuffle, len(layer.scale)
    groups = np.arange(count).reshape(-1, side, side).transpose(1, 2, 0).reshape(side, -1)
    spare = -groups.shape[1] % LANES
    order = np.pad(groups, ((0, 0), (0, spare)), constant_values=-1).ravel().astype(np.int32)
    starts = np.zeros(order.size, np.int32)
    weights = []
    for summand in layer.summands:
        values, sums = _packed(summand.weight, order, library, how)
        starts -= zeros[summand.source] * sums
        weights.append(values)
    bias = layer.bias
    packed = Packed(tuple(weights), order, starts, bias, layer.scale)
    in_order = bias if isinstance(bias, str) else packed.in_order(bias)
    return replace(packed, biases=in_order, scales=packed.in_order(layer.scale))


def _numbers(summand: Summand) -> int:
    """How many numbers 16 positions of a summand read, as integers.h counts them."""
    _, inputs, rows, columns = summand.weight.shape
    return rows * ((POSITIONS - 1) * inputs + columns * inputs + 1)


def _packed(
    weight: NDArray[np.int16], order: NDArray[np.int32], library: Any, how: int
) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """(the weights, their sums) of `pack_integers`."""
    _, inputs, rows, columns = weight.shape
    steps = -(-columns * inputs // TILE)
    values = np.empty(order.size * rows * steps * TILE * WEIGHT_BYTES, np.int8)
    sums = np.empty(order.size, np.int32)
    weight = for_c(weight)
    shape = (inputs, rows, columns, order.ctypes.data, order.size)
    library.pack_integers(weight.ctypes.data, *shape, how, values.ctypes.data, sums.ctypes.data)
    return values, sums
