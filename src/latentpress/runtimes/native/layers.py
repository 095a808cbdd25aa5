"""An ONNX graph -> layers: each a convolution, with what follows it on its way into memory.

What follows may be a DepthToSpace, a Relu, a sum with a tensor that is there already, and at the
end of a synthesis the steps from numbers to pixels. Channels lie side by side in memory, so a
DepthToSpace is a matter of where sums are written: its output channels are sorted by rows of the
block, then columns, then channels, and each row of the block is a group of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.runtimes.native import built, check_reach, for_c
from latentpress.runtimes.onnx_file import Graph, Node, read_graph

LANES = 16  # output channels of a block of weights
OF_FLOATS, OF_HALVES, OF_BYTES, OF_POINTS = range(4)  # of weights.h
PACKED = (  # numbers, what runs are filled up to
    *((np.float32, 1), (np.uint16, 32), (np.int8, 64)),
    (np.float32, 1),
)
POINTS = 24  # that a transformed kernel becomes
MOST_TRANSFORMED = 256  # inputs of such a kernel
SIGNED_ZERO = 128  # the byte that stands for 0 where values have both signs
MODULE_SUFFIX = ".weight"
TO_PIXELS = ("Mul", "Add", "Clip", "Round", "Transpose", "Cast", "Identity")


@dataclass
class Tensor:
    """What a layer reads or writes. channels: 0 until known. border: columns and rows of zeros.

    steps: of its bytes, a channel; None where nobody reads bytes. has_floats, has_halves: whether
    somebody reads floats, bfloat16.
    """

    channels: int = 0
    border: int = 0
    has_floats: bool = False
    has_halves: bool = False
    steps: Floats | None = None
    zero: float = 0


@dataclass(frozen=True)
class Weights:
    """Of a layer, packed for convolution.c."""

    values: NDArray[Any]
    scales: Floats
    biases: Floats


@dataclass
class Layer:
    """source, output, added: names of tensors. is_bytes, is_halves: the input and the weights are
    bytes, bfloat16; else floats. is_transformed: the weights are as of winograd.c. shuffle: the
    block's side of a DepthToSpace. turned: of weights in bytes, as of `pack`.
    """

    source: str
    output: str
    kernel: tuple[int, int]
    stride: int
    pad: int
    is_bytes: bool
    weight: NDArray[Any]
    bias: Floats
    is_halves: bool = False
    is_transformed: bool = False
    shuffle: int = 1
    is_relu: bool = False
    added: str = ""
    weights: Weights | None = None
    turned: NDArray[np.uint8] | None = None
    inverse_steps: Floats | None = None  # of the bytes of its output


@dataclass(frozen=True)
class Network:
    """layers: in the order in which they run. input, output: names of tensors. is_of_pixels:
    whether the input is pixels, whose values times factor plus offset the layers read.
    """

    layers: list[Layer]
    tensors: dict[str, Tensor]
    input: str
    output: str
    is_of_pixels: bool
    factor: float
    offset: float


class _Reading:
    """One pass over the nodes of a graph."""

    def __init__(
        self,
        graph: Graph,
        steps: Mapping[str, Floats],
        turned: Mapping[str, NDArray[np.uint8]],
        has_halves: bool,
        may_transform: bool,
    ) -> None:
        self.graph = graph
        self.steps = steps
        self.turned = turned
        self.has_halves = has_halves
        self.may_transform = may_transform
        self.names = {n.outputs[0]: n.inputs[0] for n in graph.nodes if self.is_cast_weight(n)}
        self.readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in node.inputs:
                self.readers.setdefault(name, []).append(node)
        self.tensors: dict[str, Tensor] = {}
        self.layers: list[Layer] = []
        self.done: set[str] = set()  # outputs of nodes that a layer has taken
        self.input = graph.inputs[0]
        self.factor, self.offset = 1.0, 0.0  # pixel -> what the first convolution reads
        self.is_of_pixels = False

    def is_cast_weight(self, node: Node) -> bool:
        return node.op == "Cast" and node.inputs[0] in self.graph.constants

    def stored(self, name: str) -> NDArray[Any]:
        return self.graph.constants[self.names.get(name, name)]

    def constant(self, name: str) -> Floats:
        return self.stored(name).astype(np.float32)

    def network(self) -> Network:
        for node in self.graph.nodes:
            if node.outputs[0] in self.done or self.is_cast_weight(node):
                continue
            if node.op == "Conv":
                self.put_convolution(node)
            elif not self.layers and node.op in ("Cast", "Transpose", "Mul", "Sub"):
                self.put_before(node)
            else:
                raise ValueError(f"{node.op} has no place in a layer")
        output = self.layers[-1].output
        self.tensors[output].has_floats = self.tensors[output].steps is None
        for layer in self.layers:
            layer.weights = packed(layer, self.tensors[layer.source])
            steps = self.tensors[layer.output].steps
            if steps is not None:
                inverse = np.tile(1 / steps, layer.shuffle)
                layer.inverse_steps = np.ascontiguousarray(inverse, np.float32)
        pixels = (self.is_of_pixels, self.factor, self.offset)
        return Network(self.layers, self.tensors, self.input, output, *pixels)

    def put_before(self, node: Node) -> None:
        """A step from pixels to what the convolutions read: folded into their weights."""
        self.is_of_pixels = True
        if node.op == "Mul":
            self.factor *= float(self.constant(node.inputs[1]).item())
            self.offset *= float(self.constant(node.inputs[1]).item())
        elif node.op == "Sub":
            self.offset -= float(self.constant(node.inputs[1]).item())
        self.input = node.outputs[0]

    def put_convolution(self, node: Node) -> None:
        weight = self.stored(node.inputs[1])
        has_bias = len(node.inputs) > 2
        bias = self.constant(node.inputs[2]) if has_bias else np.zeros(len(weight), np.float32)
        name = self.names.get(node.inputs[1], node.inputs[1]).removesuffix(MODULE_SUFFIX)
        source = node.inputs[0]
        attributes = node.attributes
        layer = Layer(
            source, node.outputs[0], weight.shape[2:], attributes.get("strides", [1])[0],
            attributes["pads"][0], name in self.steps, weight, bias,
            is_halves=self.takes_halves(name, weight), turned=self.turned.get(name),
        )  # fmt: skip
        if len(set(attributes["pads"])) != 1 or any(d != 1 for d in attributes["dilations"]):
            raise ValueError("a convolution with unequal borders or gaps")
        read = self.tensors.setdefault(source, Tensor(channels=weight.shape[1]))
        read.border = max(read.border, layer.pad)
        if layer.is_bytes and read.steps is None and source == self.input:
            read.steps = np.full(read.channels, self.factor)
            read.zero = -self.offset / self.factor
        elif layer.is_bytes and read.steps is None:
            read.steps = self.steps[name]
            read.zero = 0 if self.is_positive(source) else SIGNED_ZERO
        layer.is_transformed = self.may_transform and can_be_transformed(layer)
        read.has_halves |= layer.is_halves
        read.has_floats |= not (layer.is_bytes or layer.is_halves)
        self.follow(layer)
        self.layers.append(layer)
        channels = len(weight) // layer.shuffle**2
        self.tensors.setdefault(layer.output, Tensor()).channels = channels

    def takes_halves(self, name: str, weight: Floats) -> bool:
        """Whether a convolution reads bfloat16. The 1 x 1 one of an analysis, whose sums are the
        latent, is a third of the error for little time.
        """
        is_latent = self.is_of_pixels and weight.shape[2:] == (1, 1)
        return self.has_halves and name not in self.steps and not is_latent

    def is_positive(self, name: str) -> bool:
        return any(layer.output == name and layer.is_relu for layer in self.layers)

    def follow(self, layer: Layer) -> None:
        """Take the nodes after a convolution into its layer, as far as they go."""
        while len(after := self.readers.get(layer.output, [])) == 1:
            [node] = after
            other = [n for n in node.inputs if n != layer.output]
            if node.op == "DepthToSpace" and not layer.is_relu and not layer.added:
                layer.shuffle *= node.attributes["blocksize"]
            elif node.op == "Relu" and not layer.added:
                layer.is_relu = True
            elif node.op == "Add" and other[0] in self.tensors and not layer.is_relu:
                layer.added = other[0]
                self.tensors[layer.added].has_floats = True
            elif node.op in TO_PIXELS and all(n in self.graph.constants for n in other):
                self.to_pixels(layer, node, other)
            else:
                return
            self.done.add(node.outputs[0])
            layer.output = node.outputs[0]

    def to_pixels(self, layer: Layer, node: Node, other: list[str]) -> None:
        """A step from a layer's sums to pixels, or the identity."""
        tensor = self.tensors.setdefault(node.outputs[0], Tensor())
        before = self.tensors.pop(layer.output, None)
        if before is not None:
            tensor.steps = before.steps
        if node.op == "Mul":
            channels = len(layer.weight) // layer.shuffle**2
            tensor.steps = np.full(channels, 1 / self.constant(other[0]).item())
        elif node.op == "Add" and tensor.steps is not None:
            layer.bias = layer.bias + self.constant(other[0]).item() * tensor.steps[0]


