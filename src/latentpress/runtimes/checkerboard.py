"""An ONNX graph that sees half of the cells of a checkerboard and is asked about the others -> the
same graph on those cells alone, in half of the arithmetic.

Cells whose row + column is even are *anchors*, the others *others*. Of one input only the anchors
are not zero, and the output counts at the others only. The convolutions that read that input meet
anchors alone at the others, since each of their taps is an odd number of rows and columns away.

A plane (h, w) of one kind of cells is held as two halves (ceil(h / 2), ceil(w / 2)): of the even
rows and of the odd rows, with columns 2 j and 2 j + 1 at j. What lies outside of the plane is zero.
The inputs and outputs of the graph that is made have the names of the given one with ".0" for even
rows and ".1" for odd ones. Every sum has the same terms but zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.runtimes import onnx_writer
from latentpress.runtimes.onnx_file import Node, fields, read_graph

GRAPH, NODE, INITIALIZER, INPUT, OUTPUT = 7, 1, 5, 11, 12  # fields of ModelProto and GraphProto
ANCHORS, OTHERS = 0, 1
CELL_BY_CELL = {"Add", "Clip", "Identity", "Mul", "Relu", "Round"}


def halved(data: bytes, anchors: str) -> bytes:
    """The graph at the other cells, as an ONNX file.

    Args:
        data: An ONNX file.
        anchors: The name of the input that is zero but at the anchors; of all other inputs, and of
            the outputs, the other cells count.

    Raises:
        ValueError: The graph holds an operation that needs more cells.
    """
    graph = read_graph(data)
    kinds = {name: ANCHORS if name == anchors else OTHERS for name in graph.inputs}
    out: list[onnx_writer.Field] = []
    for one in graph.nodes:
        moving = [name for name in one.inputs if name in kinds]
        if not moving:
            out.append((NODE, one.raw))
            continue
        for parity in (0, 1):
            out.append((NODE, _node(one, kinds, parity)))
        kinds.update(dict.fromkeys(one.outputs, OTHERS))
    out += [(INITIALIZER, raw) for raw in graph.raw_constants.values()]
    for number, value in graph.others:
        if number in (INPUT, OUTPUT):
            out += [(number, _renamed(value, parity)) for parity in (0, 1)]
        else:
            out.append((number, value))
    made = onnx_writer.pieces(out)
    return onnx_writer.message(
        (number, made if number == GRAPH else value) for number, value in fields(memoryview(data))
    )


def halves(plane: NDArray[Any], kind: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The cells of a kind in planes (C, h, w), as two halves (1, C, ceil(h / 2), ceil(w / 2))."""
    c, h, w = plane.shape
    even, odd = np.zeros((2, 1, c, -(-h // 2), -(-w // 2)), plane.dtype)
    for parity, half in ((0, even[0]), (1, odd[0])):
        found = plane[:, parity::2, parity ^ kind :: 2]
        half[:, : found.shape[1], : found.shape[2]] = found
    return even, odd


def _node(one: Node, kinds: dict[str, int], parity: int) -> bytes:
    """A node at the rows of a parity."""
    if one.op == "Conv" and kinds.get(one.inputs[0]) == ANCHORS:
        return _convolution(one, parity)
    is_pointwise = one.op == "Conv" and set(one.attributes["kernel_shape"]) == {1}
    if not (is_pointwise or one.op in CELL_BY_CELL):
        raise ValueError(f"which cells {one.op} needs is not known")
    if any(kinds.get(name) == ANCHORS for name in one.inputs):
        raise ValueError(f"{one.op} needs anchors where there are others")
    names = {name: f"{name}.{parity}" for name in (*one.inputs, *one.outputs) if name in kinds}
    names |= {name: f"{name}.{parity}" for name in one.outputs}
    return onnx_writer.message(
        (number, names.get(str(value, "utf-8"), str(value, "utf-8")).encode())
        if number in (1, 2)
        else (number, value)
        for number, value in fields(one.raw)
    )


def _convolution(one: Node, parity: int) -> bytes:
    """A convolution of anchors, at the others of the rows of a parity."""
    about = one.attributes
    rows, columns = (
        [i * about["dilations"][axis] - about["pads"][axis] for i in range(length)]
        for axis, length in enumerate(about["kernel_shape"])
    )
    is_across = rows[0] % 2 == 1  # the taps are in rows of the other parity
    step = {d for offsets in (rows, columns) for d in np.diff(offsets).tolist()}
    if step - {2} or (rows[0] + columns[0]) % 2 == 0 or set(about["strides"]) != {1}:
        raise ValueError("a convolution meets other cells than anchors")
    down = [(d + parity) // 2 for d in rows]
    beside = [(d + 1 - parity) // 2 for d in columns]
    pads = [-down[0], -beside[0], down[-1], beside[-1]]
    if min(pads) < 0:
        raise ValueError("a convolution meets anchors on one side alone")
    inputs = [f"{one.inputs[0]}.{parity ^ is_across}", *one.inputs[1:]]
    return onnx_writer.node(
        "Conv",
        inputs,
        f"{one.outputs[0]}.{parity}",
        kernel_shape=about["kernel_shape"],
        pads=pads,
    )


def _renamed(value: memoryview, parity: int) -> bytes:
    """A ValueInfoProto with the name of a half."""
    return onnx_writer.message(
        (number, f"{str(part, 'utf-8')}.{parity}".encode()) if number == 1 else (number, part)
        for number, part in fields(value)
    )
