"""Convolutions in C, for processors with AVX-512 and VNNI, or AMX beside them.

`library()` is the one door: None where no library was built, where it was built of other sources,
where the processor has no such instructions, or where LATENTPRESS_NATIVE=0.

convolution.c   sums in vectors
tiles.c         sums in tiles of AMX
finish.h        what becomes of the sums
stream.c        rows of a picture through the layers, by several threads
layers.py       an ONNX graph -> layers: a convolution and what is done with its sums
rows.py         memory for the rows of a tensor
stream.py       rows of a picture through the layers, for Python
"""

import ctypes
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from latentpress.system.environment import whole_number

FOLDER = Path(__file__).parent
STEM = "latentpress_convolutions"
SUFFIXES = (".so", ".dylib", ".dll")
NOTHING, VNNI, VNNI_AND_AMX = 0, 1, 2  # of convolution.h
PROCEDURES = (
    *("convolve", "drop_rows", "run_layers"),
    *("put_bytes", "get_bytes", "put_planes", "get_planes"),
)
KINDS = 3  # of numbers: floats, bfloat16, bytes
SLACK = 16384  # bytes that may be read past the end of an input


class Ring(ctypes.Structure):
    """`Ring` of convolution.h."""

    _fields_ = (("first", ctypes.c_int64), ("room", ctypes.c_int64))


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
        ("stride", ctypes.c_int64),
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
        ("halves", ctypes.c_void_p),
        ("halves_pitch", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("reads", Ring),
        ("adds", Ring),
        ("writes", Ring),
        ("is_halves", ctypes.c_int32),
    )


class Rows(ctypes.Structure):
    """`Rows` of stream.h."""

    _fields_ = (
        ("kinds", ctypes.c_void_p * KINDS),
        ("pitches", ctypes.c_int64 * KINDS),
        ("channels", ctypes.c_int64),
        ("border", ctypes.c_int64),
        ("first", ctypes.c_int64),
        ("end", ctypes.c_int64),
        ("room", ctypes.c_int64),
        ("planned", ctypes.c_int64),
        ("fill", ctypes.c_int64),
        ("total", ctypes.c_int64),
    )


class Layer(ctypes.Structure):
    """`Layer` of stream.h."""

    _fields_ = (
        ("call", Convolution),
        ("source", ctypes.c_int64),
        ("output", ctypes.c_int64),
        ("added", ctypes.c_int64),
        ("stride", ctypes.c_int64),
        ("pad", ctypes.c_int64),
        ("side", ctypes.c_int64),
        ("done", ctypes.c_int64),
        ("most", ctypes.c_int64),
    )


def source_crc() -> int:
    """CRC-32 of the C files and their headers: a library that was built of others is not used."""
    value = 0
    for path in sorted(FOLDER.glob("*.[ch]")):
        value = zlib.crc32(path.read_bytes().replace(b"\r\n", b"\n"), value)
    return value


@cache
def library() -> Any:
    """The library, its functions ready to be called; None where there is none of use here."""
    if not whole_number("LATENTPRESS_NATIVE", 1, 0, 1):
        return None
    for suffix in SUFFIXES:
        try:
            loaded = ctypes.CDLL(str(FOLDER / f"{STEM}{suffix}"))
            loaded.convolutions_built_of.restype = ctypes.c_uint32
            is_current = loaded.convolutions_built_of() == source_crc()
        except (OSError, AttributeError):
            continue
        if is_current and loaded.instructions() != NOTHING:
            size, address, number = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int
            loaded.convolve.argtypes = (address, size, size, number)
            loaded.drop_rows.argtypes = (address, size, address, size)
            loaded.plan_rows.argtypes = (address, size, address, size, size, number)
            loaded.run_layers.argtypes = (address, size, address, size, size, number)
            loaded.put_planes.argtypes = (address, size, size, size, address, size, size)
            for name in ("put_bytes", "get_bytes", "get_planes"):
                getattr(loaded, name).argtypes = (address, size, size, size, address)
            for name in PROCEDURES:
                getattr(loaded, name).restype = None
            return loaded
    return None
