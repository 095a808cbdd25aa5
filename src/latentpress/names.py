"""Names of files as text: on most systems a name is bytes, which need not be UTF-8; and how they
are compared.
"""

import os
import re
import sys

# what Python makes of a byte of a name that is no UTF-8 (PEP 383), and other halves of a pair
LONE = re.compile("[\ud800-\udfff]")


def as_text(name: str) -> str:
    r"""A name that every encoding of Unicode takes: a byte that is no UTF-8 becomes \xNN, in four
    characters.
    """
    return LONE.sub(_shown, name)


def composed(name: str) -> str:
    """A name with each accent in its letter: macOS writes many as two characters."""
    if name.isascii():
        return name
    import unicodedata  # which most names do not need

    return unicodedata.normalize("NFC", name)


def as_compared(name: str) -> str:
    """Of two paths the same where they are those of one file on the file systems of this system.
    Windows' and macOS's keep the case and do not tell by it, macOS's not by accents apart either.
    """
    if sys.platform == "darwin":
        return composed(name).casefold()
    return os.path.normcase(name)


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
