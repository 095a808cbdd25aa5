"""Threads share parts of a piece of work, each part once, and an interrupt hangs none of them."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from latentpress.runtimes.native.team import Team


def helpers() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name == "latentpress layer"}


@pytest.mark.parametrize(("size", "parts"), [(1, 1), (3, 1), (3, 2), (3, 3), (2, 40), (1, 5)])
def test_each_part_is_done_once(size: int, parts: int) -> None:
    team = Team(size)
    for _ in range(50):
        done: list[int] = []
        team.share(done.append, parts)
        assert sorted(done) == list(range(parts))


def test_parts_are_done_side_by_side_and_part_0_by_the_one_that_asks() -> None:
    together = threading.Barrier(3, timeout=10)
    names = {}

    def work(part: int) -> None:
        together.wait()  # fails unless three threads are here at a time
        names[part] = threading.current_thread().name

    Team(3).share(work, 3)
    assert names == {
        0: threading.current_thread().name,
        1: "latentpress layer",
        2: "latentpress layer",
    }


def test_nobody_waits_for_a_thread_that_is_busy_elsewhere() -> None:
    team = Team(2)
    begun, let_go = threading.Event(), threading.Event()

    def long(part: int) -> None:
        if part:
            begun.set()
        (let_go if part else begun).wait(10)

    with ThreadPoolExecutor(1) as other:
        busy = other.submit(team.share, long, 2)
        assert begun.wait(10)
        done: list[int] = []
        team.share(done.append, 4)
        assert sorted(done) == [0, 1, 2, 3]
        assert not busy.done()
        let_go.set()


@pytest.mark.parametrize("part", [0, 1])
def test_what_a_part_raises_is_raised_where_the_work_is_shared(part: int) -> None:
    team = Team(2)

    def work(i: int) -> None:
        if i == part:
            raise MemoryError("too little")

    with pytest.raises(MemoryError, match="too little"):
        team.share(work, 2)
    done: list[int] = []
    team.share(done.append, 2)
    assert sorted(done) == [0, 1]


def test_threads_start_when_they_are_needed_and_end_with_the_team() -> None:
    others = set(helpers())  # of other tests
    team = Team(3)
    team.share(lambda part: None, 1)
    assert not helpers() - others
    team.share(lambda part: None, 2)
    own = helpers() - others
    assert len(own) == 2
    del team
    for thread in own:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="tells no cores of a process")
def test_a_process_that_may_use_few_cores_has_as_few_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {5, 9})
    assert Team(0).size == 2


AT_ANY_LINE = """
import random
import signal
import time

from latentpress.runtimes.native.team import Team


class Interrupted(BaseException):
    pass


def interrupt(signum, frame):
    raise Interrupted


def work(part):
    end = time.perf_counter() + 1e-5
    while time.perf_counter() < end:
        pass


signal.signal(signal.SIGALRM, interrupt)
rng = random.Random(0)
interrupted = 0
for i in range(2000):
    if i % 10 == 0:
        team = Team(3)
        team.share(work, 3)  # the threads start; what waits for that is the standard library's
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-5 + rng.random() * 1e-3)
        while True:
            team.share(work, 3)
    except Interrupted:
        interrupted += 1
print(interrupted)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_at_any_line_hangs_nothing_and_is_never_another_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_ANY_LINE], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "2000\n")
