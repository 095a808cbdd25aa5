"""What the environment may set: how large a picture or a latent may be, how many threads work,
what runs the networks, and where weights and data lie.
"""

import os
from pathlib import Path

from latentpress.errors import UsageError


def whole_number(name: str, default: int, least: int, most: int = 2**63 - 1) -> int:
    """The environment variable as an integer, the default where it is not set. UsageError where it
    is none, below `least` or above `most`.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number > most:
        raise UsageError(f"the environment variable {name} is at most {most}, not {text[:40]!r}")
    if number < least:
        raise UsageError(
            f"the environment variable {name} is a whole number from {least} on, as 1000 or "
            f"1_000, not {text[:40]!r}"
        )
    return number


def word(name: str, words: tuple[str, ...]) -> str:
    """The environment variable's word in lower case, "" where it is not set. UsageError for one
    that is not among `words`.
    """
    text = os.environ.get(name, "").strip().lower()
    if text and text not in words:
        raise UsageError(
            f"the environment variable {name} is one of {', '.join(words)}, not {text[:40]!r}"
        )
    return text


def folder(name: str) -> Path | None:
    """The folder that the environment variable names, None where it is not set. UsageError where
    there is no such folder.
    """
    text = os.environ.get(name)
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_dir():
        raise UsageError(
            f"the environment variable {name} names {text[:200]!r}, which is no folder"
        )
    return path


def usable_cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
