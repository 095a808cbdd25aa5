"""What is made once though many ask: `system.once`."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from latentpress.system.once import cached_property, once


def test_threads_that_ask_at_once_get_one_result() -> None:
    made: list[int] = []

    @once
    def slow(number: int) -> list[int]:
        made.append(number)
        time.sleep(0.05)
        return [number]

    results: list[list[int]] = []
    threads = [threading.Thread(target=lambda: results.append(slow(3))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [3]
    assert all(r is results[0] for r in results)
    assert slow(4) == [4]


def test_what_failed_is_tried_again() -> None:
    calls: list[int] = []

    @once
    def fails_once() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise OSError
        return 7

    with pytest.raises(OSError):  # noqa: PT011  the first call's own
        fails_once()
    assert fails_once() == 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_does_not_wait_for_a_thread_that_it_lacks() -> None:
    begun, go_on = threading.Event(), threading.Event()

    @once
    def made() -> int:
        begun.set()
        go_on.wait(30)
        return 1

    thread = threading.Thread(target=made)
    thread.start()
    begun.wait(30)
    child = os.fork()
    if child == 0:
        go_on.set()  # of the copy
        signal.alarm(30)
        os._exit(made())
    _, status = os.waitpid(child, 0)
    go_on.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 1


class Slow:
    """Whose number takes until `go_on` is set."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    @cached_property
    def number(self) -> int:
        """1, made once."""
        self.begun.set()
        assert self.go_on.wait(30)
        return 1


def test_a_property_is_made_once_and_keeps_its_words() -> None:
    slow = Slow()
    slow.go_on.set()
    assert slow.number == 1
    slow.go_on.clear()
    assert slow.number == 1
    assert Slow.number.__doc__ == "1, made once."


@contextmanager
def while_another_is_made() -> Iterator[Slow]:
    """An object whose number is made at once, while a thread makes that of another one."""
    slow, quick = Slow(), Slow()
    quick.go_on.set()
    thread = threading.Thread(target=lambda: slow.number)
    thread.start()
    slow.begun.wait(30)
    yield quick
    slow.go_on.set()
    thread.join()


def test_a_property_does_not_wait_for_that_of_another_object() -> None:
    with while_another_is_made() as quick:
        other = threading.Thread(target=lambda: quick.number)
        other.start()
        other.join(10)
        is_done = not other.is_alive()
    assert is_done


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_property_in_a_forked_process_waits_for_no_thread_that_it_lacks() -> None:
    with while_another_is_made() as quick:
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            os._exit(quick.number)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
