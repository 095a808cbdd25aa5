"""Writes the parts of an ONNX file that `quantize.py` adds: nodes, and tensors of raw numbers.

Wire format and field numbers as in `onnx_file.py`.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from numpy.typing import NDArray

from latentpress.runtimes.onnx_file import BYTES, VARINT
from latentpress.varint import write_varint

TENSOR_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int16": 5, "int32": 6}  # TensorProto.DataType
INT, INTS = 2, 7  # AttributeProto.AttributeType


Field: TypeAlias = "tuple[int, int | bytes | memoryview | Pieces]"  # number and value


class Pieces(list["bytes | memoryview"]):
    """A message in pieces, not joined yet: weights are copied once, where the whole is."""

    @property
    def size(self) -> int:
        """Bytes of all pieces."""
        return sum(map(len, self))


def pieces(parts: Iterable[Field]) -> Pieces:
    """(field number, value) of each field -> the message: an int as a varint, all else after its
    length.
    """
    out = Pieces()
    for number, value in parts:
        if isinstance(value, int):
            out.append(write_varint(number << 3 | VARINT) + write_varint(value))
            continue
        size = value.size if isinstance(value, Pieces) else len(value)
        out.append(write_varint(number << 3 | BYTES) + write_varint(size))
        if isinstance(value, Pieces):
            out += value
        else:
            out.append(value)
    return out


def message(parts: Iterable[Field]) -> bytes:
    """(field number, value) of each field -> the message's bytes."""
    return b"".join(pieces(parts))


def node(op: str, inputs: Iterable[str], output: str, **attributes: int | list[int]) -> bytes:
    """A NodeProto with one output and attributes that are whole numbers, or lists of them."""
    return message(
        [
            *((1, name.encode()) for name in inputs),
            (2, output.encode()),
            (4, op.encode()),
            *((5, attribute(name, value)) for name, value in attributes.items()),
        ]
    )


def attribute(name: str, value: int | list[int]) -> bytes:
    """An AttributeProto of a whole number, or of a list of them."""
    if isinstance(value, int):
        return message([(1, name.encode()), (3, value), (20, INT)])
    return message([(1, name.encode()), *((8, number) for number in value), (20, INTS)])


def tensor(name: str, array: NDArray[Any]) -> Pieces:
    """A TensorProto with raw data, of one of TENSOR_TYPES."""
    little_endian = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return pieces(
        [
            *((1, size) for size in array.shape),
            (2, TENSOR_TYPES[array.dtype.name]),
            (8, name.encode()),
            (9, little_endian.reshape(-1).view("u1").data),
        ]
    )
