"""How many threads a graph runs on, those of LATENTPRESS_THREADS or fewer for a while, and whether
the thread that runs it is to end.

A pool that handles a picture a thread wants its graphs on one thread each, and an end between two
graphs, or two pieces of a screen layer, where the command is interrupted:

    with limited_to(1), canceled_by(event):
        latentpress.compress(image)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

from latentpress.system.environment import whole_number

MOST_THREADS = 1024

_limit: ContextVar[int] = ContextVar("limit", default=0)
_cancel: ContextVar[Event | None] = ContextVar("cancel", default=None)


class Canceled(BaseException):
    """The work of this thread is to end: the event of `canceled_by` is set."""


def threads() -> int:
    """Threads of a graph that is run here and now; 0 for all cores. UsageError where
    LATENTPRESS_THREADS is no number.
    """
    everywhere = whole_number("LATENTPRESS_THREADS", 0, 0, MOST_THREADS)
    limit = _limit.get()
    return min(everywhere, limit) if everywhere and limit else everywhere or limit


@contextmanager
def limited_to(count: int) -> Iterator[None]:
    """Inside, graphs that this thread runs have at most `count` threads each."""
    token = _limit.set(count)
    try:
        yield
    finally:
        _limit.reset(token)


@contextmanager
def canceled_by(event: Event) -> Iterator[None]:
    """Inside, what calls `check_canceled` in this thread raises Canceled once the event is set."""
    token = _cancel.set(event)
    try:
        yield
    finally:
        _cancel.reset(token)


def check_canceled() -> None:
    """Raise Canceled where the work of this thread is to end."""
    event = _cancel.get()
    if event is not None and event.is_set():
        raise Canceled
