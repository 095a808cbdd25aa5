"""What is made once though many ask: `system.once`."""

import os
import signal
import threading
import time

import pytest

from latentpress.system.once import once


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
