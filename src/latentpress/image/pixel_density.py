"""Pixel density: how large a picture is meant to be shown, in dots an inch across and down."""

from __future__ import annotations

import math
from typing import Any

from latentpress.errors import FormatError
from latentpress.varint import read_varint, write_varint

Density = tuple[float, float]  # dots an inch: across, down

UNIT = 1000  # steps of the chunk in one dot an inch
MAX_DENSITY = 1_000_000  # dots an inch
UNSAID = 72  # dots an inch where a file says nothing (Exif 2.32, XResolution); never kept
UNSAID_WITHIN = 0.5  # since PNG holds whole dots a meter
NO_UNIT = (1.0, 1.0)  # square pixels, as files hold it; Pillow's word for a TIFF file without any
MAX_JPEG = 65535  # JFIF's field has 16 bits


def read_density(info: dict[Any, Any]) -> Density | None:
    """The density in Pillow's `info`; None where there is none, or a senseless or the usual one."""
    try:
        across, down = (float(value) for value in info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    values = (across, down)
    if not all(math.isfinite(v) and 1 / UNIT <= v <= MAX_DENSITY for v in values):
        return None
    if values == NO_UNIT or all(abs(v - UNSAID) <= UNSAID_WITHIN for v in values):
        return None
    return values


def pack_density(density: Density) -> bytes:
    """The chunk's body: thousandths as LEB128, across, then down where that is another."""
    across, down = (round(value * UNIT) for value in density)
    return write_varint(across) + (write_varint(down) if down != across else b"")


def unpack_density(body: bytes) -> Density:
    """The inverse of pack_density; FormatError for any other bytes."""
    values = []
    position = 0
    while position < len(body):
        value, position = read_varint(body, position)
        values.append(value)
    if len(values) == 1:
        values *= 2
    elif len(values) != 2 or values[0] == values[1]:
        raise FormatError("the density chunk is damaged")
    if not all(1 <= value <= MAX_DENSITY * UNIT for value in values):
        raise FormatError("the density chunk holds an impossible density")
    return values[0] / UNIT, values[1] / UNIT


def density_options(info: dict[Any, Any], form: str) -> dict[str, Any]:
    """Pillow's save option for the density in `info`, where this format holds it."""
    density = read_density(info)
    if density is None or form not in ("PNG", "JPEG", "TIFF", "BMP"):
        return {}
    return {} if form == "JPEG" and max(density) > MAX_JPEG else {"dpi": density}
