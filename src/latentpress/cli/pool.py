"""Several files in work at a time, one a thread: their results in the order of the files, the
pixels in work bounded, and an end soon where the command is interrupted.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from latentpress.runtimes.threads import MOST_THREADS, Cancelled, cancelled_by, limited_to
from latentpress.system.environment import usable_cores, whole_number

T = TypeVar("T")
PIXELS_IN_WORK = 100_000_000  # together; a file that has more is worked on alone
SAMPLE = 64  # files whose sizes are looked at before the work begins
WAITS = 8  # results a thread that may wait for the one before them


def sharing(jobs: int | None, many: int, pixels: Sequence[int]) -> tuple[int, int]:
    """How many files are in work at a time, and how many threads the model has for each.

    Args:
        jobs: what --jobs asks for; None for what keeps the cores busy.
        many: files.
        pixels: of a sample of the files, 0 where that is not known.
    """
    cores = whole_number("LATENTPRESS_THREADS", 0, 0, MOST_THREADS) or usable_cores()
    if jobs is None:
        middle = sorted(pixels)[len(pixels) // 2] if pixels else 0
        jobs = min(cores, PIXELS_IN_WORK // max(1, middle))
    jobs = max(1, min(jobs, many))
    return jobs, max(1, cores // jobs)


class Pool(Generic[T]):
    """Threads that call `work` for 0 to many - 1, each number once, in order.

    Args:
        work: of a number; what it raises is raised where its result is asked for.
        many: numbers.
        jobs: threads of the pool.
        threads: that the model has for each of them.
        pixels: of a number.
    """

    def __init__(
        self,
        work: Callable[[int], T],
        many: int,
        jobs: int,
        threads: int,
        pixels: Callable[[int], int],
    ) -> None:
        self._work = work
        self._each = threads
        self._pixels = pixels
        self._results = [Future[T]() for _ in range(many)]
        self._next = self._taken = self._in_work = 0
        self._ahead = jobs * WAITS
        self._stopped = threading.Event()
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, name=f"latentpress {i}", daemon=True)
            for i in range(jobs)
        ]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[Future[T]]:
        """A finished future of each number, in order."""
        for i, result in enumerate(self._results):
            while not result.done():
                with self._changed:
                    self._changed.wait_for(result.done, timeout=0.5)
            with self._changed:
                self._taken = i + 1
                self._changed.notify_all()
            yield result

    def stop(self) -> None:
        """End the work that is not done, each thread before its next graph, and wait for that."""
        with self._changed:
            self._stopped.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            with limited_to(self._each), cancelled_by(self._stopped):
                while (taken := self._take()) is not None:
                    self._one(*taken)
        except Cancelled:
            pass

    def _take(self) -> tuple[int, int] | None:
        """The next number and its pixels, as soon as it may be worked on; None at the end."""
        with self._changed:
            i = self._next
            if i >= len(self._results):
                return None
            self._next += 1
        size = self._pixels(i)
        with self._changed:
            self._changed.wait_for(lambda: self._stopped.is_set() or self._has_room(i, size))
            if self._stopped.is_set():
                return None
            self._in_work += size
        return i, size

    def _has_room(self, i: int, size: int) -> bool:
        fits = self._in_work == 0 or self._in_work + size <= PIXELS_IN_WORK
        return fits and i < self._taken + self._ahead

    def _one(self, i: int, size: int) -> None:
        try:
            self._results[i].set_result(self._work(i))
        except Cancelled:
            raise
        except BaseException as error:
            self._results[i].set_exception(error)
        finally:
            with self._changed:
                self._in_work -= size
                self._changed.notify_all()
