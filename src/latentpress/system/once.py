"""What is made once and kept, though several threads ask for it at the same time."""

import os
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, overload

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


class cached_property(Generic[T]):  # noqa: N801  named as that of functools
    """`functools.cached_property` without a lock. That one has a lock before Python 3.12, which all
    objects of a class share: one thread waits there for the work of another on another object, and
    a forked process for a thread that it lacks.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, owner: None, kind: type) -> "cached_property[T]": ...

    @overload
    def __get__(self, owner: object, kind: type) -> T: ...

    def __get__(self, owner: object, kind: type) -> "cached_property[T] | T":
        if owner is None:
            return self
        value = self._make(owner)
        owner.__dict__[self._name] = value  # which is found before this is asked again
        return value
