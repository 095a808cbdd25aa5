"""What is done with the pictures within an archive or a table, and what is told of each."""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import time
from collections.abc import Callable
from dataclasses import dataclass

from latentpress.collection.faults import ENDING, sentence
from latentpress.collection.unit import Made, Row, joined
from latentpress.image.limits import no_pillow_limit
from latentpress.image.plugins import HEAD, open_image
from latentpress.system.sources import LTP, LTPS

KEPT = "it is kept as it is"
LEFT_OUT = "it is left out"
APPLE_DOUBLE = "._"


def is_image(data: bytes) -> bool:
    """Whether Pillow takes the bytes for the beginning of a picture."""
    file = io.BytesIO(data)
    try:
        with no_pillow_limit(), open_image(file, data[:HEAD], "the bytes"):
            return not data.startswith(LTP)
    except Exception:  # on damaged files Pillow's readers raise nearly anything
        return False


def is_ltp(data: bytes) -> bool:
    """Whether the bytes begin as a .ltp file does."""
    return data.startswith(LTP) and not data.startswith(LTPS)


Press = Callable[[str, str, bytes], Made]


@dataclass(frozen=True)
class Change:
    """Which members of an archive are pictures, and what becomes of them.

    press: (name, name of the output, bytes) -> the output; it raises for a picture that fails,
    its message with the name. suffixes: of the names that are pictures, in lower case, with their
    dots. suffix: of the outputs. keep_suffix: "a.jpg" becomes "a.jpg.ltp", not "a.ltp". looks:
    whether bytes without a name, as in a column of a table, are a picture. archive: its name for
    people.
    """

    press: Press
    suffixes: frozenset[str]
    suffix: str = ".ltp"
    keep_suffix: bool = False
    looks: Callable[[bytes], bool] = is_image
    archive: str = ""

    def renamed(self, name: str) -> str | None:
        """The name of the output of a member; None where it is no picture, as the attributes of
        a.jpg that macOS' tar puts before it as ._a.jpg.
        """
        stem, suffix = os.path.splitext(name)
        is_beside = posixpath.basename(name).startswith(APPLE_DOUBLE)
        if is_beside or suffix.lower() not in self.suffixes:
            return None
        return (name if self.keep_suffix else stem) + self.suffix

    def failed(self, member: str, size: int, problem: str) -> Row:
        """The row of a member that was not changed; a sentence begins with its name."""
        name = joined(self.archive, member)
        return Row(self.archive, "", member=member, source_bytes=size, error=f"{name}: {problem}")


def pressed(change: Change, member: str, output: str, data: bytes) -> tuple[bytes | None, Row]:
    """What becomes of a picture, None where it is kept as it is, and its row. What ends the whole
    run is raised.
    """
    begin = time.perf_counter()
    made, error = Made(None), ""
    try:
        made = change.press(member, output, data)
    except ENDING:
        raise
    except Exception as fault:
        error = f"{sentence(joined(change.archive, member), fault)}; {KEPT}"
    new = made.data
    return new, Row(
        change.archive,
        "",
        member=member,
        output="" if new is None else output,
        source_bytes=len(data),
        output_bytes=len(new or b""),
        source_sha256=hashlib.sha256(data).hexdigest(),
        output_sha256="" if new is None else hashlib.sha256(new).hexdigest(),
        seconds=time.perf_counter() - begin,
        error=error,
        notices=made.notices,
        fields=made.fields,
    )
