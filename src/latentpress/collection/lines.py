"""The lines of a manifest, out of bytes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

TEXTS = ("source", "member", "output", "version", "request")


def parsed(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Those that are whole and a manifest's."""
    for text in lines:
        with contextlib.suppress(ValueError, RecursionError):
            line = json.loads(text) if text.endswith(b"\n") else None
            if isinstance(line, dict) and _is_line(line):
                yield line


def _is_line(line: dict[str, Any]) -> bool:
    if "run" in line:
        return isinstance(line["run"], dict) and isinstance(line["run"].get("asked", {}), dict)
    sizes = (line.get(key, 0) for key in ("source_bytes", "output_bytes"))
    return (
        all(isinstance(line.get(key, ""), str) for key in TEXTS)
        and all(isinstance(size, int) and size >= 0 for size in sizes)
        and isinstance(line.get("metrics", {}), dict)
    )


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
