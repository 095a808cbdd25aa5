"""Several files in work at a time: the order of the results, failures, bounds, and Ctrl-C."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from latentpress.cli import batch, terminal
from latentpress.cli.app import app
from latentpress.collection import pool
from latentpress.collection.local import LocalEngine
from latentpress.collection.unit import Row, Unit
from latentpress.errors import ImageError
from latentpress.image import limits
from latentpress.runtimes.threads import check_canceled, threads


@pytest.fixture(autouse=True)
def on_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_RUNTIME", "onnxruntime")


def test_results_come_in_order_and_failures_in_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LATENTPRESS_THREADS", raising=False)

    def work(i: int) -> int:
        time.sleep(0.02 * (3 - i % 4))
        if i == 2:
            raise ImageError("two")
        assert threads() == 3
        return i

    workers = pool.Pool(work, range(9), 4, 3, lambda i: 0)
    futures = [future for _, future in workers.results()]
    workers.stop()
    assert isinstance(futures.pop(2).exception(), ImageError)
    assert [f.result() for f in futures] == [0, 1, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("in_order", [True, False])
def test_an_endless_stream_is_taken_as_it_is_worked_on(in_order: bool) -> None:
    taken = itertools.count()
    workers = pool.Pool(lambda i: i, taken, 3, 1, lambda i: 0, in_order)
    found = [item for item, _ in itertools.islice(workers.results(), 500)]
    time.sleep(0.05)
    workers.stop()
    assert next(taken) <= 500 + 3 * (pool.WAITS + 1) + 3
    assert sorted(found)[:400] == list(range(400))
    assert not in_order or found == list(range(500))


def test_more_are_in_work_than_are_looked_at_before() -> None:
    class Task:
        together = threading.Barrier(pool.SAMPLE + 1, timeout=30)

        def pixels(self, unit: Unit) -> int:
            return 0

        def works_alone(self, units: Any) -> bool:
            return False

        def __call__(self, unit: Unit) -> list[Row]:
            self.together.wait()
            return []

    units = [Unit(".", str(i), "", "", 0) for i in range(pool.SAMPLE + 1)]
    assert len(list(LocalEngine(len(units)).map(Task(), units))) == len(units)


def test_a_size_that_cannot_be_told_ends_the_stream() -> None:
    def pixels(i: int) -> int:
        if i == 2:
            raise ImageError("the folder is gone")
        return 0

    workers = pool.Pool(lambda i: i, range(9), 1, 1, pixels)
    results = workers.results()
    assert [next(results)[0], next(results)[0]] == [0, 1]
    with pytest.raises(ImageError, match="the folder is gone"):
        next(results)
    workers.stop()


def test_what_taking_an_item_raises_comes_after_the_results_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(20)
        raise ImageError("the folder is gone")

    workers = pool.Pool(lambda i: i, items(), 3, 1, lambda i: 0, in_order=False)
    results = workers.results()
    assert sorted(item for item, _ in itertools.islice(results, 20)) == list(range(20))
    with pytest.raises(ImageError, match="gone"):
        next(results)
    workers.stop()


@pytest.mark.parametrize("large", [40_000_000, 150_000_000])
def test_the_pixels_in_work_are_bounded(large: int) -> None:
    sizes = [large if i % 3 == 0 else 10_000_000 for i in range(12)]
    lock, now, most = threading.Lock(), [0], [0]

    def work(i: int) -> None:
        with lock:
            now[0] += sizes[i]
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= sizes[i]

    workers = pool.Pool(work, range(12), 6, 1, sizes.__getitem__)
    assert len(list(workers.results())) == 12
    workers.stop()
    assert most[0] <= max(large, pool.PIXELS_IN_WORK)


def test_a_stop_ends_the_work_before_its_next_graph() -> None:
    begun, ended = threading.Barrier(4), []

    def work(i: int) -> None:
        begun.wait(60)
        try:
            while True:
                time.sleep(0.005)
                check_canceled()  # as before every graph
        finally:
            ended.append(i)

    before = set(threading.enumerate())  # a runtime of another test may have some
    workers = pool.Pool(work, range(50), 3, 1, lambda i: 0)
    begun.wait(60)
    workers.stop()
    assert sorted(ended) == [0, 1, 2]
    assert set(threading.enumerate()) <= before


def test_cores_are_shared_by_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_THREADS", "8")
    assert pool.sharing(None, 100, [400_000] * 9) == (8, 1)
    assert pool.sharing(None, 3, [400_000] * 3) == (3, 2)
    assert pool.sharing(None, 100, [24_000_000] * 9) == (4, 2)
    assert pool.sharing(None, 100, [200_000_000] * 9) == (1, 8)
    assert pool.sharing(16, 100, []) == (16, 1)
    ones = [Path("a"), Path("b")]
    assert batch.shared(ones, 1, lambda p: 1, False) is batch.ALONE
    assert batch.shared(ones, None, lambda p: 1, True) is batch.ALONE
    assert batch.shared(ones, 2, lambda p: 1, True).jobs == 2


def test_a_folder_by_several_jobs_is_that_by_one(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    files = [tmp_path / f"{i}.png" for i in range(5)]
    for i, file in enumerate(files):
        Image.fromarray(np.roll(small, 3 * i, 0)).save(file)
    files[2].write_bytes(b"no picture")
    runs = {}
    for jobs in "13":
        out = tmp_path / jobs
        result = CliRunner().invoke(
            app, ["compress", *map(str, files), "-o", f"{out}/", "--jobs", jobs]
        )
        assert result.exit_code == 1
        back = CliRunner().invoke(
            app, ["decompress", *map(str, sorted(out.glob("*.ltp"))), "--jobs", jobs]
        )
        assert back.exit_code == 0
        runs[jobs] = (
            result.stdout.replace(str(out), ""),
            result.stderr,
            back.stdout.replace(str(out), ""),
            {p.name: p.read_bytes() for p in sorted(out.iterdir())},
        )
    assert runs["1"] == runs["3"]
    assert len(runs["1"][3]) == 8


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_ends_at_once_and_leaves_whole_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{i:02}.png" for i in range(40)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)).save(file)
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "latentpress",
        "compress",
        *map(str, files),
        "-o",
        f"{out}/",
        "--jobs",
        "2",
    ]
    # a job in the background starts with SIGINT ignored
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "latentpress: interrupted; finished files are kept\n"
    left = sorted(out.iterdir())
    assert 1 <= len(left) < 40
    assert {p.suffix for p in left} == {".ltp"}
    for path in left:
        assert CliRunner().invoke(app, ["info", str(path)]).exit_code == 0


AT_ANY_LINE = """
import random
import signal
import sys
import time

