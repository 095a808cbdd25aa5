"""Several files in work at a time, one a thread: an endless stream of them, few taken ahead, the
pixels in work bounded, and an end soon where the command is interrupted.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from latentpress.runtimes.threads import MOST_THREADS, Canceled, canceled_by, limited_to
from latentpress.system.environment import usable_cores, whole_number

A = TypeVar("A")
T = TypeVar("T")
PIXELS_IN_WORK = 100_000_000  # together; a file that has more is worked on alone
SAMPLE = 64  # files whose sizes are looked at before the work begins
WAITS = 8  # results a thread that may wait to be taken
PATIENCE = 10.0  # seconds that work may go on once it is to end


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


class Pool(Generic[A, T]):
    """Threads that call `work` for each item, once, beginning in order.

    A signal's handler may raise in the thread that takes the results, at any line. That thread
    therefore waits on nothing that is written in Python, such as a Condition, which may be left
    locked, or unlocked too early, where its own lines are interrupted.

    Args:
        work: of an item; what it raises is raised where its result is asked for.
        items: taken one by one, as threads are free for them. What taking one raises, or `pixels`
            of it, ends the stream, and is raised after the results of those before it.
        jobs: threads of the pool.
        threads: that the model has for each of them.
        pixels: of an item.
        in_order: whether results come in the order of the items, or as they are ready.
    """

    def __init__(
        self,
        work: Callable[[A], T],
        items: Iterable[A],
        jobs: int,
        threads: int,
        pixels: Callable[[A], int],
        in_order: bool = True,
    ) -> None:
        self._work = work
        self._items = iter(items)
        self._each = threads
        self._pixels = pixels
        self._in_order = in_order
        self._results: deque[tuple[A, Future[T]]] = deque()  # begun, and not yet taken
        self._in_work = 0
        self._most = jobs * (WAITS + 1)
        self._is_used_up = False
        self._failure: BaseException | None = None
        self._stopped = threading.Event()
        self._end_of_patience = math.inf  # of `time.monotonic`, once it is to end
        self._lock = threading.RLock()  # only the thread that holds it can let it go
        self._changed = threading.Condition(self._lock)  # the threads of the pool wait on it
        self._bell = SimpleQueue[None]()  # the one that takes the results waits on it
        self._taking = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, name=f"latentpress {i}", daemon=True)
            for i in range(jobs)
        ]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[tuple[A, Future[T]]]:
        """Each item with a finished future."""
        while (found := self._finished()) is not None:
            yield found
        if self._failure is not None:
            raise self._failure

    def finished(self) -> Iterator[tuple[A, T]]:
        """What is done and was not taken, of a pool that was stopped."""
        for item, result in self._results:
            if result.done() and result.exception() is None:
                yield item, result.result()

    def _finished(self) -> tuple[A, Future[T]] | None:
        while True:
            # no `with`, which Python 3.14 can interrupt between taking a lock and its block
            try:
                self._lock.acquire()
                ready = next((p for p in self._candidates() if p[1].done()), None)
                if ready is not None:
                    self._results.remove(ready)
                    self._changed.notify_all()
                    return ready
                if self._is_used_up and not self._results:
                    return None
            finally:
                try:  # noqa: SIM105  suppress() could be interrupted itself
                    self._lock.release()
                except RuntimeError:  # it was not taken
                    pass
            with suppress(Empty):  # a signal is noticed in between
                self._bell.get(timeout=0.5)

    def _candidates(self) -> Iterable[tuple[A, Future[T]]]:
        return list(self._results)[:1] if self._in_order else self._results

    def stop(self) -> None:
        """End the work that is not done, each thread before its next graph, and wait for that, but
        not for ever, nor longer where it is asked for again: a thread may wait itself, for a pipe
        that nobody writes or a share that is gone.
        """
        with self._lock:
            self._end_of_patience = min(self._end_of_patience, time.monotonic() + PATIENCE)
            self._stopped.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, self._end_of_patience - time.monotonic()))

    def _run(self) -> None:
        try:
            with limited_to(self._each), canceled_by(self._stopped):
                while (taken := self._take()) is not None:
                    self._one(*taken)
        except Canceled:
            pass

    def _take(self) -> tuple[A, Future[T], int] | None:
        """The next item and its pixels, as soon as it may be worked on; None at the end."""
        with self._taking:  # one thread after the other waits for room, so that the order stays
            with self._lock:
                self._changed.wait_for(
                    lambda: self._stopped.is_set() or len(self._results) < self._most
                )
                if self._stopped.is_set() or self._is_used_up:
                    return None
            try:
                item = next(self._items)
                size = self._pixels(item)
            except StopIteration:
                self._end(None)
                return None
            except BaseException as error:
                self._end(error)
                return None
            result = Future[T]()
            with self._lock:
                self._results.append((item, result))
                self._changed.wait_for(lambda: self._stopped.is_set() or self._has_room(size))
                if self._stopped.is_set():
                    return None
                self._in_work += size
            return item, result, size

    def _end(self, failure: BaseException | None) -> None:
        with self._lock:
            self._failure = failure
            self._is_used_up = True
            self._tell()

    def _tell(self) -> None:
        """Wake all who wait; the lock is held."""
        self._changed.notify_all()
        if self._bell.empty():
            self._bell.put(None)

    def _has_room(self, size: int) -> bool:
        return self._in_work == 0 or self._in_work + size <= PIXELS_IN_WORK

    def _one(self, item: A, result: Future[T], size: int) -> None:
        try:
            result.set_result(self._work(item))
        except Canceled:
            raise
        except BaseException as error:
            result.set_exception(error)
        finally:
            with self._lock:
                self._in_work -= size
                self._tell()
