"""Reads an ONNX file, as far as the shipped graphs go: nodes, their attributes, and initialisers as
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
    """One operation: its op_type, the names of its inputs and outputs, and its attributes (numbers,
    bytes, lists of integers).
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """nodes: in an order in which they can run. constants: the initialisers. inputs, outputs:
    names.
    """

    nodes: tuple[Node, ...]
    constants: dict[str, NDArray[Any]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_graph(data: bytes) -> Graph:
    """The graph of an ONNX file (ModelProto). ValueError where it is cut off or holds what the
    shipped graphs do not.
    """
    [graph] = [value for number, value in fields(data) if number == 7]
    parts: dict[int, list[bytes]] = {}
    for number, value in fields(graph):
        parts.setdefault(number, []).append(value)
    constants = dict(tensor(t) for t in parts.get(5, ()))
    inputs, outputs = (tuple(text(v, 1) for v in parts.get(number, ())) for number in (11, 12))
    return Graph(
        tuple(map(node, parts.get(1, ()))),
        constants,
        tuple(n for n in inputs if n not in constants),
        outputs,
    )


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """(field number, value) of each field: an int of a varint, bytes of anything else."""
    position = 0
    while position < len(message):
        key, position = varint(message, position)
        wire = key & 7
        if wire == VARINT:
            value, position = varint(message, position)
            yield key >> 3, value
            continue
        if wire == BYTES:
            size, position = varint(message, position)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire} is none of ONNX's")
        if size > len(message) - position:
            raise ValueError("the ONNX file is cut off")
        yield key >> 3, message[position : position + size]
        position += size


def varint(message: bytes, position: int) -> tuple[int, int]:
    """A little-endian base-128 number and the position after it."""
    try:
        return read_leb128(message, position, VARINT_BYTES)
    except (EOFError, OverflowError) as error:
        raise ValueError("the ONNX file is cut off") from error


def text(message: bytes, number: int) -> str:
    """The string in a field of a message."""
    return str(next(v for n, v in fields(message) if n == number), "utf-8")


def node(message: bytes) -> Node:
    """A NodeProto."""
    message_fields = list(fields(message))
    inputs, outputs = (
        tuple(str(v, "utf-8") for n, v in message_fields if n == number) for number in (1, 2)
    )
    return Node(
        text(message, 4), inputs, outputs, dict(attribute(v) for n, v in message_fields if n == 5)
    )


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


def tensor(message: bytes) -> tuple[str, NDArray[Any]]:
    """A TensorProto with raw data: (name, array)."""
    message_fields = list(fields(message))
    shape = [size for n, v in message_fields if n == 1 for size in integers(v)]
    dtype, raw = (next((v for n, v in message_fields if n == number), None) for number in (2, 9))
    if dtype not in DTYPES or raw is None:
        raise ValueError(
            f"the tensor {text(message, 8)} is of a kind that the shipped graphs do not hold"
        )
    return text(message, 8), np.frombuffer(raw, DTYPES[dtype]).reshape(shape)


def integers(value: int | bytes) -> list[int]:
    """A repeated integer field's entry, plain or packed."""
    if isinstance(value, int):
        return [value]
    out = list[int]()
    position = 0
    while position < len(value):
        number, position = varint(value, position)
        out.append(number)
    return out