from latentpress.collection.pool import Pool
from latentpress.system.ahead import ahead


class Interrupted(BaseException):
    pass


def interrupt(signum, frame):
    raise Interrupted


def work(i):
    end = time.perf_counter() + 1e-4
    while time.perf_counter() < end:
        pass


def pool():
    workers = Pool(work, range(40), 2, 1, lambda i: 0)
    try:
        yield
        for _, future in workers.results():
            future.result()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        workers.stop()


def one_ahead():
    try:
        with ahead(map(work, range(40))) as items:
            yield
            for _ in items:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


signal.signal(signal.SIGALRM, interrupt)
rng = random.Random(0)
interrupted = 0
for _ in range(1000):
    run = {"pool": pool, "ahead": one_ahead}[sys.argv[1]]()
    next(run)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-5 + rng.random() * 6e-3)
        next(run, None)
    except Interrupted:
        interrupted += 1
print(interrupted)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("what", ["pool", "ahead"])
def test_an_interrupt_at_any_line_hangs_nothing_and_is_never_another_error(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_ANY_LINE, what], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert 100 < int(done.stdout) <= 1000


@pytest.mark.parametrize("lock", [terminal.voice.lock, limits._lock])
def test_a_thread_that_was_interrupted_can_take_the_lock_again(lock: Any) -> None:
    with lock:  # as Python 3.14 may leave it
        assert lock.acquire(blocking=False)
        lock.release()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_what_fails_after_an_interrupt_is_the_interrupt(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from latentpress.cli import app, batch

def work(source, target):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            pass
    finally:
        raise RuntimeError("release unlocked lock")

signal.signal(signal.SIGINT, signal.default_int_handler)
app.application = lambda command: lambda **_: batch.run([0, 1], [0, 1], work, False)
app.main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "latentpress: interrupted; finished files are kept\n"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("pause", "is_tidy"), [(0.0, True), (0.5, False)])
def test_a_second_interrupt_ends_the_process_unless_it_is_an_echo(
    pause: float, is_tidy: bool
) -> None:
    program = """
import os, signal, sys, time
from latentpress.cli import interrupts
interrupts.ECHO_SECONDS = 0.3
signal.signal(signal.SIGINT, signal.default_int_handler)
interrupts.listen()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
finally:
    time.sleep(float(sys.argv[1]))
    os.kill(os.getpid(), signal.SIGINT)
    print("tidy", flush=True)
    os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(pause)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == ((0, "tidy\n") if is_tidy else (130, ""))


def test_an_end_that_is_asked_for_twice_waits_as_long_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where a run is interrupted: it asks, tells what was done meanwhile, and is closed."""
    now, waits, written = [100.0], list[float](), threading.Event()
    workers = pool.Pool(lambda i: written.wait(), range(2), 2, 1, lambda i: 0)
    for thread in workers._threads:
        monkeypatch.setattr(thread, "join", waits.append)
    monkeypatch.setattr(pool.time, "monotonic", lambda: now[0])
    workers.stop()
    now[0] += pool.PATIENCE - 1
    workers.stop()
    written.set()
    assert waits == [pool.PATIENCE, pool.PATIENCE, 1, 1]


def test_the_end_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PATIENCE", 0.2)
    written = threading.Event()  # as a pipe that nobody writes
    workers = pool.Pool(lambda i: written.wait(), range(2), 2, 1, lambda i: 0)
    begin = time.monotonic()
    workers.stop()
    assert time.monotonic() - begin < 5
    written.set()
