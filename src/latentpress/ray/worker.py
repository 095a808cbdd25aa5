"""What a worker has: its share of the machine, and the pictures of a batch one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from latentpress.collection.faults import FAULTS, describe
from latentpress.errors import LatentpressError, UsageError
from latentpress.ray.batches import ERROR, Batch, errors_of, rows_of, with_columns
from latentpress.runtimes.threads import limited_to

Made = TypeVar("Made", bound=dict[str, Any])


def resources() -> dict[str, float]:
    """What Ray has given to this worker, as {"CPU": 1.0}; {} outside of one, also in the driver."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return {}
    context = ray.get_runtime_context()
    if context.worker.mode != ray.WORKER_MODE:
        return {}
    given: dict[str, float] = context.get_assigned_resources()
    return given


def share(device: str) -> tuple[int, str]:
    """The threads of the model, 0 for all cores, and its device: cuda for auto where the worker
    was given a GPU.
    """
    given = resources()
    if not given:
        return 0, device
    threads = max(1, int(given.get("CPU", 0)))
    return threads, "cuda" if device == "auto" and given.get("GPU") else device


def each(
    batch: Batch,
    column: str,
    work: Callable[[Any], dict[str, Any]],
    empty: dict[str, Any],
    threads: int,
    keep: bool,
) -> Batch:
    """The batch with what `work` makes of each value of a column, and the column `error`.

    A row that fails gets the values of `empty` and a sentence, and so does a row that has one
    already, on which nothing is done.
    """
    columns: dict[str, list[Any]] = {name: [] for name in (*empty, ERROR)}
    with limited_to(threads):
        for value, earlier in zip(rows_of(batch, column), errors_of(batch), strict=False):
            error, made = earlier, empty
            if not error:
                try:
                    if value is None:
                        raise LatentpressError(f"the column {column!r} has no value here")
                    made = work(value)
                except UsageError:
                    raise
                except FAULTS as fault:
                    error, made = sentence(fault), empty
            for name, one in {**made, ERROR: error}.items():
                columns[name].append(one)
    return with_columns(batch, columns, "" if keep else column)


def sentence(error: BaseException) -> str:
    """Any of FAULTS as one sentence."""
    return str(error) if isinstance(error, LatentpressError) else str(describe("the row", error))
