"""What is made once and kept, though several threads ask for it at the same time."""

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

    @wraps(function)
    def kept(*arguments: P.args, **keywords: P.kwargs) -> T:
        key = (arguments, *sorted(keywords.items()))
        if key not in made:
            with locks.setdefault(key, threading.Lock()):
                if key not in made:
                    made[key] = function(*arguments, **keywords)
        return made[key]

    return kept
