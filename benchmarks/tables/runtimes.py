"""Speed of the built-in model's transforms on every runtime that is installed, in one run on one
machine.

    python -m benchmarks.tables.runtimes    1024 x 768 and 4000 x 3000 -> results/runtimes.csv

The ways take turns within a repeat, so that a busy machine hits all alike. Of each the fastest
repeat counts, in wall time and in processor time (of all threads); the first run of each, which
opens its graphs, is not counted. `ratio` is the processor time of ONNX Runtime in float32 against
it. On a machine that is busy with other things, LATENTPRESS_THREADS=1 and processor time tell more
than wall time.
"""

import argparse
import csv
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import provenance
from benchmarks.rows import ROOT
from benchmarks.tables.speed import photograph
from latentpress import codec
from latentpress.bench.machine import machine, versions
from latentpress.image.picture import read_picture
from latentpress.runtimes import native
from latentpress.runtimes.choice import PRECISION_VARIABLE, RUNTIME_VARIABLE, is_installed
from latentpress.runtimes.processor import has_amx_bfloat16
from latentpress.transforms import lp1

WAYS = {
    "native": ("native", "int8"),
    "native float32": ("native", "float"),
    "ONNX Runtime float32": ("onnxruntime", "float"),
    "ONNX Runtime int8": ("onnxruntime", "int8"),
    "OpenVINO float32": ("openvino", "float"),
    "OpenVINO bfloat16": ("openvino", "half"),
    "OpenVINO int8": ("openvino", "int8"),
    "torch float32": ("torch", "float"),
    "torch bfloat16": ("torch", "half"),
}
FIRST = "ONNX Runtime float32"


def here() -> dict[str, tuple[str, str]]:
    """The ways that this machine has; bfloat16 only where the processor multiplies it."""
    return {
        name: way
        for name, way in WAYS.items()
        if (native.library() if way[0] == "native" else is_installed(way[0]))
        and (way[1] != "half" or has_amx_bfloat16())
    }


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """(wall, processor) seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repeats", type=int, default=5, help="of the small picture; half as many of the large one"
    )
    parser.add_argument("--sizes", default="1024x768,4000x3000")
    parser.add_argument(
        "--ways",
        default=",".join(WAYS),
        help="names of the first column, of those that this machine has",
    )
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "results" / "runtimes.csv")
    options = parser.parse_args()
    samples = sorted(
        p
        for p in (ROOT / "samples").glob("*")
        if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")
    )
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    this = machine()
    sizes = [(int(w), int(h)) for w, h in (size.split("x") for size in options.sizes.split(","))]
    rows = [
        ["command", shlex.join(["python", "-m", "benchmarks.tables.runtimes", *sys.argv[1:]])],
        [
            "versions",
            f"{packages}; {this['cpu']}, {this['threads']} processors usable; "
            f"LATENTPRESS_THREADS {os.environ.get('LATENTPRESS_THREADS', 'not set')}",
        ],
        [
            "size",
            "transform",
            "runtime",
            "wall_seconds",
            "wall_mp_per_s",
            "processor_seconds",
            "ratio",
        ],
    ]
    ways = {
        name: way
        for name, way in here().items()
        if name == FIRST or name in options.ways.split(",")
    }
    with tempfile.TemporaryDirectory() as temporary:
        for size in sizes:
            photo = photograph(size, samples[:4], Path(temporary) / "photo.jpg")
            os.environ[RUNTIME_VARIABLE], os.environ[PRECISION_VARIABLE] = ways[FIRST]
            work = work_of(photo, *size)
            times: dict[tuple[str, str], list[tuple[float, float]]] = {}
            for i in range(1 + options.repeats if size == sizes[0] else -(-options.repeats // 2)):
                for name, way in ways.items():
                    os.environ[RUNTIME_VARIABLE], os.environ[PRECISION_VARIABLE] = way
                    for what, function in work.items():
                        found = timed(function)
                        print(
                            f"  {size[0]} x {size[1]} {what} {name}: {found[0]:.3f} s, "
                            f"processor {found[1]:.3f} s",
                            file=sys.stderr,
                        )
                        if i or size != sizes[0]:
                            times.setdefault((what, name), []).append(found)
            for (what, name), found in sorted(times.items(), key=lambda item: item[0][0]):
                wall, processor = np.min(found, axis=0)
                ratio = min(p for _, p in times[what, FIRST]) / processor
                rows.append(
                    [
                        f"{size[0]} x {size[1]}",
                        what,
                        name,
                        f"{wall:.3f}",
                        f"{size[0] * size[1] / 1e6 / wall:.2f}",
                        f"{processor:.3f}",
                        f"{ratio:.2f}",
                    ]
                )
                print(*rows[-1], flush=True)
            with options.output.open("w", newline="", encoding="utf-8") as f:
                csv.writer(f).writerows(rows)
    provenance.record(
        options.output, "analysis and synthesis on each runtime and precision", ["builtin"]
    )


def work_of(photo: Path, width: int, height: int) -> dict[str, Callable[[], object]]:
    """What is timed: each transform over the whole picture."""
    picture, transform = read_picture(photo), lp1.Lp1Transform("auto")
    y_hat = codec.decode_latent(codec.compress(picture, quality=50, content="photo"))
    return {
        "analysis": lambda: sum(len(y) for y in transform.analyze(picture)),
        "synthesis": lambda: sum(
            len(p) for p in transform.synthesize(strips_of(y_hat), width, height)
        ),
    }


def strips_of(y: np.ndarray) -> list[np.ndarray]:
    """A latent in the strips that the synthesis takes."""
    return [y[:, first : first + 64] for first in range(0, y.shape[1], 64)]


if __name__ == "__main__":
    main()
