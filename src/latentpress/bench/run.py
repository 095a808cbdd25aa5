"""A run: every codec at every setting on every picture, timed alone, then graded side by side.

For each codec a batch of pictures is compressed at its settings and decompressed in this process,
one at a time and with nothing else running, which gives the times; then the decoded pictures are
graded by a pool of processes, and their rows are written. The settings of a picture follow each
other, so that what metrics find in an original is computed once for all of them.
"""

import datetime
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from latentpress import __version__
from latentpress._typing import Pixels
from latentpress.bench import work
from latentpress.bench.codec_protocol import Codec
from latentpress.bench.datasets import Source, read_pixels
from latentpress.bench.latentpress_codec import OurCodec
from latentpress.bench.machine import machine, versions
from latentpress.bench.precomputed import Pictures
from latentpress.bench.results_folder import Store, alone_in
from latentpress.bench.rows import Row, Run, decoded, file_of, picture_of
from latentpress.errors import ImageError, LatentpressError, first_line, prefixed
from latentpress.image.formats import write_image
from latentpress.system.files import atomic_write

BATCH_PICTURES, BATCH_PIXELS = 24, 50_000_000  # decoded ones, which are held at a time

Cell = tuple[float, Source]  # a quality and a picture
Wanted = TypeVar("Wanted")


@dataclass(frozen=True)
class Plan:
    """What is asked for. codecs: with their qualities. repeats: of which the median is the time.
    jobs: processes that grade.
    """

    dataset: str
    sources: Sequence[Source]
    codecs: Sequence[tuple[Codec, Sequence[float]]]
    metrics: list[str]
    gray: bool = False
    repeats: int = 3
    jobs: int = 1
    command: str = ""
    # after every row: "avif q35 kodim01"
    on_cell: Callable[[str], None] = field(default=lambda text: None)
    # rows to make, rows there already
    on_start: Callable[[int, int], None] = field(default=lambda todo, done: None)


class Coded(NamedTuple):
    """One codec, setting and picture on the way to its row; times are None for folders of
    pictures.
    """

    source: Source
    setting: str
    size: int
    encode_s: float | None
    decode_s: float | None
    screen_share: float | None
    decoded: Pixels


class Grading(NamedTuple):
    """Metrics that a decoded picture is to be graded by."""

    source: Source
    codec: str
    setting: str
    decoded: Pixels
    metrics: list[str]


def run(plan: Plan, folder: Path) -> Run:
    """Make, or finish, the run in a folder. Whatever ends it early, finished rows are kept and the
    next call goes on from them.

    ImageError (or WeightsError) that names the picture, the codec and the setting where one fails:
    none is skipped. OutputError where another process is running into the folder.
    """
    requested = [
        (codec, quality, source)
        for codec, qualities in plan.codecs
        for source in plan.sources
        for quality in qualities
    ]
    cells = [
        (codec.name, codec.setting(quality), source.name) for codec, quality, source in requested
    ]
    with ExitStack() as stack:
        stack.enter_context(alone_in(folder))
        store = Store(folder, _info(plan), cells)
        missing = [
            each for each, cell in zip(requested, cells, strict=True) if not store.finished(cell)
        ]
        todo = len(missing) + len(store.ungraded)
        plan.on_start(todo, len(requested) - todo)
        stack.callback(store.save_parquet)
        workers = (
            stack.enter_context(_stopping(work.pool(plan.jobs))) if plan.jobs > 1 and todo else None
        )
        _grade_again(plan, store, workers)
        for codec, _ in plan.codecs:
            todo_of_codec = [
                (quality, source) for each, quality, source in missing if each is codec
            ]
            if todo_of_codec:
                _warm_up(codec, todo_of_codec[0][0], plan, store)
            for batch in batches(todo_of_codec):
                coded = _code(codec, batch, plan.repeats, folder)
                for row in _graded(codec, coded, plan, workers):
                    store.add(row)
                    plan.on_cell(f"{codec.name} {row['setting']} {row['image']}")
    return Run(folder, store.info, store.rows)


def _info(plan: Plan) -> dict[str, Any]:
    images = [
        {"name": s.name, "file": s.file, "width": s.width, "height": s.height, "sha256": s.sha256}
        for s in plan.sources
    ]
    return {
        "latentpress": __version__,
        "command": plan.command,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "dataset": plan.dataset,
        "images": images,
        "codecs": [codec.entry() for codec, _ in plan.codecs],
        "metrics": list(plan.metrics),
        "grey": plan.gray,
        "repeats": plan.repeats,
        "jobs": plan.jobs,
    }


def _warm_up(codec: Codec, quality: float, plan: Plan, store: Store) -> None:
    """Memory of the codec alone, on the largest picture; then one compression here, so that no time
    holds the loading of weights.
    """
    if isinstance(codec, Pictures):
        return
    largest = max(plan.sources, key=lambda source: source.width * source.height)
    entry = next(entry for entry in store.info["codecs"] if entry["name"] == codec.name)
    with _naming(largest, codec.name, codec.setting(quality)):
        if "peak_encode_mb" not in entry:
            entry.update(
                work.measure_memory(codec, largest.path, quality), memory_image=largest.name
            )
            store.save_info()
        if codec.kind != "external":
            codec.decode(codec.encode(read_pixels(plan.sources[0].path), quality))


