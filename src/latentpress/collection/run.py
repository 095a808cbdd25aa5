"""A run: what is found and not yet done is given to an engine, and what comes back is recorded."""

from __future__ import annotations

import json
import posixpath
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from latentpress.collection.find import without_collisions
from latentpress.collection.manifest import Earlier, as_line, fingerprint, open_manifest
from latentpress.collection.unit import Engine, Row, Task, Unit
from latentpress.errors import OutputError
from latentpress.system.stores import FolderStore, ObjectStore, Store, is_hidden, open_store


@dataclass
class Summary:
    """How a run went. made: outputs that were written; of these the bytes before and after.
    members: outputs within archives. kept: outputs of earlier runs, or that were there already.
    left: pictures whose output was not written on purpose. notices: sentences about what was lost.
    """

    made: int = 0
    members: int = 0
    kept: int = 0
    left: int = 0
    failed: int = 0
    notices: int = 0
    source_bytes: int = 0
    output_bytes: int = 0

    def add(self, row: Row) -> None:
        """Count a row."""
        self.notices += len(row.notices)
        if row.member:
            self.failed += bool(row.error)
            self.members += not row.error and row.output_bytes > 0
            return
        if row.error:
            self.failed += 1
        elif not row.output_bytes:
            self.left += 1
        else:
            self.made += 1
            self.source_bytes += row.source_bytes
            self.output_bytes += row.output_bytes


def run(
    found: Iterable[Unit | Row],
    task: Task,
    engine: Engine,
    *,
    record_in: str | None = None,
    header: dict[str, Any] | None = None,
    skip_existing: bool = False,
    verify: bool = False,
    told: Callable[[Row], None] = lambda row: None,
    passed: Callable[[], None] = lambda: None,
) -> Summary:
    """Do what is not done, and record it in a manifest.

    Args:
        found: units, and rows of what cannot be one.
        task: what is done with each unit.
        engine: who does it.
        record_in: the URL of the store that has the manifest, where it is not beside the outputs.
        header: what else the manifest's line of this run tells.
        skip_existing: an output that is there is taken as done, whatever it was made of.
        verify: an output that is done is read, compared with its checksum, and decoded, and its
            source is compared with its checksum.
        told: is called with every row that is recorded.
        passed: is called for every unit that is dealt with.

    Returns:
        How it went.

    Raises:
        OutputError: the manifest cannot be written, or the disk is full. What was recorded stays.
        UsageError: what was asked for cannot be done.
    """
    store = open_store(task.output)
    manifest = open_manifest(store if record_in is None else open_store(record_in))
    summary = Summary()
    request = fingerprint(task.request())
    earlier = Earlier(checksums=verify)
    refused: deque[Row] = deque()  # this and the next grow in a thread of the engine
    kept = 0
    unwritten: list[Row] = []

    def record(rows: list[Row]) -> None:
        unwritten.extend(rows)
        manifest.append(as_line(row, request) for row in rows)
        unwritten.clear()
        for row in rows:
            summary.add(row)
            told(row)

    def waiting() -> Iterator[Unit]:
        nonlocal kept
        tidy: set[str] = set()
        for item in without_collisions(found):
            if isinstance(item, Row):
                refused.append(item)
                continue
            if (
                isinstance(store, FolderStore)
                and (folder := posixpath.dirname(item.output)) not in tidy
            ):
                store.tidy(item.output)
                tidy.add(folder)
            there = size_there(item.output)
            recorded = earlier.size(item.output)
            is_same = recorded == (there or 0)
            is_done = earlier.is_done(item, request)
            is_there = is_done and there is not None
            checksum, made_of = earlier.checksums(item.output) if is_there else ("", "")
            if (is_done and is_same and not checksum) or (
                not is_done and there is not None and skip_existing
            ):
                kept += 1
                passed()
                continue
            # an empty file is what a machine that lost its power may leave of one
            is_ours = is_same or (recorded is not None and (verify or there == 0))
            # where the outputs were listed the worker need not look again
            is_ours = is_ours or (there is None and not isinstance(store, FolderStore))
            yield replace(item, replace=is_ours, expected=checksum, made_of=made_of)

    def flush() -> None:
        rows = [refused.popleft() for _ in range(len(refused))]
        if rows:
            record(rows)
        for _ in rows:
            passed()

    try:
        for line in manifest.lines():
            earlier.add(line)
        size_there = _sizes(store)
        plain = json.loads(json.dumps(task.request(), default=str))
        manifest.append([{"run": {**(header or {}), "request": request, "asked": plain}}])
        results = engine.map(task, waiting())
        try:
            for _, rows in results:
                flush()
                if rows:
                    record(rows)
                else:
                    summary.kept += 1
                passed()
        except BaseException as error:  # here, as of a signal; what is written by now is recorded
            with suppress(type(error)):
                unwritten += results.throw(error)[1]
                for _, rows in results:
                    unwritten += rows
            with suppress(OutputError):
                manifest.append(as_line(row, request) for row in unwritten)
            raise
        flush()
    finally:
        manifest.close()
        summary.kept += kept
    return summary


def _sizes(store: Store) -> Callable[[str], int | None]:
    """What tells the bytes of an output, None where there is none. Of an object store they are
    listed once, a thousand with a request, and two numbers for each kept; those that come later
    are this run's, and those that are not listed are asked for one by one.
    """

    def now(key: str) -> int | None:
        entry = store.entry(key)
        return None if entry is None else entry.size

    if isinstance(store, FolderStore):
        return now
    is_there = store.is_there() if isinstance(store, ObjectStore) else True
    sizes = {hash(entry.key): entry.size for entry in store.entries()} if is_there else {}
    return lambda key: now(key) if is_hidden(key) else sizes.get(hash(key))
