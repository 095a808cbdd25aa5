"""The engine of many machines: a Ray cluster, whose workers do units as Ray tasks.

Ray says where a task runs and tells when its worker died. What is done then is decided here: a
unit is tried again, the last time alone on its machine, and what kills its worker each time is a
row with an error. Work that is done twice writes the same file twice, whole each time.
"""

from __future__ import annotations

import os
import posixpath
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from latentpress.collection.unit import Row, Task, Unit, joined
from latentpress.errors import UsageError
from latentpress.ray.cluster import Cluster, connected, uninterrupted
from latentpress.ray.work import Origin, is_local, work
from latentpress.system.stores import FolderStore

SAMPLE = 64  # units that are looked at before the work begins
MOST_UNITS = 16  # small ones that are sent together
MOST_BYTES = 32_000  # of units that are sent together; a larger one is sent alone
AHEAD = 2  # sendings a place of a worker, so that none waits for the next
ATTEMPTS = 4  # of a unit whose worker dies
SHARED_AFTER = 10.0  # seconds within which a shared folder shows what another machine wrote


@dataclass(frozen=True)
class Sent:
    """Units that one Ray task does. attempts: how often they were sent before."""

    units: tuple[Unit, ...]
    attempts: int = 0


@dataclass(frozen=True)
class RayEngine:
    """Workers of a Ray cluster: an engine of `latentpress.collection`.

    Args:
        address: of the cluster: "auto" for the one that runs on this machine or that RAY_ADDRESS
            names, or "HOST:6379"; None starts one on this machine for the run.
        jobs: units in work at a time; None for what keeps the cluster busy.
        cpus: CPUs that a unit takes, on so many threads its model runs; None for one, or a whole
            machine where the work on a picture takes all cores.
        gpus: GPUs that a unit takes; a part of one is possible.

    Raises:
        UsageError: Ray is not installed, or there is no cluster at the address.

    Example:
        >>> RayEngine("auto", gpus=0.5)
        RayEngine(address='auto', jobs=None, cpus=None, gpus=0.5)
    """

    address: str | None = None
    jobs: int | None = None
    cpus: int | None = None
    gpus: float = 0

    def map(self, task: Task, units: Iterable[Unit]) -> Generator[tuple[Unit, list[Row]]]:
        """As of Engine.

        Raises:
            UsageError: what the engine or the task asks for is not there, or local folders are not
                shared by the machines of the cluster.
        """
        stream = iter(units)
        first = list(islice(stream, SAMPLE))
        if not first:
            return
        with connected(self.address) as cluster:
            if self.gpus:
                cluster.check_gpus()
            whole = cluster.smallest_machine()
            alone = task.works_alone(first)
            cpus = self.cpus or (1 if self.gpus or not alone else whole)
            run = _Run(self, cluster, task, cpus, max(cpus, whole), alone)
            try:
                yield from run.results(chain(first, stream))
            except GeneratorExit:
                raise
            except BaseException:  # the end of the run: what is done is told of
                yield from run.finished()
                raise
            finally:
                run.stop()


