"""The lines of a manifest, out of bytes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any


def parsed(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Those that are whole and a manifest's."""
    for text in lines:
        with contextlib.suppress(ValueError):
            line = json.loads(text) if text.endswith(b"\n") else None
            if isinstance(line, dict):
                yield line


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file that comes in parts, each with its end."""
    rest = b""
    for chunk in chunks:
        whole, newline, rest_of_chunk = chunk.rpartition(b"\n")
        if not newline:
            rest += chunk
            continue
        yield from (rest + whole + newline).splitlines(keepends=True)
        rest = rest_of_chunk
    if rest:
        yield rest
