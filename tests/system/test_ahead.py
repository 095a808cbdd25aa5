"""A thread makes one item ahead, passes on what its source raises, and ends with the block."""

import threading
import time
from collections.abc import Iterator

import pytest

from latentpress.system.ahead import ahead
from latentpress.system.once import once


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "latentpress ahead"]


def test_items_come_in_order_and_one_is_made_ahead() -> None:
    made = []

    def source() -> Iterator[int]:
        for i in range(5):
            made.append(i)
            yield i

    with ahead(source()) as items:
        for i, item in enumerate(items):
            assert item == i
            time.sleep(0.02)
            assert len(made) <= i + 2
        assert list(items) == []
    assert made == [0, 1, 2, 3, 4]
    assert not threads()


def test_a_single_item_is_made_where_it_is_asked_for() -> None:
    made_in, closed = [], []

    def source() -> Iterator[int]:
        try:
            made_in.append(threading.current_thread())
            yield 7
            raise MemoryError("too little")
        finally:
            closed.append(True)

    with ahead(source(), is_single=True) as items:
        assert not made_in
        assert next(items) == 7
        assert not threads()
    assert made_in == [threading.current_thread()]
    assert closed == [True]
    with (
        ahead(source(), is_single=True) as items,
        pytest.raises(MemoryError, match="too little"),
    ):
        list(items)


def test_an_error_comes_where_its_item_is_asked_for() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise MemoryError("too little")

    with ahead(source()) as items:
        assert next(items) == 1
        with pytest.raises(MemoryError, match="too little"):
            next(items)
        assert list(items) == []
    assert not threads()


def test_a_block_that_is_left_early_closes_the_source() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    with ahead(source()) as items:
        next(items)
    assert closed.is_set()
    assert not threads()


def test_once_makes_a_result_once() -> None:
    calls = []

    @once
    def slow(x: int) -> int:
        calls.append(x)
        time.sleep(0.05)
        if len(calls) == 1:
            raise OSError
        return x

    with pytest.raises(OSError):  # noqa: PT011
        slow(3)
    workers = [threading.Thread(target=slow, args=(3,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert calls == [3, 3]
    assert slow(3) == 3
