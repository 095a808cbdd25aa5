"""Sizes and targets as people write them."""

import math
import re

from latentpress.errors import UsageError

UNITS = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}


def parse_size(text: str) -> int:
    """Bytes of "20kB", "1.5 MB", "64KiB" or "20000" (kB = 1000, KiB = 1024); UsageError for
    anything else.
    """
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([A-Za-z]*)\s*", text)
    size = float(match[1]) * UNITS[match[2].lower()] if match and match[2].lower() in UNITS else 0
    if not 1 <= size < math.inf:
        raise UsageError(
            f"{text!r} is no size: write it as 20kB, 1.5MB, 64KiB or a number of bytes"
        )
    return int(size)


def parse_target(text: str) -> tuple[str, float]:
    """("psnr", 32.0) of "psnr=32"; UsageError for anything else. The metric's name is not checked
    here.
    """
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not name or not math.isfinite(number):
        raise UsageError(f"{text!r} is no target: write it as psnr=32, ssim=0.9 or lpips=0.1")
    return name.strip().lower(), number
