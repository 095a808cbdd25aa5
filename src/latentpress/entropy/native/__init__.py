"""The C library that codes symbols, where it was built; else the same is done in NumPy.

`library()` is its one door: None where no library is there, where it was built of other sources, or
where LATENTPRESS_NATIVE=0. Both ways give the same numbers to the bit, so files never depend on it.
ctypes lets other threads run while C code does. `system.c_libraries` makes the library.

rans.c      the coder's stack            (rans.py)
trellis.c   symbols in lanes             (trellis.py)
planes.c    passes over planes of lp1    (planes.py)
"""

import ctypes
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.errors import FormatError
from latentpress.system import c_libraries

OUT_OF_RANGE = 1
ERRORS = ("", "a symbol is out of range", "there is no such table", "the stack has no room")


class Stack(ctypes.Structure):
    """`Stack` of native.h."""

    _fields_ = (
        ("state", ctypes.c_uint64),
        ("words", ctypes.c_void_p),
        ("size", ctypes.c_int64),
        ("capacity", ctypes.c_int64),
    )


class Tables(ctypes.Structure):
    """`Tables` of native.h."""

    _fields_ = (
        ("starts", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("radius", ctypes.c_void_p),
        ("near", ctypes.c_void_p),
        ("count", ctypes.c_int32),
    )


F32 = np.dtype(np.float32)  # an array of them
U8, U16, I16 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int16)
I32, U32, I64 = np.dtype(np.int32), np.dtype(np.uint32), np.dtype(np.int64)
INT, INT32, FLOAT = ctypes.c_int64, ctypes.c_int32, ctypes.c_float
CODER = (ctypes.POINTER(Stack), ctypes.POINTER(Tables))
PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "arrange_tables": (I32, INT, I32, INT, U32, I32, U16),
    "push_runs": (*CODER, I32, U16, I64, INT),
    "pop_runs": (*CODER, I32, U16, I64, INT),
    "trellis_push": (*CODER, I32, U8, U16, INT, INT, INT32, I32),
    "trellis_pop": (*CODER, I32, U8, U16, INT, INT, INT32, U8, I32),
    "trellis_quantize": (F32, U16, INT, INT, FLOAT, F32, INT32, I32, U8, U16, U8, F32),
    "first_activity": (F32, INT, INT, INT, INT, INT, I32, I32, I32),
    "first_distributions": (
        *(F32, INT, INT, INT, INT, INT, FLOAT, F32, I32),
        *(I32, F32, F32, I32, U8),
    ),
    "second_distributions": (F32, F32, INT, INT, INT, FLOAT, F32, F32, I32, U8),
    "select_positions": (
        *(U8, I32, INT, INT, INT, INT32, INT32),
        *(I32, I64, I32, U16, I64, I32, I32),
    ),
    "gather_residuals": (F32, F32, F32, INT, I32, I32, INT, F32),
    "scatter_whitened": (I32, I64, U16, I32, INT, INT32, INT32, F32),
    "scatter_whitened_bytes": (*(I32, I64, U16, I32, INT, INT32, INT32, INT, INT, INT, U8, U8),),
    "add_values": (I32, I32, INT, FLOAT, FLOAT, F32),
    "scatter_symbols": (I32, I32, INT, I16),
}


def in_words() -> str:
    """What codes symbols, for people."""
    if library():
        return "the C library"
    return "Python, " + (
        "for no C library was built" if c_libraries.is_wanted() else "for LATENTPRESS_NATIVE is 0"
    )


class Library:
    """The functions of PROTOTYPES, called with arrays. One raises FormatError where coded symbols
    are out of range, ValueError for arguments that the format does not hold, TypeError as of
    `address`.
    """

    def __init__(self, loaded: Any) -> None:
        for name, kinds in PROTOTYPES.items():
            function = getattr(loaded, name)
            function.argtypes = [
                ctypes.c_void_p if isinstance(kind, np.dtype) else kind for kind in kinds
            ]
            function.restype = ctypes.c_int
            function.errcheck = check_popped if name in ("pop_runs", "trellis_pop") else check
            setattr(self, name, partial(call, function, kinds))


@cache
def library() -> Any:
    """The library; None where there is none."""
    loaded = c_libraries.load("entropy/native", "built_of")
    return Library(loaded) if loaded else None


def call(function: Any, kinds: tuple[Any, ...], *arguments: Any) -> None:
    """Call with the addresses of arrays. They are taken before, for what a signal's handler raises
    while ctypes converts an argument becomes an ArgumentError.
    """
    function(
        *(
            address(argument, kind) if isinstance(kind, np.dtype) else argument
            for argument, kind in zip(arguments, kinds, strict=True)
        )
    )


def address(array: NDArray[Any], kind: np.dtype[Any]) -> int:
    """Where an array begins. TypeError where it is of another kind, has gaps, or is not aligned."""
    flags = array.flags
    if array.dtype != kind or not (flags.c_contiguous and flags.aligned):
        raise TypeError(f"an array of {array.dtype} that C cannot take for one of {kind}")
    return array.ctypes.data


def check(code: int, function: Any, arguments: Any) -> None:
    """ValueError where a function says that it could not do its work."""
    if code:
        raise ValueError(ERRORS[code])


def check_popped(code: int, function: Any, arguments: Any) -> None:
    """The same, FormatError where the symbols of a file are out of range."""
    if code == OUT_OF_RANGE:
        raise FormatError("the coded latent holds a symbol that is out of range")
    check(code, function, arguments)
