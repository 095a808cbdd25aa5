"""Convolutions in C, for processors that multiply bytes: with AVX-512 and VNNI, or AMX beside them,
or with AVX-VNNI; of floats also for those with AVX2.

`library()` is the door: None where no library was built, where it was built of other sources, where
the processor has nothing for bytes, or where LATENTPRESS_NATIVE=0. `float_library()` is a second
one, for processors that have AVX2 alone.

processor.c     what the processor has
convolution.c   sums in vectors
sums.h          the text of these sums, for every kind of numbers
tiles.c         sums in tiles of AMX
avx2.c          convolutions by AVX2
avx2_sums.c     sums of floats there
avx2_bytes.c    those of bytes
avx2_byte_sums.h    the text of these, for both kinds of instructions
avx2_finish.h   what becomes of the sums there
avx2_integers.c sums of whole numbers there, of bytes
avx2_integer_sums.h the text of these
avx2_pairs.c    sums of whole numbers where no bytes are multiplied
avx2_integer_finish.h   what becomes of both
winograd.c      fewer multiplications for kernels of 3 x 3, by AVX2
finish.h        what becomes of the sums
stream.c        rows of a picture through the layers, by several threads
integers.c      sums of whole numbers, exactly
weights.c       weights from the order of a file into the one that sums read
layers.py       an ONNX graph -> layers: a convolution and what is done with its sums
integer_layers.py   the same of a graph of whole numbers
rows.py         memory for the rows of a tensor
stream.py       rows of a picture through the layers, for Python
team.py         threads that share what there is to compute
"""

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.system import c_libraries

# of convolution.h
NOTHING, VNNI, VNNI_AND_HALVES, VNNI_AND_AMX, AVX2_ALONE, AVX2_AND_VNNI = range(6)
PROCEDURES = (
    *("convolve", "drop_rows", "run_layers"),
    *("put_bytes", "get_bytes", "put_planes", "get_planes"),
    *("sum_integers", "pack_integers", "pack_weights"),
)
KINDS = 3  # of numbers: floats, bfloat16, bytes
SLACK = 16384  # bytes that may be read past the end of an input
POSITIONS, TILE = 16, 64  # that a tile reads, however few there are, and its bytes of each


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
        ("is_transformed", ctypes.c_int32),
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


def for_c(array: NDArray[Any], kind: Any = None) -> NDArray[Any]:
    """The array, or a copy of it, whose address C can take: that of a file has numbers where they
    may not begin. kind: of the numbers, where it may be another.
    """
    return np.require(array, kind, ("C_CONTIGUOUS", "ALIGNED"))


def check_reach(step: int) -> None:
    """ValueError where a tile could read past the SLACK behind an input of bytes or bfloat16, the
    positions of which lie so many bytes apart.
    """
    if (POSITIONS - 1) * step + TILE > SLACK:
        raise ValueError(f"a convolution whose positions lie {step} bytes apart in memory")


@cache
def library() -> Any:
    """The library, its functions ready to be called; None where there is none of use here."""
    found = built()
    return found if found and found.instructions() != NOTHING else None


@cache
def float_library() -> Any:
    """The library where it is of use for floats alone: the processor has AVX2 and nothing better;
    None elsewhere.
    """
    found = built()
    return found if found and found.float_instructions() != NOTHING else None


def usable() -> Any:
    """`library`, or `float_library`, or None."""
    return library() or float_library()


def best() -> int:
    """What `usable` multiplies by on this processor, of convolution.h."""
    found = usable()
    return int(found.instructions() or found.float_instructions())


def ways() -> list[int]:
    """What `library` can multiply bytes by on this processor, of convolution.h. AVX-512 has what
    AVX2_AND_VNNI needs.
    """
    found = library()
    if found is None:
        return []
    most = found.instructions()
    return [*(range(VNNI, most + 1) if most < AVX2_ALONE else ()), AVX2_AND_VNNI]


def has_avx512() -> bool:
    """Whether `library` is there and multiplies by AVX-512."""
    found = library()
    return bool(found and found.instructions() < AVX2_ALONE)


@cache
def built() -> Any:
    """The library; None where none was built of these sources, or where it is not to be used."""
    loaded = c_libraries.load("runtimes/native", "convolutions_built_of")
    if loaded is None:
        return None
    size, address, number = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int
    loaded.convolve.argtypes = (address, size, size, number)
    loaded.drop_rows.argtypes = (address, size, address, size)
    loaded.plan_rows.argtypes = (address, size, address, size, size, number)
    loaded.run_layers.argtypes = (address, size, address, size, size, number)
    loaded.put_planes.argtypes = (address, size, size, size, address, size, size)
    loaded.get_planes.argtypes = (address, size, size, size, address, size)
    for name in ("put_bytes", "get_bytes"):
        getattr(loaded, name).argtypes = (address, size, size, size, address)
    loaded.sum_integers.argtypes = (address, size, size, number)
    shape = (size,) * 3
    loaded.pack_integers.argtypes = (address, *shape, address, size, number, address, address)
    loaded.pack_weights.argtypes = (
        *(address, number, *shape, address, size, number),
        *(address,) * 6,
    )
    for name in PROCEDURES:
        getattr(loaded, name).restype = None
    return loaded
