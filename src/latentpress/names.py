"""Names of files as text: on most systems a name is bytes, which need not be UTF-8."""

import re

# what Python makes of a byte of a name that is no UTF-8 (PEP 383), and other halves of a pair
LONE = re.compile("[\ud800-\udfff]")


def as_text(name: str) -> str:
    r"""A name that every encoding of Unicode takes: a byte that is no UTF-8 becomes \xNN, in four
    characters.
    """
    return LONE.sub(_shown, name)


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
