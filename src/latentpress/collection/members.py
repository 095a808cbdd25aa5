"""What is done with the pictures within an archive or a table, and what is told of each."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from latentpress.errors import LatentpressError, OutputError, UsageError
from latentpress.image.limits import no_pillow_limit
from latentpress.image.plugins import HEAD, open_image
from latentpress.system.sources import LTP, LTPS


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


Press = Callable[[str, bytes], tuple[bytes, dict[str, object]]]


@dataclass(frozen=True)
class Change:
    """Which members are pictures, and what becomes of them.

    press: (name, bytes) -> (bytes, what else is known); a LatentpressError for a picture that
    fails. suffixes: of the names that are pictures, in lower case, with their dots. suffix: of the
    outputs. keep_suffix: "a.jpg" becomes "a.jpg.ltp", not "a.ltp". looks: whether bytes without a
    name, as in a column of a table, are a picture.
    """

    press: Press
    suffixes: frozenset[str]
    suffix: str = ".ltp"
    keep_suffix: bool = False
    looks: Callable[[bytes], bool] = is_image

    def renamed(self, name: str) -> str | None:
        """The name of the output of a member; None where it is no picture."""
        stem, suffix = os.path.splitext(name)
        if suffix.lower() not in self.suffixes:
            return None
        return (name if self.keep_suffix else stem) + self.suffix


@dataclass(frozen=True)
class Told:
    """What is told of a member; the fields are those of `unit.Row`."""

    member: str
    source_bytes: int = 0
    output_bytes: int = 0
    source_sha256: str = ""
    output_sha256: str = ""
    seconds: float = 0.0
    error: str = ""
    fields: dict[str, object] = field(default_factory=dict)


def pressed(change: Change, name: str, data: bytes) -> tuple[bytes | None, Told]:
    """The output of a picture, None where it fails, and what is told of it. What ends the whole run
    (a usage error, a full disk) is raised.
    """
    start = time.perf_counter()
    digest = hashlib.sha256(data).hexdigest()
    try:
        output, fields = change.press(name, data)
    except (UsageError, OutputError):
        raise
    except (LatentpressError, MemoryError, OSError, RuntimeError) as error:
        return None, Told(
            name,
            source_bytes=len(data),
            source_sha256=digest,
            seconds=time.perf_counter() - start,
            error=sentence(error),
        )
    return output, Told(
        name,
        source_bytes=len(data),
        output_bytes=len(output),
        source_sha256=digest,
        output_sha256=hashlib.sha256(output).hexdigest(),
        seconds=time.perf_counter() - start,
        fields=fields,
    )


def sentence(error: BaseException) -> str:
    """What is told of an error of a picture."""
    if isinstance(error, MemoryError):
        return "not enough memory for this picture"
    text = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    return text.splitlines()[0]
