"""Threads that share a piece of work with the one that has it to do."""

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread

from latentpress.system.environment import usable_cores

Work = Callable[[int], None]


class Team:
    """Threads that wait for parts of what others have to do, started when they are first asked.

    A signal's handler may raise in the thread that asks, at any line. That thread therefore waits
    on nothing that is written in Python, such as a Future, whose lock may be left locked where its
    own lines are interrupted; and no thread of the team keeps the process from ending.

    size: with the thread that asks; 0 for all cores that this process may use.
    """

    def __init__(self, size: int) -> None:
        self.size = size or usable_cores()
        self._asked = SimpleQueue["_Shared | None"]()
        self._starting = Lock()
        self._threads = 0

    def __del__(self) -> None:
        for _ in range(self._threads):
            self._asked.put(None)

    def share(self, work: Work, parts: int) -> None:
        """Call work(0) to work(parts - 1), each once, and wait for all: part 0 in this thread,
        others in those of the team, and here what none of them has begun when part 0 is done.

        work: holds what it uses, for others are still at it where this thread is interrupted. What
        it raises is raised here.
        """
        if parts == 1:
            return work(0)
        self._start()
        shared = _Shared(work, parts)
        for _ in range(1, parts):
            self._asked.put(shared)
        work(0)
        while shared.do_one():
            pass
        for _ in range(1, parts):
            if (error := shared.done.get()) is not None:
                raise error

    def _start(self) -> None:
        with self._starting:
            while self._threads < self.size - 1:
                self._threads += 1
                Thread(
                    target=_help, args=(self._asked,), name="latentpress layer", daemon=True
                ).start()


class _Shared:
    """Parts that wait for a thread. done: of each that is done, what it raised in the team."""

    def __init__(self, work: Work, parts: int) -> None:
        self._work = work
        self._waiting = deque(range(1, parts))
        self.done = SimpleQueue[BaseException | None]()

    def do_one(self) -> bool:
        """Do a part that nobody has begun; whether there was one."""
        try:
            part = self._waiting.popleft()
        except IndexError:
            return False
        self._work(part)
        self.done.put(None)
        return True


def _help(asked: "SimpleQueue[_Shared | None]") -> None:
    """Do what the team is asked for, until it is no more."""
    while (shared := asked.get()) is not None:
        try:
            shared.do_one()
        except BaseException as error:
            shared.done.put(error)
        del shared  # what the one that asked lets go, this thread does not hold
