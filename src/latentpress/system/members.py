"""Members of archives and tables: how large one may be, which names stay within a folder, and which
key of WebDataset a name has.
"""

from __future__ import annotations

import re

from latentpress.errors import ImageError
from latentpress.system.environment import whole_number

MAX_MEMBER_BYTES = 1 << 30  # of a member that is held in memory; an uncompressed picture has them

# webdataset's own rule: the folder and the name up to its first dot, which is not the name's first
# character, are the key; the rest is the field
_SAMPLE = re.compile(r"((?:.*/)?[^./]+)\.([^/]*)", re.DOTALL)


def max_member_bytes() -> int:
    """The most bytes of a member that is read: MAX_MEMBER_BYTES, unless the environment says
    otherwise.
    """
    return whole_number("LATENTPRESS_MAX_MEMBER_BYTES", MAX_MEMBER_BYTES, 1)


def check_size(size: int) -> None:
    """ImageError where a member promises more bytes than are held in memory."""
    if size > max_member_bytes():
        raise ImageError(
            f"promises {size:,} bytes, more than the limit of {max_member_bytes():,} "
            "(LATENTPRESS_MAX_MEMBER_BYTES)"
        )


def leads_out(name: str) -> bool:
    """Whether a name, taken as a path below a folder, would lead out of it on some system."""
    parts = name.replace("\\", "/").split("/")
    return not name or "\0" in name or name[0] in "/\\" or ".." in parts or name[1:2] == ":"


def sample_key(name: str) -> tuple[str, str] | None:
    """(key, field) of a member of a WebDataset shard, "a/b" and "seg.png" of "a/b.seg.png"; None
    of a name without.
    """
    found = _SAMPLE.fullmatch(name)
    return (found[1], found[2]) if found else None


def label_number(text: str) -> int | None:
    """The number that a label is, None where it is a word or has more digits than Python reads."""
    try:
        return int(text) if text.removeprefix("-").isdecimal() else None
    except ValueError:
        return None
