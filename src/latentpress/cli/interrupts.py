"""Ctrl-C, SIGTERM and, of a terminal that is closed, SIGHUP: the first ends the command tidily,
another one at once.
"""

import os
import signal
import time
from types import FrameType

from latentpress.system.signals import SIGNALS

EXIT_SIGNAL = 128  # plus the signal's number
ECHO_SECONDS = 1.0  # a shell and a runner of commands may both pass one signal on

_first: float | None = None  # when a signal came
_signum = 0


class Interrupted(BaseException):
    """A signal asks the command to end; temporary files are removed on the way out. signum: its
    number.
    """

    def __init__(self, signum: int) -> None:
        self.signum = signum


def listen() -> None:
    """From now on the first signal raises Interrupted in the main thread, and one that comes while
    the command tidies up ends the process. What the process ignores, as under nohup, stays ignored.
    """
    global _first
    _first = None
    for signum in SIGNALS:
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, _interrupt)


def raise_again() -> None:
    """Raise Interrupted where a signal has come. A failure that follows one is not a failure of its
    own: `Condition.wait` of the standard library ends with RuntimeError where a signal's handler
    raises between two of its lines, and what Python calls for tidying up swallows exceptions.
    """
    if _first is not None:
        raise Interrupted(_signum)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    global _first, _signum
    now = time.monotonic()
    if _first is None:
        _first, _signum = now, signum
        raise Interrupted(signum)
    if now - _first > ECHO_SECONDS:
        os._exit(EXIT_SIGNAL + signum)
