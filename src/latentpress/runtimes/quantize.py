"""A float ONNX graph -> the same graph with int8 convolutions, from the ranges of their inputs and
outputs.

    x -> Q -> DQ -> Conv(DQ(int8 weight), DQ(int32 bias)) -> Q -> DQ -> y

This is the quantize-dequantize (QDQ) form, which runtimes fuse to integer convolutions.
Activations are uint8 with one scale a tensor, weights int8 with one scale an output channel, and
biases int32. What is no convolution stays in float: above all the sums of the residual blocks,
whose range is wide. A convolution without ranges stays as it is, so any graph may be given, also
one that reads its borders from further inputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.runtimes import onnx_writer
from latentpress.runtimes.onnx_file import Node, fields, node, read_graph

ACTIVATION_LEVELS = 255
WEIGHT_MAX = 127
# Processors without a dot product of bytes add pairs of products in int16, where larger weights
# would saturate.
WEIGHT_MAX_IN_PAIRS = 63
GRAPH, NODE, INITIALIZER = 7, 1, 5  # fields of ModelProto and GraphProto
MODULE_SUFFIX = ".weight"


@dataclass(frozen=True)
class Ranges:
    """(lowest, highest) value of a convolution's input, and of its output after a Relu that alone
    follows it.
    """

    input: tuple[float, float]
    output: tuple[float, float]


def quantized(data: bytes, ranges: Mapping[str, Ranges], weight_max: int = WEIGHT_MAX) -> bytes:
    """The ONNX file with the convolutions in int8 whose ranges are given.

    Args:
        data: An ONNX file with float weights, each an initializer or a Cast of one.
        ranges: By the name of the convolution: that of its weight's initializer without
            ".weight".
        weight_max: Weights lie in -weight_max..weight_max.

    Returns:
        An ONNX file (ModelProto).
    """
    return Quantizer(data, ranges, weight_max).file()


class Quantizer:
    """The conversion of one file: `out` are the nodes so far, `added` the new initializers."""

    def __init__(self, data: bytes, ranges: Mapping[str, Ranges], weight_max: int) -> None:
        self.data = data
        self.graph = read_graph(data)
        self.ranges = ranges
        self.weight_max = weight_max
        self.casts = {
            n.outputs[0]: n.inputs[0]
            for n in self.graph.nodes
            if n.op == "Cast" and n.inputs[0] in self.graph.constants
        }
        self.consumers: dict[str, list[Node]] = {}
        for one in self.graph.nodes:
            for name in one.inputs:
                self.consumers.setdefault(name, []).append(one)
        self.out: list[Node] = []
        self.added: dict[str, NDArray[Any]] = {}
        self.dequantized: dict[tuple[str, tuple[float, float]], str] = {}
        self.renamed: dict[str, tuple[float, float]] = {}  # outputs to be quantized: their range

    def file(self) -> bytes:
        """The converted file."""
        for one in self.graph.nodes:
            self.put(one)
        nodes = self.used_nodes()
        used = {name for one in nodes for name in one.inputs} | set(self.graph.outputs)
        parts: list[onnx_writer.Field] = [(NODE, one.raw) for one in nodes]
        parts += [(INITIALIZER, onnx_writer.tensor(k, v)) for k, v in self.added.items()]
        kept = self.graph.raw_constants.items()
        parts += [(INITIALIZER, raw) for name, raw in kept if name in used]
        converted = onnx_writer.pieces([*parts, *self.graph.others])
        return onnx_writer.message(
            (number, converted if number == GRAPH else value)
            for number, value in fields(memoryview(self.data))
        )

    def used_nodes(self) -> list[Node]:
        """The nodes without the Casts of weights that nothing reads any more."""
        used = {name for one in self.out for name in one.inputs} | set(self.graph.outputs)
        return [one for one in self.out if one.outputs[0] in used]

    def put(self, one: Node) -> None:
        """Append a node, converted where it is a convolution with ranges."""
        name = self.name_of(one)
        if name in self.ranges and one.op == "Conv":
            self.put_convolution(one, name)
        elif one.outputs[0] in self.renamed:
            self.put_quantized_output(one, self.renamed.pop(one.outputs[0]))
        else:
            self.out.append(one)

    def name_of(self, one: Node) -> str:
        """The name under which ranges are kept of a convolution; "" of other nodes."""
        if one.op != "Conv":
            return ""
        weight = self.casts.get(one.inputs[1], one.inputs[1])
        return weight.removesuffix(MODULE_SUFFIX) if weight in self.graph.constants else ""

    def put_convolution(self, one: Node, name: str) -> None:
        """Append a convolution with integer input, weight and bias, and note its output's range."""
        ranges = self.ranges[name]
        x = self.quantize_dequantize(one.inputs[0], ranges.input)
        weight = self.constant(one.inputs[1])
        scale = np.abs(weight).max(axis=(1, 2, 3)) / self.weight_max
        scale[scale == 0] = 1
        levels = np.rint(weight / scale[:, None, None, None]).astype(np.int8)
        inputs = [x, self.dequantize(f"{name}.weight", levels, scale)]
        if len(one.inputs) > 2:
            bias_scale = scale * activation(ranges.input)[0]
            limit = 2**31 - 1
            bias = np.clip(np.rint(self.constant(one.inputs[2]) / bias_scale), -limit, limit)
            inputs.append(self.dequantize(f"{name}.bias", bias.astype(np.int32), bias_scale))
        converted = with_inputs(one, inputs)
        followers = self.consumers.get(one.outputs[0], [])
        if len(followers) == 1 and followers[0].op == "Relu":
            self.out.append(converted)
            self.renamed[followers[0].outputs[0]] = ranges.output
        else:
            self.put_quantized_output(converted, ranges.output)

    def put_quantized_output(self, one: Node, limits: tuple[float, float]) -> None:
        """A node whose output, under the name that it has, is the quantized one."""
        [output] = one.outputs
        self.out.append(with_output(one, f"{output}.float"))
        self.quantize_dequantize(f"{output}.float", limits, output)
        self.dequantized[output, limits] = output

    def quantize_dequantize(self, x: str, limits: tuple[float, float], output: str = "") -> str:
        """x in uint8 and back; the name of the result."""
        if (x, limits) in self.dequantized:
            return self.dequantized[x, limits]
        scale, zero = activation(limits)
        name = f"{output or x}.{len(self.dequantized)}"
        self.added[f"{name}.scale"] = np.array(scale, np.float32)
        self.added[f"{name}.zero"] = np.array(zero, np.uint8)
        step = [f"{name}.scale", f"{name}.zero"]
        output = output or f"{name}.dequantized"
        levels = f"{name}.levels"
        self.append("QuantizeLinear", [x, *step], levels)
        self.append("DequantizeLinear", [levels, *step], output)
        self.dequantized[x, limits] = output
        return output

    def dequantize(self, name: str, levels: NDArray[Any], scale: Floats) -> str:
        """A DequantizeLinear of new initializers, one scale an output channel."""
        zero = np.zeros(len(scale), levels.dtype)
        names = [f"{name}.{part}" for part in ("levels", "scale", "zero")]
        for one, array in zip(names, (levels, scale.astype(np.float32), zero), strict=True):
            self.added[one] = array
        self.append("DequantizeLinear", names, f"{name}.dequantized", axis=0)
        return f"{name}.dequantized"

    def append(self, op: str, inputs: list[str], output: str, **attributes: int) -> None:
        """A new node."""
        self.out.append(node(onnx_writer.node(op, inputs, output, **attributes)))

    def constant(self, name: str) -> Floats:
        """A weight or a bias in float32, by the name under which the convolution reads it."""
        return self.graph.constants[self.casts.get(name, name)].astype(np.float32)


def activation(limits: tuple[float, float]) -> tuple[float, int]:
    """(scale, zero point) of a uint8 tensor with values in these limits; 0 is exact."""
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    scale = (high - low) / ACTIVATION_LEVELS or 1.0
    return scale, round(-low / scale)


def with_inputs(one: Node, inputs: list[str]) -> Node:
    """A node with other inputs."""
    rest = [(number, value) for number, value in fields(one.raw) if number != 1]
    return node(onnx_writer.message([*((1, name.encode()) for name in inputs), *rest]))


def with_output(one: Node, output: str) -> Node:
    """A node with another name of its one output."""
    return node(
        onnx_writer.message(
            (number, output.encode() if number == 2 else value) for number, value in fields(one.raw)
        )
    )
