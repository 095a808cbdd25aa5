"""One quality for all pictures of a collection, under a limit for the bytes of all its files."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from latentpress.collection.archives import is_table, size_of_shard
from latentpress.collection.faults import ENDING, naming, sentence
from latentpress.collection.find import is_archive
from latentpress.collection.manifest import fingerprint, open_manifest
from latentpress.collection.pool import SAMPLE, Pool, sharing
from latentpress.collection.request import Request
from latentpress.collection.tasks import Compress, failed, kept_store
from latentpress.collection.unit import Made, Row, Unit, joined
from latentpress.errors import LatentpressError, TargetError, UsageError
from latentpress.options import FIRST_EFFORT, QUALITY_UNIT, TOP_STEP
from latentpress.system.sources import Named
from latentpress.system.stores import open_store
from latentpress.system.tars import BLOCK
from latentpress.targets import Analyzed
from latentpress.targets.bracket import Sizes
from latentpress.targets.correction import SIZE_AIM, SIZE_NEAR

A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True)
class Content:
    """The pictures of a unit after their analysis. beside: bytes of its output that hold none of
    them. block: what the bytes of each are filled up to a multiple of. error: why it holds nothing,
    a sentence.
    """

    pictures: list[Analyzed]
    beside: int = 0
    block: int = 1
    error: str = ""

    def size(self, picture: Analyzed, step: int) -> int:
        """The bytes that a picture takes at a step of the quality grid."""
        return -(-len(picture.write(step)) // self.block) * self.block

    @property
    def pixels(self) -> int:
        """Of all pictures."""
        return sum(picture.pixels for picture in self.pictures)

    @property
    def has_layers(self) -> bool:
        """Whether a picture has a screen layer."""
        return any(picture.layer for picture in self.pictures)

    def smallest(self) -> Content:
        """The same with each picture as of `Analyzed.smallest`."""
        return replace(self, pictures=[picture.smallest() for picture in self.pictures])


@dataclass(frozen=True)
class Best:
    """What was found for a budget. asked: what to ask of each picture. failed: rows of the units
    that could not be read. These have no part in the budget, so that the run must not make them,
    even where they can be read by then.
    """

    asked: Request
    failed: list[Row]

    def left(self, units: Iterable[Unit | Row]) -> list[Unit | Row]:
        """The units with the rows of those that failed in their place."""
        rows = {row.source: row for row in self.failed}
        return [rows.get(unit.source, unit) for unit in units]

    def as_told(self) -> dict[str, object]:
        """As the manifest has it."""
        return {
            "quality": self.asked.quality,
            "smallest": self.asked.smallest,
            "failed": [row.source for row in self.failed],
        }


def best_request(
    units: Iterable[Unit | Row],
    task: Compress,
    limit: int,
    jobs: int | None = None,
    passed: Callable[[], None] = lambda: None,
    told: Callable[[str], None] = lambda sentence: None,
) -> Best:
    """What to ask of each picture: the best quality at which the outputs of all that can be read,
    files and .tar shards, have at most `limit` bytes together; 0 with the task's best effort where
    they have more. Where screen layers leave too little room, a picture is a photograph where that
    takes fewer bytes. Where no unit can be read nothing is searched, and all are in `failed`.

    Every picture is analyzed once, and its latent kept in a temporary file: 5 bytes a pixel. At
    efforts 7 to 9 the quality that effort 6 needs is the first guess; then all pictures are made,
    mostly twice. jobs: as of LocalEngine. passed: is called for every file that is analyzed or
    made, and for every picture that is tried. told: is called with a sentence where the best effort
    is more than was asked for.

    Raises:
        TargetError: even at quality 0 they have more.
        UsageError: there is no picture, or a table, whose size is not known before it is written.
    """
    found = [unit for unit in units if isinstance(unit, Unit)]
    for unit in found:
        if is_table(unit.key):
            raise UsageError(f"{unit.source}: a total size is for files and .tar shards")
    sample = found[:: -(-len(found) // SAMPLE) or 1]
    if jobs is None and task.works_alone(sample):
        jobs = 1
    jobs, threads = sharing(jobs, len(found), [task.pixels(unit) for unit in sample])

    def every(work: Callable[[A], T], items: Iterable[A], pixels: Callable[[A], int]) -> list[T]:
        pool = Pool(work, items, jobs, threads, pixels)
        try:
            done = []
            for _, future in pool.results():
                done.append(future.result())
                passed()
            return done
        finally:
            pool.stop()

    plain = task
    if task.options.optimizes_latent:
        plain = replace(task, options=replace(task.options, effort=FIRST_EFFORT - 1))
    contents = every(lambda unit: _content(unit, plain), found, task.pixels)
    both = zip(found, contents, strict=True)
    errors = [failed(unit, content.error) for unit, content in both if content.error]
    if not any(content.pictures for content in contents):
        if errors:
            return Best(task.asked, errors)
        raise UsageError("there is no picture to share the bytes among")

    def searched(contents: Sequence[Content], asked: Request) -> tuple[Request, int]:
        """What to ask of each picture, and the bytes of all that it leads to."""
        pictures = [(content, picture) for content in contents for picture in content.pictures]
        beside = sum(content.beside for content in contents)

        def measure(step: int) -> int:
            return beside + sum(
                every(lambda one: one[0].size(one[1], step), pictures, lambda one: one[1].pixels)
            )

        sizes = Sizes(measure)
        estimate = reduce(np.logaddexp, (picture.log_sizes() for _, picture in pictures))
        fixed = beside + sum(picture.fixed_bytes() for _, picture in pictures)
        step = sizes.within(limit, fixed, estimate)
        if task.options.optimizes_latent:

            def made(step: int) -> int:
                at_step = replace(task, asked=replace(asked, quality=step / QUALITY_UNIT))
                return sum(every(lambda unit: _size(unit, at_step), found, task.pixels))

            sizes = Sizes(made)
            step = _corrected(sizes, step, limit, estimate)
        return replace(asked, quality=step / QUALITY_UNIT), sizes.size(step)

    asked, least = searched(contents, task.asked)
    if least > limit and any(content.has_layers for content in contents):
        contents = every(Content.smallest, contents, lambda content: content.pixels)
        asked, least = searched(contents, replace(task.asked, smallest=True))
    if least > limit:
        words = f"these pictures do not fit into {limit:,} bytes: at quality 0 they have {least:,}"
        if not task.asked.best_effort:
            raise TargetError(words)
        told(words)
    return Best(asked, errors)


def _corrected(sizes: Sizes, step: int, limit: int, estimate: NDArray[np.float64]) -> int:
    """The step near another one whose files have at most `limit` bytes; 0 where there is none."""
    slope = max(estimate[-1] - estimate[0], 1e-3) / TOP_STEP
    while step and sizes.size(step) > limit:
        down = math.ceil(math.log(sizes.size(step) / (SIZE_AIM * limit)) / slope)
        step = max(step - down, 0)
    up = math.floor(math.log(SIZE_AIM * limit / max(1, sizes.size(step))) / slope)
    if sizes.size(step) < SIZE_NEAR * limit and up > 0:
        sizes.size(min(step + up, TOP_STEP))
    return max((s for s, size in sizes.sizes.items() if size <= limit), default=0)


def _content(unit: Unit, task: Compress) -> Content:
    """What a unit holds; nothing where it fails."""
    pictures: list[Analyzed] = []

    def analyzed(name: str, data: bytes) -> None:
        from latentpress.image.picture import read_picture

        options = task.options
        picture = read_picture(Named(data, name), strict=options.strict, strip=options.strip)
        pictures.append(Analyzed(picture, options, keep_pixels=False))

    def press(name: str, output: str, data: bytes) -> Made:
        analyzed(joined(unit.source, name), data)
        return Made(b"")

    try:
        if not is_archive(unit.key):
            analyzed(unit.source, kept_store(unit.root).read(unit.key))
            return Content(pictures)
        with naming(unit.source):
            beside = size_of_shard(unit, kept_store(unit.root), task.change(unit, press))
        return Content(pictures, beside, BLOCK)
    except ENDING:
        raise
    except Exception as fault:  # as of FileTask
        return Content([], error=sentence(unit.source, fault))


def _size(unit: Unit, task: Compress) -> int:
    """The bytes of a unit's output, 0 where it fails."""
    try:
        if not is_archive(unit.key):
            made = task.make(unit, kept_store(unit.root).read(unit.key))
            return len(made.data or b"")
        return size_of_shard(unit, kept_store(unit.root), task.change(unit, task.pressing(unit)))
    except ENDING:
        raise
    except Exception:  # as above
        return 0


def recorded(
    units: Iterable[Unit | Row], task: Compress, budget: Mapping[str, object]
) -> Best | None:
    """What an earlier run found for the same budget. None where none did, or where what could not
    be read then can be now.
    """
    told: Mapping[str, Any] | None = None
    try:
        for line in open_manifest(open_store(task.output), read_only=True).lines():
            found = line["run"].get("budget") if "run" in line else None
            if found and {key: found.get(key) for key in budget} == budget:
                told = found
        if told is None:
            return None
        asked = replace(task.asked, quality=float(told["quality"]), smallest=bool(told["smallest"]))
        sources = set(told["failed"])
    except (LatentpressError, AttributeError, KeyError, TypeError, ValueError):
        return None
    errors = []
    for unit in units:
        if isinstance(unit, Unit) and unit.source in sources:
            content = _content(unit, task)
            if not content.error:
                return None
            errors.append(failed(unit, content.error))
    return Best(asked, errors)


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