def can_be_transformed(layer: Layer) -> bool:
    """Whether winograd.c has fewer multiplications for a layer."""
    is_of_floats = not (layer.is_bytes or layer.is_halves)
    is_small = layer.weight.shape[1] <= MOST_TRANSFORMED
    return is_of_floats and is_small and tuple(layer.kernel) == (3, 3) and layer.stride == 1


def read(
    data: bytes,
    steps: Mapping[str, Floats],
    turned: Mapping[str, NDArray[np.uint8]] | None = None,
    *,
    has_halves: bool = False,
    may_transform: bool = False,
) -> Network:
    """The layers of an ONNX file.

    Args:
        data: The file's bytes.
        steps: Of the convolutions that read bytes, by their names: the step of each input channel.
        turned: Of those among them whose weights are not all rounded to the nearest level: as of
            `pack`.
        has_halves: Whether the other convolutions read bfloat16 instead of floats.
        may_transform: Whether the weights of convolutions of floats may be as of winograd.c.

    Raises:
        ValueError: A node has no place in a layer, or a layer has too many channels.
    """
    reading = _Reading(read_graph(data), steps, turned or {}, has_halves, may_transform)
    return reading.network()


def packed(layer: Layer, source: Tensor) -> Weights:
    """The weights of a layer as convolution.c takes them. ValueError as of `check_reach`."""
    if layer.is_bytes or layer.is_halves:
        check_reach(layer.weight.shape[1] * layer.stride * (1 if layer.is_bytes else 2))
    side = layer.shuffle
    order = np.arange(len(layer.weight)).reshape(-1, side, side).transpose(1, 2, 0)
    groups = order.reshape(side, -1)
    bias = layer.bias[groups].astype(np.float64)
    spare = -groups.shape[1] % LANES
    places = np.pad(groups, ((0, 0), (0, spare)), constant_values=-1)
    if not layer.is_bytes:
        transformed = OF_POINTS if layer.is_transformed else OF_FLOATS
        values, *_ = pack(layer.weight, places, OF_HALVES if layer.is_halves else transformed)
        return Weights(values, np.empty(0, np.float32), blocked(bias))
    assert source.steps is not None
    values, scale, sums = pack(layer.weight, places, OF_BYTES, source.steps, layer.turned)
    bias -= (source.zero * scale * sums)[:, : bias.shape[1]]
    return Weights(values, scale.astype(np.float32), blocked(bias))


