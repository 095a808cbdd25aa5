"""One item made in a thread while the one before it is used."""

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Failure:
    """What the source raised."""

    error: BaseException


class _End:
    """The source is used up."""


class _Ahead(Generic[T]):
    def __init__(self, source: Iterable[T]) -> None:
        self._source = source
        # unlike Queue and Semaphore, these are whole where a signal's handler raises within them
        self._made: SimpleQueue[T | _Failure | _End] = SimpleQueue()
        self._wanted: SimpleQueue[None] = SimpleQueue()
        self._wanted.put(None)
        self._is_closed = False
        run = partial(copy_context().run, self._make)  # with the caller's limit of threads
        self._thread = threading.Thread(target=run, name="latentpress ahead", daemon=True)
        self._thread.start()

    def _make(self) -> None:
        items = iter(self._source)
        try:
            while True:
                self._wanted.get()
                if self._is_closed:
                    return
                item = next(items)
                self._made.put(item)
                del item  # what the user lets go, this thread does not hold
        except StopIteration:
            self._made.put(_End())
        except BaseException as error:
            self._made.put(_Failure(error))
        finally:
            if close := getattr(items, "close", None):
                close()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        item = self._made.get()
        if isinstance(item, _End):
            self._made.put(item)
            raise StopIteration
        if isinstance(item, _Failure):
            self._made.put(_End())
            raise item.error
        self._wanted.put(None)
        return item

    def close(self) -> None:
        """End the thread, after the item that it makes now."""
        self._is_closed = True
        self._wanted.put(None)
        self._thread.join()


@contextmanager
def ahead(source: Iterable[T], *, is_single: bool = False) -> Iterator[Iterator[T]]:
    """The items of the source, each made by a thread while the one before it is used: two are held
    at a time. What the source raises is raised where its item is asked for; with the block the
    thread ends.

    is_single: there is one item and nothing to do meanwhile, so that it is made where it is asked
    for, without a thread.
    """
    items = _closing(source) if is_single else _Ahead(source)
    try:
        yield items
    finally:
        items.close()


def _closing(source: Iterable[T]) -> Generator[T, None, None]:
    """The items of the source, which is closed with them."""
    yield from source