class _Run:
    """One call of `map`. cpus: that a unit takes; whole: that the smallest machine has. alone: a
    unit is never sent with others.
    """

    def __init__(
        self, engine: RayEngine, cluster: Cluster, task: Task, cpus: int, whole: int, alone: bool
    ) -> None:
        self._engine = engine
        self._cluster = cluster
        self._task = task
        self._cpus = cpus
        self._whole = whole
        self._most_units = 1 if alone else MOST_UNITS
        self._origin = Origin.here()
        self._again: deque[Sent] = deque()
        self._in_work: dict[Any, Sent] = {}
        self._done: deque[tuple[Unit, list[Row]]] = deque()  # and not yet given
        self._seen: set[str] = set()  # machines whose outputs were seen here
        self._left: dict[str, str] = {}  # a folder in which a worker died -> an output there

    def results(self, units: Iterator[Unit]) -> Iterator[tuple[Unit, list[Row]]]:
        """The rows of each unit, as they come."""
        while True:
            self._fill(units)
            if not self._in_work:
                return
            for reference in self._cluster.finished(list(self._in_work)):
                self._take(reference, SHARED_AFTER)
                while self._done:
                    yield self._done.popleft()

    def finished(self) -> Iterator[tuple[Unit, list[Row]]]:
        """End the work; the rows of the units that are done and were not given."""
        for reference in self._cluster.cancel(list(self._in_work)):
            with suppress(Exception):  # of what was ended; why the run ends is known already
                self._take(reference, 0)
        yield from self._done

    def stop(self) -> None:
        """End the work that is not done, and remove what workers that died left of their files."""
        self._cluster.cancel(list(self._in_work))
        self._in_work.clear()
        for key in self._left.values():
            FolderStore(self._task.output).tidy(key)

    def _fill(self, units: Iterator[Unit]) -> None:
        """Send as many units as the cluster has places for, those first that are tried again."""
        places = self._cluster.places(self._cpus, self._engine.gpus) * AHEAD
        most = places if self._engine.jobs is None else self._engine.jobs
        while len(self._in_work) < most:
            sent = self._again.popleft() if self._again else self._next(units)
            if sent is None:
                return
            self._send(sent)

    def _next(self, units: Iterator[Unit]) -> Sent | None:
        """Units that are sent together; None at the end."""
        taken: list[Unit] = []
        size = 0
        while len(taken) < self._most_units and size < MOST_BYTES:
            unit = next(units, None)
            if unit is None:
                break
            taken.append(unit)
            size += unit.size
        return Sent(tuple(taken)) if taken else None

    def _send(self, sent: Sent) -> None:
        is_last = sent.attempts == ATTEMPTS - 1
        cpus = self._whole if is_last else self._cpus
        with uninterrupted():  # what is sent is known, so that it can be ended
            reference = self._cluster.submit(
                work, cpus, self._engine.gpus, self._task, sent.units, self._origin, self._cpus
            )
            self._in_work[reference] = sent

    def _take(self, reference: Any, patience: float) -> None:
        """Note the rows of units that are done; those whose worker died are sent again, one by one.
        patience: seconds, as of `_check_shared`. What ends the whole run is raised.
        """
        done, death = self._cluster.get(reference)
        if death is None:
            self._check_shared(done.node, done.rows, patience)
        with uninterrupted():
            sent = self._in_work.pop(reference)
            if death is None:
                self._done.extend(zip(sent.units, done.rows, strict=False))
                if rest := sent.units[len(done.rows) :]:
                    self._again.append(Sent(rest, sent.attempts))
        if death is None:
            if done.error is not None:
                raise done.error
            return
        if is_local(self._task.output):
            self._left |= {posixpath.dirname(unit.output): unit.output for unit in sent.units}
        if len(sent.units) > 1:
            self._again.extend(Sent((unit,)) for unit in sent.units)
        elif sent.attempts + 1 < ATTEMPTS:
            self._again.append(Sent(sent.units, sent.attempts + 1))
        else:
            [unit] = sent.units
            error = f"{unit.source}: {ATTEMPTS} workers died of it: {death}"
            row = Row(unit.source, unit.version, source_bytes=unit.size, error=error)
            self._done.append((unit, [row]))

    def _check_shared(self, node: str, rows: tuple[list[Row], ...], patience: float) -> None:
        """UsageError where a machine wrote into a local folder that is not this one's: what it
        wrote is not seen here within `patience` seconds.
        """
        if node in self._seen or not is_local(self._task.output):
            return
        files = [row for of_unit in rows for row in of_unit if not row.member]
        written = [row.output for row in files if row.output_bytes]
        if not written:
            return
        place = joined(self._task.output, written[0])
        end = time.monotonic() + patience
        while not os.path.exists(place):
            if time.monotonic() > end:
                raise UsageError(
                    f"the worker on {node} wrote {place}, and it is not there on this machine: on "
                    "several machines name a folder that all of them share, or a URL"
                )
            time.sleep(0.1)
        self._seen.add(node)
