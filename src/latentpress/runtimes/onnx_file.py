"""Reads an ONNX file, as far as the shipped graphs go: nodes, their attributes, and initializers as
NumPy arrays.

The bytes come from `models.read_file`, which has verified their SHA-256. Wire format:
https://protobuf.dev/programming-guides/encoding; field numbers:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.system.once import cached_property
from latentpress.varint import read_leb128

# wire types
VARINT = 0
FIXED64 = 1
BYTES = 2
FIXED32 = 5
VARINT_BYTES = 10  # of a 64-bit number, at most
# TensorProto.DataType -> NumPy's name
DTYPES = {1: "<f4", 2: "u1", 3: "i1", 5: "<i2", 6: "<i4", 7: "<i8", 10: "<f2"}


@dataclass(frozen=True)
class Node:
    """One operation: its op_type, the names of its inputs and outputs, and its NodeProto."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    raw: bytes

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """Numbers, bytes and lists of integers by their names."""
        return dict(attribute(value) for number, value in fields(self.raw) if number == 5)


@dataclass(frozen=True)
class Graph:
    """nodes: in an order in which they can run. constants: the initializers. inputs, outputs:
    names. raw_constants: the TensorProtos of the initializers. others: further fields of the
    GraphProto.
    """

    nodes: tuple[Node, ...]
    constants: dict[str, NDArray[Any]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    raw_constants: dict[str, memoryview]
    others: tuple[tuple[int, Any], ...]


def read_graph(data: bytes) -> Graph:
    """The graph of an ONNX file (ModelProto). ValueError where it is cut off or holds what the
    shipped graphs do not.
    """
    [graph] = [value for number, value in fields(memoryview(data)) if number == 7]
    parts: dict[int, list[Any]] = {}
    for number, value in fields(graph):
        parts.setdefault(number, []).append(value)
    nodes, tensors = parts.pop(1, []), parts.pop(5, [])
    raw_constants, constants = dict[str, memoryview](), dict[str, NDArray[Any]]()
    for raw in tensors:
        name, constants[name] = tensor(raw)
        raw_constants[name] = raw
    inputs, outputs = (tuple(text(v, 1) for v in parts.get(number, ())) for number in (11, 12))
    return Graph(
        tuple(node(bytes(raw)) for raw in nodes),
        constants,
        tuple(n for n in inputs if n not in constants),
        outputs,
        raw_constants,
        tuple((number, value) for number, values in parts.items() for value in values),
    )


def fields(message: bytes | memoryview) -> Iterator[tuple[int, Any]]:
    """(field number, value) of each field: an int of a varint, of anything else its bytes, or a
    view of them where the message is one.
    """
    position, end = 0, len(message)
    while position < end:
        key = message[position]  # nearly all numbers have one byte
        if key < 0x80:
            position += 1
        else:
            key, position = varint(message, position)
        wire = key & 7
        if wire == VARINT:
            value, position = varint(message, position)
            yield key >> 3, value
            continue
        if wire == BYTES:
            size = message[position] if position < end else 0x80
            if size < 0x80:
                position += 1
            else:
                size, position = varint(message, position)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire} is none of ONNX's")
        if size > end - position:
            raise ValueError("the ONNX file is cut off")
        yield key >> 3, message[position : position + size]
        position += size


def varint(message: bytes | memoryview, position: int) -> tuple[int, int]:
    """A little-endian base-128 number and the position after it."""
    try:
        return read_leb128(message, position, VARINT_BYTES)
    except (EOFError, OverflowError) as error:
        raise ValueError("the ONNX file is cut off") from error


def text(message: bytes | memoryview, number: int) -> str:
    """The string in a field of a message."""
    return str(next(v for n, v in fields(message) if n == number), "utf-8")


def node(message: bytes) -> Node:
    """A NodeProto."""
    inputs, outputs, op = [], [], ""
    for number, value in fields(message):
        if number == 1:
            inputs.append(str(value, "utf-8"))
        elif number == 2:
            outputs.append(str(value, "utf-8"))
        elif number == 4:
            op = str(value, "utf-8")
    return Node(op, tuple(inputs), tuple(outputs), message)


def attribute(message: bytes) -> tuple[str, Any]:
    """An AttributeProto: (name, value), value a float, an int, bytes or a list of ints."""
    value: Any = []
    for number, field in fields(message):
        if number == 2:
            value = struct.unpack("<f", field)[0]
        elif number in (3, 4):
            value = field
        elif number == 8:
            value += integers(field)
    return text(message, 1), value


def tensor(message: bytes | memoryview) -> tuple[str, NDArray[Any]]:
    """A TensorProto with raw data: (name, array)."""
    shape = list[int]()
    name, dtype, raw = "", None, None
    for number, value in fields(message):
        if number == 1:
            shape += integers(value)
        elif number == 2:
            dtype = value
        elif number == 8:
            name = str(value, "utf-8")
        elif number == 9:
            raw = value
    if dtype not in DTYPES or raw is None:
        raise ValueError(f"the tensor {name} is of a kind that the shipped graphs do not hold")
    return name, np.frombuffer(raw, DTYPES[dtype]).reshape(shape)


def integers(value: int | bytes | memoryview) -> list[int]:
    """A repeated integer field's entry, plain or packed."""
    if isinstance(value, int):
        return [value]
    out = list[int]()
    position = 0
    while position < len(value):
        number, position = varint(value, position)
        out.append(number)
    return out
