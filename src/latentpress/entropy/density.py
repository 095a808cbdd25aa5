"""How many positions of a latent a byte of its body may stand for.

A body that promises more is refused before anything of its size is allocated, and none is written.
"""

from latentpress.errors import FormatError, ImageError

# A real picture has hundreds at most, were it black: its borders cost.
MAX_POSITIONS_PER_BYTE = 1 << 14


def check_written(body: bytes, positions: int) -> None:
    """ImageError where a body is shorter than the format allows for its positions."""
    if positions > MAX_POSITIONS_PER_BYTE * len(body):
        raise ImageError("a picture this large and this uniform is beyond the limits of the format")


def check_read(body: bytes, positions: int, least: int) -> None:
    """FormatError where a body is shorter than `least` bytes, or than the format allows for its
    positions.
    """
    if len(body) < least or positions > MAX_POSITIONS_PER_BYTE * len(body):
        raise FormatError("the coded latent is too short for the size in the header")