def batches(
    cells: Iterable[tuple[Wanted, Source]],
) -> Iterator[list[tuple[Wanted, Source]]]:
    """Cells, as a quality and a picture, whose decoded pixels are held at a time."""
    batch: list[tuple[Wanted, Source]] = []
    pixels = 0
    for wanted, source in cells:
        pixels += source.width * source.height
        if batch and (len(batch) == BATCH_PICTURES or pixels > BATCH_PIXELS):
            yield batch
            batch = []
            pixels = source.width * source.height
        batch.append((wanted, source))
    if batch:
        yield batch


def _code(codec: Codec, batch: Sequence[Cell], repeats: int, folder: Path) -> list[Coded]:
    """Compress and decompress pictures, timed, and keep the files."""
    cells = []
    files = []
    for quality, source in batch:
        setting = codec.setting(quality)
        with _naming(source, codec.name, setting):
            if isinstance(codec, Pictures):
                cells.append(
                    Coded(
                        source,
                        setting,
                        codec.size(quality, source.name),
                        None,
                        None,
                        None,
                        codec.pixels(quality, source.name),
                    )
                )
                continue
            pixels = read_pixels(source.path)
            encodings = [work.timed(codec.encode, pixels, quality) for _ in range(repeats)]
            data = encodings[0][1]
            decodings = [work.timed(codec.decode, data) for _ in range(repeats)]
            files.append(file_of(folder, codec.entry(), setting, source.name))
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            atomic_write(files[-1], data, overwrite=True)
            decoded = decodings[0][1]
            if codec.kind == "external":
                from PIL import Image

                write_image(
                    Image.fromarray(decoded),
                    picture_of(folder, codec.entry(), setting, source.name),
                    overwrite=True,
                )
            encode_s, decode_s = (
                statistics.median(seconds for seconds, _ in results)
                for results in (encodings, decodings)
            )
            share = codec.screen_share(data)
            cells.append(Coded(source, setting, len(data), encode_s, decode_s, share, decoded))
    if isinstance(codec, OurCodec):
        with _naming(cells[0].source, codec.name, cells[0].setting):
            elsewhere = codec.decode_elsewhere(files)
        cells = [
            cell._replace(decoded=pixels) for cell, pixels in zip(cells, elsewhere, strict=True)
        ]
    return cells


def _graded(
    codec: Codec, cells: Sequence[Coded], plan: Plan, workers: work.Workers | None
) -> Iterator[Row]:
    """The rows of coded pictures, in order."""
    gradings = [
        Grading(cell.source, codec.name, cell.setting, cell.decoded, plan.metrics) for cell in cells
    ]
    for cell, values in zip(cells, _grades(gradings, plan.gray, workers), strict=True):
        width, height = cell.source.width, cell.source.height
        yield {
            "codec": codec.name,
            "setting": cell.setting,
            "image": cell.source.name,
            "width": width,
            "height": height,
            "bytes": cell.size,
            "bpp": 8 * cell.size / (width * height),
            "encode_s": cell.encode_s,
            "decode_s": cell.decode_s,
            "screen_share": cell.screen_share,
        } | values


def _grade_again(plan: Plan, store: Store, workers: work.Workers | None) -> None:
    """Metrics that earlier calls did not ask for, from the kept files: sizes and times of their
    rows stay.
    """
    made = Run(store.folder, store.info, store.rows)
    sources = {source.name: source for source in plan.sources}
    order = list(sources)
    ungraded = sorted(store.ungraded, key=lambda row: order.index(row["image"]))
    for batch in batches((row, sources[row["image"]]) for row in ungraded):
        gradings = list[Grading]()
        for row, source in batch:
            cell = row["codec"], row["setting"]
            with _naming(source, *cell):
                pixels = decoded(made, *cell, source.name)
            gradings.append(
                Grading(
                    source,
                    *cell,
                    pixels,
                    [metric for metric in plan.metrics if row.get(metric) is None],
                )
            )
        grades = _grades(gradings, plan.gray, workers)
        for (row, _), values in zip(batch, grades, strict=True):
            store.fill(row, values)
            plan.on_cell(f"{row['codec']} {row['setting']} {row['image']}")


def _grades(
    gradings: Sequence[Grading], gray: bool, workers: work.Workers | None
) -> Iterator[dict[str, float]]:
    """The metrics of each, in order."""
    cells = [(each.source.path, each.decoded, each.metrics) for each in gradings]
    graded = work.grade_by(workers, cells, gray) if workers else work.grade(cells, gray)
    for each in gradings:
        with _naming(each.source, each.codec, each.setting):
            values = next(graded)
        yield values


@contextmanager
def _naming(source: Source, codec: str, setting: str) -> Iterator[None]:
    """Put picture, codec and setting in front of whatever goes wrong."""
    where = f"{source.path.name}, {codec} {setting}"
    try:
        yield
    except LatentpressError as error:
        raise prefixed(where, error) from error
    except (MemoryError, BrokenExecutor) as error:
        raise ImageError(
            f"{where}: a process ended early; there may not be enough memory"
        ) from error
    except (
        Exception
    ) as error:  # those of Pillow's plugins, ONNX Runtime and torch share no base class
        reason = first_line(error)
        raise ImageError(f"{where}: {reason}") from error


@contextmanager
def _stopping(workers: work.Workers) -> Iterator[work.Workers]:
    """End workers with what they are at, not with all that waits."""
    try:
        yield workers
    finally:
        workers.shutdown(wait=True, cancel_futures=True)
