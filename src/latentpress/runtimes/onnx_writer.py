"""Writes the parts of an ONNX file that `quantize.py` adds: nodes, and tensors of raw numbers.

Wire format and field numbers as in `onnx_file.py`.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.runtimes.onnx_file import BYTES, VARINT
from latentpress.varint import write_varint

TENSOR_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6}  # TensorProto.DataType
INT = 2  # AttributeProto.AttributeType


def message(parts: Iterable[tuple[int, int | bytes]]) -> bytes:
    """(field number, value) of each field -> the message's bytes: an int as a varint, bytes after
    their length.
    """
    out = []
    for number, value in parts:
        if isinstance(value, int):
            out.append(write_varint(number << 3 | VARINT) + write_varint(value))
        else:
            out.append(write_varint(number << 3 | BYTES) + write_varint(len(value)) + value)
    return b"".join(out)


def node(op: str, inputs: Iterable[str], output: str, **attributes: int) -> bytes:
    """A NodeProto with one output and attributes that are whole numbers."""
    return message(
        [
            *((1, name.encode()) for name in inputs),
            (2, output.encode()),
            (4, op.encode()),
            *((5, message([(1, k.encode()), (3, v), (20, INT)])) for k, v in attributes.items()),
        ]
    )


def tensor(name: str, array: NDArray[Any]) -> bytes:
    """A TensorProto with raw data, of one of TENSOR_TYPES."""
    little_endian = array.astype(array.dtype.newbyteorder("<"))
    return message(
        [
            *((1, size) for size in array.shape),
            (2, TENSOR_TYPES[array.dtype.name]),
            (8, name.encode()),
            (9, np.ascontiguousarray(little_endian).tobytes()),
        ]
    )
