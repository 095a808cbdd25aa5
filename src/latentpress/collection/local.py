"""The engine of one machine: threads of this process."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from itertools import chain, islice

from latentpress.collection.pool import SAMPLE, Pool, sharing
from latentpress.collection.unit import Row, Task, Unit


@dataclass(frozen=True)
class LocalEngine:
    """Threads. jobs: units in work at a time; None for what keeps the cores busy."""

    jobs: int | None = None

    def map(self, task: Task, units: Iterable[Unit]) -> Generator[tuple[Unit, list[Row]]]:
        """As of Engine."""
        stream = iter(units)
        first = list(islice(stream, SAMPLE))
        jobs = 1 if self.jobs is None and task.works_alone(first) else self.jobs
        sample = [task.pixels(unit) for unit in first] if jobs is None else []
        many = len(first) if len(first) < SAMPLE else sys.maxsize  # that nobody has counted
        at_once, threads = sharing(jobs, many, sample)
        pool = Pool(task, chain(first, stream), at_once, threads, task.pixels, in_order=False)
        try:
            for unit, rows in pool.results():
                yield unit, rows.result()
        except GeneratorExit:
            raise
        except BaseException:  # the end of the run: what is done is told of
            pool.stop()
            yield from pool.finished()
            raise
        finally:
            pool.stop()
