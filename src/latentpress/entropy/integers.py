"""Integer arithmetic that the entropy coders share; all of it is exact on every machine."""

from typing import Any, TypeVar

from numpy.typing import NDArray

Integers = TypeVar("Integers", int, NDArray[Any])


def round_shift(value: Integers, bits: int) -> Integers:
    """value / 2^bits, rounded to the nearest integer, halves up. value: an integer or an array of
    them. bits: at least 1.
    """
    shifted: Integers = (value + (1 << (bits - 1))) >> bits
    return shifted


def sign_extend(value: int, bits: int) -> int:
    """The low `bits` bits of value, read as a two's complement number."""
    sign = 1 << (bits - 1)
    return ((value & ((1 << bits) - 1)) ^ sign) - sign