def pack(
    weight: NDArray[Any],
    places: NDArray[Any],
    kind: int,
    steps: Floats | None = None,
    turned: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
    """Weights (O, I, H, W) of float16 or float32, packed as of weights.h.

    Args:
        weight: In the order of the file.
        places: The numbers of the output channels in the order of the blocks, -1 for none.
        kind: OF_FLOATS, OF_HALVES, OF_BYTES or OF_POINTS.
        steps: Of bytes, (I,).
        turned: Of bytes: a bit a weight, in the order of the file, the lowest bit of a byte first:
            whether the weight takes not the nearest level, but the one on its other side. None
            where all take the nearest.

    Returns:
        The packed numbers; of bytes, at every place, the scale and the sum of the levels.
    """
    _, inputs, rows, columns = weight.shape
    dtype, filled = PACKED[kind]
    run = -(-columns * inputs // filled) * filled
    order = np.ascontiguousarray(places, np.int32)
    size = POINTS * inputs if kind == OF_POINTS else rows * run
    values = np.empty(order.size * size, dtype)
    scales, sums = np.ones(order.shape), np.zeros(order.shape)
    weight = for_c(weight)
    if turned is not None and len(turned) * 8 < weight.size:
        raise ValueError(f"{len(turned)} bytes of bits for {weight.size} weights")
    factors = np.ascontiguousarray(np.ones(inputs) if steps is None else steps, np.float64)
    scratch = np.empty(inputs * (rows * columns + POINTS * (kind == OF_POINTS)))
    built().pack_weights(
        *(weight.ctypes.data, weight.dtype == np.float16, inputs, rows, columns),
        *(order.ctypes.data, order.size, kind),
        *(factors.ctypes.data, None if turned is None else turned.ctypes.data),
        *(a.ctypes.data for a in (values, scales, sums, scratch)),
    )
    return values, scales, sums


def blocked(values: NDArray[Any]) -> Floats:
    """Numbers of (groups, output channels), each group filled up to whole blocks."""
    return np.pad(values, ((0, 0), (0, -values.shape[1] % LANES))).astype(np.float32)
