"""An ONNX graph of convolutions -> the same graph for a picture that comes in bands of rows.

A convolution that reads K rows at a stride of S keeps the last rows of its input for the next band;
a sum of two tensors keeps the rows of the one that is ahead. These rows are the graph's state: its
further inputs and outputs. The rows of zeros above and below a picture are fed, in place of a
padding, with the first and with the last band. No row is computed twice, and memory does not grow
with the height. See docs/how-it-works/streaming.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.runtimes import onnx_writer
from latentpress.runtimes.onnx_file import Node, fields, node, read_graph

GRAPH, NODE, INITIALIZER, INPUT, OUTPUT = 7, 1, 5, 11, 12  # fields of ModelProto and GraphProto
FLOAT, INT64, INTS = 1, 7, 7  # TensorProto.DataType, AttributeProto.AttributeType
ROWS = 2  # the axis
TO_THE_END = 2**62
# operations whose output has the rows of their inputs
ROW_BY_ROW = {
    *("Add", "Cast", "Clip", "Erf", "Identity", "Mul", "Relu", "Round", "Sigmoid", "Sub"),
    *("Transpose", "DequantizeLinear", "QuantizeLinear"),
}


@dataclass(frozen=True)
class Kept:
    """Rows that are kept from one band to the next, of a tensor with `scale` columns for each
    column of the graph's input. above, below: rows of zeros at the picture's borders.
    """

    channels: int
    scale: Fraction
    above: int
    below: int

    def zeros(self, rows: int, columns: int) -> Floats:
        """Rows of zeros for an input of so many columns."""
        return np.zeros((1, self.channels, rows, int(columns * self.scale)), np.float32)


@dataclass(frozen=True)
class StreamingGraph:
    """data: the ONNX file. unit: bands have a multiple of so many rows of the input.

    first: so many units the first band must have at least. kept: in the order of the further
    inputs, "kept0" on and, for the last band, "below0" on; and of the further outputs.
    """

    data: bytes
    unit: int
    first: int
    kept: tuple[Kept, ...]

    def feeds(
        self, state: Iterable[NDArray[Any]] | None, columns: int, is_last: bool
    ) -> dict[str, NDArray[Any]]:
        """The further inputs of a band. state: the further outputs of the band before; None for
        the first.
        """
        above = [k.zeros(k.above, columns) for k in self.kept] if state is None else state
        found = {f"kept{i}": rows for i, rows in enumerate(above)}
        for i, k in enumerate(self.kept):
            if k.below:
                found[f"below{i}"] = k.zeros(k.below if is_last else 0, columns)
        return found


def streaming(data: bytes) -> StreamingGraph:
    """The streaming form of an ONNX file with one input, whose rows and columns are the last two
    axes where anything is kept.

    Raises:
        ValueError: It holds an operation whose rows are not known here.
    """
    return _Derivation(data).graph()


@dataclass(frozen=True)
class _Rows:
    """Of a tensor: rows for each row of the input, rows that are still missing of the bands so
    far, and channels (0 where they are not known).
    """

    scale: Fraction
    delay: Fraction
    channels: int


class _Derivation:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.source = read_graph(data)
        [name] = self.source.inputs
        self.rows = {name: _Rows(Fraction(1), Fraction(0), 0)}
        self.weights: dict[str, tuple[int, ...]] = {}  # shape, by the name under which it is read
        self.nodes: list[bytes] = []
        self.integers: dict[str, int] = {}
        self.kept: list[Kept] = []

    def graph(self) -> StreamingGraph:
        for name, array in self.source.constants.items():
            self.weights[name] = array.shape
        [message] = [value for number, value in fields(self.data) if number == GRAPH]
        others: list[tuple[int, int | bytes]] = []
        for number, value in fields(message):
            if number == NODE:
                self.put(node(value), value)
            else:
                others.append((number, value))
        parts = [(NODE, raw) for raw in self.nodes]
        parts += [(INITIALIZER, _integer(k, v)) for k, v in self.integers.items()]
        for i, k in enumerate(self.kept):
            parts.append((INPUT, _image(f"kept{i}")))
            if k.below:
                parts.append((INPUT, _image(f"below{i}")))
            parts.append((OUTPUT, _image(f"kept{i}.next")))
        streaming_graph = onnx_writer.message([*others, *parts])
        data = onnx_writer.message(
            (number, streaming_graph if number == GRAPH else value)
            for number, value in fields(self.data)
        )
        unit = lcm(*(r.scale.denominator for r in self.rows.values()))
        first = max(ceil((r.delay + 1) / (r.scale * unit)) for r in self.rows.values())
        return StreamingGraph(data, unit, first, tuple(self.kept))

    def put(self, one: Node, raw: bytes) -> None:
        """Append a node, with what it needs of the rows before."""
        moving = [name for name in one.inputs if name in self.rows]
        if not moving:
            self.nodes.append(raw)
            if one.inputs and one.inputs[0] in self.weights:  # a Cast, a DequantizeLinear
                self.weights[one.outputs[0]] = self.weights[one.inputs[0]]
            return
        if one.op == "Conv":
            self.put_convolution(one, raw)
        elif one.op == "DepthToSpace":
            factor = one.attributes["blocksize"]
            r = self.rows[moving[0]]
            self.nodes.append(raw)
            self.rows[one.outputs[0]] = _Rows(
                r.scale * factor, r.delay * factor, r.channels // factor**2
            )
        elif one.op in ROW_BY_ROW:
            if len(moving) == 2 and self.rows[moving[0]].delay != self.rows[moving[1]].delay:
                raw = self.aligned(raw, *moving)
            self.nodes.append(raw)
            late = max((self.rows[name] for name in moving), key=lambda r: r.delay)
            self.rows[one.outputs[0]] = late
        else:
            raise ValueError(f"which rows an output of {one.op} has is not known")

    def put_convolution(self, one: Node, raw: bytes) -> None:
        [name, weight, *_] = one.inputs
        [output] = one.outputs
        shape = self.weights[weight]
        kernel, stride = one.attributes["kernel_shape"][0], one.attributes.get("strides", [1])[0]
        above, left, below, right = one.attributes["pads"]
        if any(d != 1 for d in one.attributes.get("dilations", ())):
            raise ValueError("a dilated convolution keeps more rows than is known")
        r = self.rows[name]
        delay = Fraction(-((above - r.delay - kernel) // stride) - 1)
        remaining = int(above - r.delay + stride * delay)  # rows, between two bands
        if remaining or above or below:
            channels = shape[1] * one.attributes.get("group", 1)
            rows = self.joined(name, Kept(channels, r.scale, above, below), output)
            raw = _with_input_and_pads(raw, rows, [0, left, 0, right])
            self.keep_from(rows, self.integer(-remaining or TO_THE_END))
        self.nodes.append(raw)
        self.rows[output] = _Rows(r.scale / stride, delay, shape[0])

    def aligned(self, raw: bytes, a: str, b: str) -> bytes:
        """The node of two tensors with the rows of the one that is ahead kept back."""
        ahead, behind = (a, b) if self.rows[a].delay < self.rows[b].delay else (b, a)
        r, other = self.rows[ahead], self.rows[behind]
        kept = Kept(r.channels or other.channels, r.scale, 0, 0)
        rows = self.joined(ahead, kept, f"{behind}.beside")
        many = f"{rows}.many"
        shape_of = [("start", ROWS), ("end", ROWS + 1)]
        self.nodes.append(onnx_writer.node("Shape", [behind], many, **dict(shape_of)))
        now = [rows, self.integer(0), many, self.integer(ROWS)]
        self.nodes.append(onnx_writer.node("Slice", now, f"{rows}.now"))
        self.keep_from(rows, many)
        return _renamed(raw, ahead, f"{rows}.now")

    def joined(self, name: str, kept: Kept, like: str) -> str:
        """The tensor with the kept rows above it, and those of the border below; its name."""
        i = len(self.kept)
        self.kept.append(kept)
        parts = [f"kept{i}", name, *([f"below{i}"] if kept.below else [])]
        rows = f"{like}.rows{i}"
        self.nodes.append(onnx_writer.node("Concat", parts, rows, axis=ROWS))
        return rows

    def keep_from(self, rows: str, first: str) -> None:
        """Keep the rows from the first on, as the last of `kept`. first: name of an integer."""
        span = [rows, first, self.integer(TO_THE_END), self.integer(ROWS)]
        self.nodes.append(onnx_writer.node("Slice", span, f"kept{len(self.kept) - 1}.next"))

    def integer(self, value: int) -> str:
        """The name of a constant tensor of this one integer."""
        name = f"rows.{value}"
        self.integers[name] = value
        return name


def _integer(name: str, value: int) -> bytes:
    raw = np.array([value], "<i8").tobytes()
    return onnx_writer.message([(1, 1), (2, INT64), (8, name.encode()), (9, raw)])


def _image(name: str) -> bytes:
    """A ValueInfoProto: float32 of four axes whose lengths are not told."""
    shape = onnx_writer.message([(1, b"")] * 4)
    tensor = onnx_writer.message([(1, FLOAT), (2, shape)])
    return onnx_writer.message([(1, name.encode()), (2, onnx_writer.message([(1, tensor)]))])


def _with_input_and_pads(raw: bytes, name: str, pads: list[int]) -> bytes:
    """A convolution's NodeProto with another first input and other pads."""
    attribute: list[tuple[int, int | bytes]] = [(1, b"pads"), *((8, p) for p in pads), (20, INTS)]
    others = [
        (number, value)
        for number, value in fields(raw)
        if not (number == 5 and (1, b"pads") in fields(value))
    ]
    first = next(i for i, (number, _) in enumerate(others) if number == 1)
    others[first] = (1, name.encode())
    return onnx_writer.message([*others, (5, onnx_writer.message(attribute))])


def _renamed(raw: bytes, old: str, new: str) -> bytes:
    """A NodeProto that reads another tensor."""
    names: Mapping[bytes, bytes] = {old.encode(): new.encode()}
    return onnx_writer.message(
        (number, names.get(value, value) if number == 1 else value) for number, value in fields(raw)
    )
