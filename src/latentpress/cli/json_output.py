"""JSON that every reader takes: valid UTF-8 whatever the names of files are."""

import json
import math
from typing import Any

from latentpress.names import as_text


def to_json(value: Any, indent: int | None = 1) -> str:
    r"""A value as JSON, in ASCII. A byte of a file's name that is no text becomes \xNN, in four
    characters. An infinite number, which JSON does not have, becomes the string "inf".
    """
    return json.dumps(_clean(value), indent=indent)


def finite(value: Any) -> Any:
    """A value as CSV, Excel and JSON can hold it: the text inf or -inf of an infinite number."""
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return as_text(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(entry) for entry in value]
    return finite(value)
