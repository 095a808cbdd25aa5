"""Convolutions in C, for processors with AVX-512 and VNNI, or AMX beside them.

`library()` is the one door: None where no library was built, where it was built of other sources,
where the processor has no such instructions, or where LATENTPRESS_NATIVE=0.

convolution.c   the arithmetic
integers.c      the same of whole numbers, exactly
weights.c       weights from the order of a file into the one that sums read
layers.py       an ONNX graph -> layers: a convolution and what is done with its sums
integer_layers.py   the same of a graph of whole numbers
rows.py         rolling windows of the rows of a tensor
stream.py       rows of a picture through the layers
"""

import ctypes
from functools import cache
from typing import Any

from latentpress.system import c_libraries

NOTHING = 0
SLACK = 16384  # bytes that may be read past the end of an input


class Convolution(ctypes.Structure):
    """`Convolution` of convolution.h."""

    _fields_ = (
        ("input", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("scales", ctypes.c_void_p),
        ("biases", ctypes.c_void_p),
        ("added", ctypes.c_void_p),
        ("floats", ctypes.c_void_p),
        ("bytes", ctypes.c_void_p),
        ("inverse_steps", ctypes.c_void_p),
        ("pitch", ctypes.c_int64),
        ("row_step", ctypes.c_int64),
        ("column_step", ctypes.c_int64),
        ("added_pitch", ctypes.c_int64),
        ("floats_pitch", ctypes.c_int64),
        ("bytes_pitch", ctypes.c_int64),
        ("kernel_rows", ctypes.c_int64),
        ("run", ctypes.c_int64),
        ("groups", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("zero", ctypes.c_int32),
        ("is_relu", ctypes.c_int32),
        ("is_bytes", ctypes.c_int32),
    )


class Summand(ctypes.Structure):
    """`Summand` of integers.h."""

    _fields_ = (
        ("input", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("pitch", ctypes.c_int64),
        ("column_step", ctypes.c_int64),
        ("kernel_rows", ctypes.c_int64),
        ("run", ctypes.c_int64),
    )


class IntegerCall(ctypes.Structure):
    """`IntegerLayer` of integers.h."""

    _fields_ = (
        ("summands", Summand * 3),
        ("count", ctypes.c_int64),
        ("starts", ctypes.c_void_p),
        ("biases", ctypes.c_void_p),
        ("scales", ctypes.c_void_p),
        ("bytes", ctypes.c_void_p),
        ("floats", ctypes.c_void_p),
        ("bytes_pitch", ctypes.c_int64),
        ("plane", ctypes.c_int64),
        ("floats_pitch", ctypes.c_int64),
        ("groups", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("channels", ctypes.c_int64),
    )


@cache
def library() -> Any:
    """The library, its functions ready to be called; None where there is none of use here."""
    loaded = c_libraries.load("runtimes/native", "convolutions_built_of")
    if loaded is None or loaded.instructions() == NOTHING:
        return None
    size = ctypes.c_int64
    loaded.convolve.argtypes = (ctypes.c_void_p, size, size, ctypes.c_int)
    loaded.convolve.restype = None
    loaded.sum_integers.argtypes = (ctypes.c_void_p, size, size, ctypes.c_int)
    loaded.sum_integers.restype = None
    numbers, pointer = (size,) * 3, ctypes.c_void_p
    loaded.pack_integers.argtypes = (pointer, *numbers, pointer, size, pointer, pointer)
    loaded.pack_integers.restype = None
    loaded.pack_weights.argtypes = (
        *(pointer, ctypes.c_int, *numbers, pointer, size, ctypes.c_int),
        *(pointer,) * 5,
    )
    loaded.pack_weights.restype = None
    return loaded
