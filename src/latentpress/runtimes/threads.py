"""How many threads a graph runs on: those of LATENTPRESS_THREADS, or fewer for a while.

A pool that handles a picture a thread wants its graphs on one thread each:

    with limited_to(1):
        latentpress.compress(image)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from latentpress.system.environment import whole_number

MOST_THREADS = 1024

_limit: ContextVar[int] = ContextVar("limit", default=0)


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
