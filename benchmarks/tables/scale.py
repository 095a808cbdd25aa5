"""Runs over many pictures, on this machine's threads and on Ray: throughput, memory and overhead ->
results/scale.csv.

    LATENTPRESS_RUNTIME=onnxruntime python -m benchmarks.tables.scale
    python -m benchmarks.tables.scale --photographs 6 --pictures 1000 --empty 200

The second is a look, within a minute or two.

Three things are measured, each run in a process of its own, after a first run that loads the models
and starts Ray:

    photographs     pictures of 768 x 512, JPEG, cut from samples/, with 1 and 2 workers of one
                    thread each
    empty task      nothing is done: what the engine costs a unit, where units are sent together
                    (small ones) and alone (large ones)
    small pictures  100,000 PNG of 8 x 8, made by a generator, at effort 0 and content
                    photo, with 2 workers of Ray;
                    the memory as they pass; a part of them on threads, too
"""

import argparse
import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import latentpress
from benchmarks import provenance
from benchmarks.rows import ROOT
from latentpress.collection.find import Naming, Search, Selection
from latentpress.collection.local import LocalEngine
from latentpress.collection.run import run
from latentpress.collection.tasks import Compress
from latentpress.collection.unit import Engine, Row, Unit
from latentpress.options import EncodeOptions
from latentpress.ray import RayEngine
from latentpress.ray.cluster import connected

COLUMNS = (
    "what",
    "engine",
    "workers",
    "pictures",
    "width",
    "height",
    "seconds",
    "pictures_per_second",
    "mp_per_second",
    "ms_per_picture",
    "efficiency",
    "start_seconds",
    "driver_mb",
    "worker_mb",
    "source_bytes",
    "output_bytes",
    "manifest_bytes",
)
ENGINES = ("local", "ray")
WORKERS = (1, 2)
FIRST = 64  # small pictures of the first run: enough that each worker has some
# bytes that units of the empty task say they have: sent together, and alone
SMALL, LARGE = 1000, 1_000_000
PART = 20  # of the small pictures one in so many passes through the threads of this machine, too
FOLDER = 1000  # small pictures in a folder
LOOK_EVERY = 0.5  # seconds between looks at the memory


@dataclass(frozen=True)
class Empty:
    """A task that does nothing."""

    output: str = "memory"

    def request(self) -> dict[str, object]:
        return {}

    def pixels(self, unit: Unit) -> int:
        return 0

    def works_alone(self, units: Sequence[Unit]) -> bool:
        return False

    def __call__(self, unit: Unit) -> list[Row]:
        return [Row(unit.source, unit.version)]


def photographs(folder: Path, many: int, size: tuple[int, int]) -> None:
    """JPEG files of quality 92: parts of the photographs of samples/."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    sources = sorted(p for p in (ROOT / "samples").iterdir() if p.suffix in (".jpg", ".png"))
    for i in range(many):
        with Image.open(sources[i % len(sources)]) as source:
            image = source.convert("RGB")
        scale = max(1.0, size[0] / image.width, size[1] / image.height)
        image = image.resize(
            (round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS
        )
        left, top = (
            int(rng.integers(0, whole - part + 1))
            for whole, part in zip(image.size, size, strict=True)
        )
        image.crop((left, top, left + size[0], top + size[1])).save(
            folder / f"{i:04}.jpg", quality=92
        )


def small_pictures(folder: Path, many: int, side: int) -> None:
    """PNG files of noise, FOLDER of them in a folder."""
    rng = np.random.default_rng(0)
    for i in range(many):
        if i % FOLDER == 0:
            (folder / f"{i // FOLDER:04}").mkdir(parents=True)
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(stream, "png")
        (folder / f"{i // FOLDER:04}" / f"{i:06}.png").write_bytes(stream.getvalue())


def resident(process: int | str) -> float:
    """MB of memory that a process holds, shared pages among them; 0 where no system tells."""
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    return 0.0


def workers_of(driver: int) -> list[int]:
    """Ray's workers below a process that work or have worked."""
    parents: dict[int, int] = {}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
            if (folder / "cmdline").read_bytes().startswith(b"ray::"):
                found.append(int(folder.name))

    def is_below(process: int) -> bool:
        while process not in (0, 1, driver):
            process = parents.get(process, 0)
        return process == driver

    return [process for process in found if is_below(process)]


