"""JSON that every reader takes: valid UTF-8 whatever the names of files are."""

import json
import re
from typing import Any

# what Python makes of a byte of a name that is no UTF-8 (PEP 383), and other halves of a pair
LONE = re.compile("[\ud800-\udfff]")


def to_json(value: Any, indent: int | None = 1) -> str:
    r"""A value as JSON, in ASCII. A byte of a file's name that is no text becomes \xNN, in four
    characters.
    """
    return json.dumps(_clean(value), indent=indent)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return LONE.sub(_shown, value)
    if isinstance(value, dict):
        return {_clean(key): _clean(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(entry) for entry in value]
    return value


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
