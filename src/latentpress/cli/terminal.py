r"""What the commands say, and where: results on standard output, sentences on standard error.

A line is one line, and no command to the terminal: a control character in a name, as a line break
or the beginning of an escape sequence, is shown as in a Python text (\n, \x1b).

Every table and bar of the command line is drawn by a console of this module: a name is shown as it
is, though it hold what rich takes for markup ("[edited] a.png") or for an emoji (":art:.png").
"""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PREFIX = "latentpress: "
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
UNBROKEN = 240  # columns where the output is no terminal: a row stays on one line


class Voice:
    """How much is said. quiet: errors alone. verbose: what else there is to know, too. bar: the
    progress bar that is drawn now.
    """

    def __init__(self) -> None:
        self.quiet = False
        self.verbose = False
        self.bar: Any = None
        self.lock = threading.RLock()  # an interrupt may leave it locked by this thread


voice = Voice()


def console(unbroken: int = UNBROKEN, *, stderr: bool = False) -> "Console":
    """A console of rich that takes text as text: no markup, no emoji codes, no highlights."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        width=None if stream.isatty() else unbroken,
        markup=False,
        emoji=False,
        highlight=False,
    )


def plain(text: str) -> str:
    """A text of one line, without control characters."""
    return CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def sign(letter: str, word: str) -> str:
    """A letter, or what stands for it where standard output's encoding lacks it, as that of a file
    on Windows often does.
    """
    try:
        letter.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return word
    return letter


def line(text: str) -> None:
    """A result, on standard output."""
    if not voice.quiet:
        with _cleared():
            print(plain(text), flush=True)


def notice(sentence: str) -> None:
    """What the user should know, on standard error."""
    if not voice.quiet:
        error(sentence)


def detail(sentence: str) -> None:
    """What the user may want to know, on standard error, where --verbose asks for it."""
    if voice.verbose:
        error(sentence)


def error(sentence: str) -> None:
    """A sentence on standard error, even with --quiet."""
    with _cleared():
        print(PREFIX + plain(sentence), file=sys.stderr, flush=True)


@contextmanager
def _cleared() -> Iterator[None]:
    """Take the bar away while a line is printed, so that neither breaks the other."""
    with voice.lock:
        drawn = voice.bar is not None and voice.bar.live.is_started
        if drawn:
            voice.bar.stop()
        try:
            yield
        finally:
            if drawn:
                voice.bar.start()