class Memory:
    """The most that the driver and a worker held. A context manager that looks now and then."""

    def __init__(self) -> None:
        self.driver = self.worker = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def now(self) -> tuple[float, float]:
        """Of the driver, and of its largest worker."""
        return resident("self"), max(
            (resident(process) for process in workers_of(os.getpid())), default=0.0
        )

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._end.wait(LOOK_EVERY):
            self._look()

    def _look(self) -> None:
        driver, worker = self.now()
        self.driver, self.worker = max(self.driver, driver), max(self.worker, worker)


def child(asked: dict[str, Any]) -> dict[str, Any]:
    """One measured run, in this process: seconds, start_seconds, memory, and what `work` tells."""
    begin = time.perf_counter()
    is_ray = asked["engine"] == "ray"
    engine: Engine = RayEngine() if is_ray else LocalEngine(asked["workers"])
    work: Callable[[str], Any] = (
        passes(engine, asked) if asked["what"] == "empty task" else presses(engine, asked)
    )
    with connected(None) if is_ray else contextlib.nullcontext():
        work("first")
        start = time.perf_counter() - begin
        with Memory() as memory:
            begin = time.perf_counter()
            seen = work("all")
            seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "start_seconds": start,
        "driver_mb": memory.driver,
        "worker_mb": memory.worker,
        **seen,
    }


