"""One quality for all pictures of a collection, under a limit for the bytes of all its files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import TypeVar

import numpy as np

from latentpress.collection.archives import is_archive
from latentpress.collection.faults import ENDING, Named
from latentpress.collection.manifest import fingerprint, open_manifest
from latentpress.collection.pool import SAMPLE, Pool, sharing
from latentpress.collection.tasks import Compress, kept_store
from latentpress.collection.unit import Row, Unit
from latentpress.errors import LatentpressError, TargetError, UsageError
from latentpress.options import QUALITY_UNIT
from latentpress.system.stores import open_store
from latentpress.targets import Analyzed
from latentpress.targets.bracket import Sizes

A = TypeVar("A")
T = TypeVar("T")


def best_quality(
    units: Iterable[Unit | Row],
    task: Compress,
    limit: int,
    jobs: int | None = None,
    passed: Callable[[], None] = lambda: None,
) -> float:
    """The best quality at which the files of all pictures that can be read have at most `limit`
    bytes together; 0 with the task's best effort where they have more.

    Every picture is analyzed once, and its latent kept in a temporary file: 5 bytes a pixel. jobs:
    as of LocalEngine. passed: is called for every picture that is analyzed or tried.

    Raises:
        TargetError: even at quality 0 they have more.
        UsageError: the effort is above 6, or there is no picture.
    """
    if task.options.optimizes_latent:
        raise UsageError("a total size of folders can be had with the efforts 0 to 6")
    found = [unit for unit in units if isinstance(unit, Unit)]
    for unit in found:
        if is_archive(unit.key):
            raise UsageError(f"{unit.source}: a total size is for pictures that are files")
    sample = found[:: -(-len(found) // SAMPLE) or 1]
    if jobs is None and task.works_alone(sample):
        jobs = 1
    jobs, threads = sharing(jobs, len(found), [task.pixels(unit) for unit in sample])

    def every(work: Callable[[A], T], items: Sequence[A], pixels: Callable[[A], int]) -> list[T]:
        pool = Pool(work, items, jobs, threads, pixels)
        try:
            done = []
            for _, future in pool.results():
                done.append(future.result())
                passed()
            return done
        finally:
            pool.stop()

    analyzed = every(lambda unit: _analyzed(unit, task), found, task.pixels)
    pictures = [picture for picture in analyzed if picture is not None]
    if not pictures:
        raise UsageError("there is no picture to share the bytes among")

    def measure(step: int) -> int:
        return sum(every(lambda p: len(p.write(step)), pictures, lambda p: p.pixels))

    sizes = Sizes(measure)
    estimate = reduce(np.logaddexp, (picture.log_sizes() for picture in pictures))
    step = sizes.within(limit, sum(picture.fixed_bytes() for picture in pictures), estimate)
    if (least := sizes.size(step)) > limit and not task.asked.best_effort:
        raise TargetError(
            f"these pictures do not fit into {limit:,} bytes: at quality 0 they have {least:,}"
        )
    return step / QUALITY_UNIT


def _analyzed(unit: Unit, task: Compress) -> Analyzed | None:
    """A picture after its analysis; None where that fails, for the run tells why."""
    from latentpress.image.picture import read_picture

    options = task.options
    try:
        data = kept_store(unit.root).read(unit.key)
        picture = read_picture(Named(data, unit.source), strict=options.strict, strip=options.strip)
        return Analyzed(picture, options, keep_pixels=False)
    except ENDING:
        raise
    except Exception:  # whatever it is, the run tells it
        return None


def recorded(folder: str, budget: Mapping[str, object]) -> float | None:
    """The quality that an earlier run found for the same budget, None where none did."""
    found = None
    try:
        for line in open_manifest(open_store(folder), read_only=True).lines():
            told = line["run"].get("budget") if "run" in line else None
            if told and {**told, "quality": None} == {**budget, "quality": None}:
                found = float(told["quality"])
    except (LatentpressError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return found


def as_budget(limit: int, units: Iterable[Unit | Row], task: Compress) -> dict[str, object]:
    """What a quality is found for, as the manifest tells it: another one where a source came, went
    or changed, or where something else was asked.
    """
    found = hashlib.sha256()
    for unit in units:
        if isinstance(unit, Unit):
            found.update(f"{unit.output}\0{unit.version}\0".encode("utf-8", "surrogateescape"))
    asked = fingerprint({**task.request(), "quality": None})
    return {"total_size": limit, "of": found.hexdigest()[:16], "asked": asked}
