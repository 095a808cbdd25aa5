"""What is made once and kept, though several threads ask for it at the same time."""

import os
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def once(function: Callable[P, T]) -> Callable[P, T]:
    """`functools.cache` under which no two threads make the same result: the second waits for the
    first. Where the function fails, the next call tries again.
    """
    made: dict[Any, T] = {}
    locks: dict[Any, threading.Lock] = {}
    if hasattr(os, "register_at_fork"):  # a thread that held a lock is not in the forked process
        os.register_at_fork(after_in_child=locks.clear)

    @wraps(function)
    def kept(*arguments: P.args, **keywords: P.kwargs) -> T:
        key = (arguments, *sorted(keywords.items()))
        if key not in made:
            with locks.setdefault(key, threading.Lock()):
                if key not in made:
                    made[key] = function(*arguments, **keywords)
        return made[key]

    return kept