def passes(engine: Engine, asked: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    """Units of nothing through the engine."""

    def work(which: str) -> dict[str, Any]:
        many = asked["pictures"] if which == "all" else FIRST
        units = (Unit("memory", str(i), str(i), "1", asked["size"]) for i in range(many))
        assert sum(1 for _ in engine.map(Empty(), units)) == many
        return {}

    return work


def presses(engine: Engine, asked: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    """Pictures of a tree into another, as the command does it: bytes a picture, and [pictures,
    driver's MB, a worker's MB] at ten marks.
    """
    suffixes = frozenset((".jpg", ".png"))

    def work(which: str) -> dict[str, Any]:
        many = 0
        marks: list[Any] = []
        step = max(1, asked["pictures"] // 10)

        def passed() -> None:
            nonlocal many
            many += 1
            if which == "all" and many % step == 0:
                marks.append([many, *Memory().now()])

        search = Search(Selection(suffixes), Naming(".ltp"))
        options = EncodeOptions(effort=asked["effort"], content=asked["content"])
        tree, out = asked["tree"] if which == "all" else asked["first"], f"{asked['out']}-{which}"
        task = Compress(out, options=options)
        summary = run(search.tree(tree), task, engine, passed=passed)
        assert summary.failed == 0
        assert summary.made == many
        manifest = (Path(out) / "manifest.jsonl").stat().st_size
        sizes = {
            "source_bytes": summary.source_bytes,
            "output_bytes": summary.output_bytes,
            "manifest_bytes": manifest,
        }
        return {"marks": marks, **{name: round(size / many) for name, size in sizes.items()}}

    return work


def measured(asked: dict[str, Any]) -> dict[str, Any]:
    """What `child` gives, of a fresh process whose workers have a thread each."""
    paths = [str(Path(latentpress.__file__).parents[1]), str(ROOT)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join(paths),
        LATENTPRESS_THREADS=str(asked["workers"]),
        **threads,
    )
    command = [sys.executable, "-m", "benchmarks.tables.scale", "--child", json.dumps(asked)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"failed: {asked}")
    print(
        f"  {asked['what']}, {asked['engine']}, {asked['workers']}: {done.stdout.strip()[:100]}",
        file=sys.stderr,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def as_row(asked: dict[str, Any], result: dict[str, Any], what: str = "") -> dict[str, Any]:
    many, seconds = asked["pictures"], result["seconds"]
    width, height = asked.get("pixels", (0, 0))
    is_ray = asked["engine"] == "ray"
    return {
        "what": what or asked["what"],
        "engine": asked["engine"],
        "workers": asked["workers"],
        "pictures": many,
        "width": width or "",
        "height": height or "",
        "seconds": f"{seconds:.2f}",
        "pictures_per_second": f"{many / seconds:.4g}",
        "mp_per_second": f"{many * width * height / 1e6 / seconds:.4g}" if width else "",
        "ms_per_picture": f"{1000 * seconds / many:.4g}",
        "start_seconds": f"{result['start_seconds']:.1f}",
        "driver_mb": f"{result['driver_mb']:.0f}",
        "worker_mb": f"{result['worker_mb']:.0f}" if is_ray else "",
        **{
            name: result.get(name, "")
            for name in ("source_bytes", "output_bytes", "manifest_bytes")
        },
    }


def table(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """The rows, as they are measured."""
    small_pictures(folder / "first-small", FIRST, options.side)
    photographs(folder / "first", 2 * max(WORKERS), (768, 512))
    photographs(folder / "photographs", options.photographs, (768, 512))
    base = {
        "first": str(folder / "first"),
        "tree": str(folder / "photographs"),
        "pixels": (768, 512),
        "effort": 3,
        "content": "auto",
    }
    for engine in ENGINES:
        alone = 0.0
        for workers in WORKERS:
            asked = base | {
                "what": "photographs",
                "engine": engine,
                "workers": workers,
                "pictures": options.photographs,
                "out": str(folder / f"{engine}{workers}"),
            }
            result = measured(asked)
            alone = alone or result["seconds"]
            yield as_row(asked, result) | {
                "efficiency": f"{alone / result['seconds'] / workers:.3f}"
            }
    for engine in ENGINES:
        for size, how in ((SMALL, "sent together"), (LARGE, "sent alone")):
            asked = {
                "what": "empty task",
                "engine": engine,
                "workers": 2,
                "pictures": options.empty,
                "size": size,
            }
            yield as_row(asked, measured(asked), f"empty task, {how}")
    small = {
        "what": "small pictures",
        "first": str(folder / "first-small"),
        "workers": 2,
        "pixels": (options.side, options.side),
        "effort": 0,
        "content": "photo",  # noise is no picture to choose a tool for
    }
    part = max(1, options.pictures // PART)
    for engine, many in zip(ENGINES, (part, options.pictures), strict=True):
        tree = folder / f"small-{engine}"
        small_pictures(tree, many, options.side)
        asked = (
            base
            | small
            | {"engine": engine, "pictures": many, "tree": str(tree), "out": f"{tree}-out"}
        )
        result = measured(asked)
        if engine == "local":
            yield as_row(asked, result)
    yield as_row(asked, result)
    for many, driver, worker in result["marks"]:
        yield {
            "what": "memory as small pictures pass",
            "engine": "ray",
            "workers": 2,
            "pictures": many,
            "driver_mb": f"{driver:.1f}",
            "worker_mb": f"{worker:.1f}",
        }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=int, default=24, help="of 768 x 512")
    parser.add_argument("--pictures", type=int, default=100_000, help="small ones")
    parser.add_argument("--side", type=int, default=8, help="of the small pictures, in pixels")
    parser.add_argument("--empty", type=int, default=2000, help="units of the empty task")
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "scale.csv")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.child:
        print(json.dumps(child(options.child)))
        return
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as temporary,
        options.output.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, COLUMNS, restval="")
        writer.writeheader()
        for row in table(options, Path(temporary)):
            writer.writerow(row)
            stream.flush()
    provenance.record(
        options.output,
        "runs over many pictures on threads and on Ray: throughput, memory, overhead",
        ["builtin"],
    )


if __name__ == "__main__":
    main()
