"""What the processor can do that decides in which precision a graph is fast.

Linux tells it in /proc/cpuinfo. Every Apple processor of a Mac with macOS on ARM multiplies bytes.
Elsewhere nothing is known, which means float32.
"""

import platform
import re
import sys
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BYTE_DOT_PRODUCT = {"avx512_vnni", "avx_vnni", "asimddp"}
AMX_BFLOAT16 = "amx_bf16"


@cache
def flags() -> frozenset[str]:
    """The processor's flags, as Linux names them; empty where they are not known."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return frozenset({"asimddp"})
    try:
        text = CPUINFO.read_text(errors="replace")
    except OSError:
        return frozenset()
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


def has_byte_dot_product() -> bool:
    """Whether it sums products of bytes in 32 bits: VNNI, or the dot product of ARM."""
    return bool(BYTE_DOT_PRODUCT & flags())


def has_amx_bfloat16() -> bool:
    """Whether it multiplies tiles of bfloat16 (AMX)."""
    return AMX_BFLOAT16 in flags()
