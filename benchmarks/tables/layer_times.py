"""What every layer of lp1's transforms takes on the package's own convolutions, and how near it
comes to what the processor multiplies.

    python -m benchmarks.tables.layer_times PICTURE    -> results/layer-times.csv

The picture goes through the analysis and its latent through the synthesis, in one thread, for each
kind of instructions that the processor has, and for those of narrower vectors that it can stand in
for. A row a layer: what it multiplies, its thousand multiplications a pixel of the picture, the
least processor time of the repeats in milliseconds, and a billion multiplications a second. Layers
are computed one by one, as they are in the codec, but here their time is taken in between.
"""

import argparse
import csv
import ctypes
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import provenance
from benchmarks.provenance import RESULTS
from latentpress import models
from latentpress.runtimes import native
from latentpress.runtimes.native.layers import Layer
from latentpress.runtimes.native.stream import Stream, counters
from latentpress.runtimes.on_native import NativeGraph

COLUMNS = ("instructions", "graph", "layer", "weights", "numbers", "thousand_a_pixel")
MEASURED = ("milliseconds", "billion_a_second")
KINDS = {
    "AVX-512, VNNI": native.VNNI,
    "AVX-512, VNNI, bfloat16": native.VNNI_AND_HALVES,
    "AVX-512, VNNI, AMX": native.VNNI_AND_AMX,
    "AVX2": native.AVX2_ALONE,
    "AVX2, VNNI": native.AVX2_AND_VNNI,
}
GRAPHS = {"analysis.onnx": 1.0, "synthesis.onnx": 1 / 256}  # positions of the input a pixel
INPUTS = {"analysis.onnx": "pixels", "synthesis.onnx": "y"}


class TimedGraph(NativeGraph):
    """A graph that knows the seconds of its layers since they were last forgotten."""

    seconds: list[float]

    def _run(self, stream: Stream) -> None:
        first, size = ctypes.addressof(stream.layers), ctypes.sizeof(native.Layer)
        for i in range(stream.layers_count):
            before = time.thread_time()
            self._library.run_layers(first + i * size, 1, counters(1, 1), 1, 0, self._how)
            self.seconds[i] += time.thread_time() - before

    def layers(self) -> list[Layer]:
        return self._network.layers

    def timed(self, feed: dict[str, Any], repeats: int) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """The least seconds of every layer, and the output. feed: as of `run`."""
        found = []
        for _ in range(1 + repeats):  # the first time makes the memory
            self.seconds = [0.0] * len(self.layers())
            [output] = self.run(feed)
            found.append(self.seconds)
        return np.min(found[1:], axis=0), output


def here() -> dict[str, int]:
    """The KINDS that this processor can run."""
    return {name: how for name, how in KINDS.items() if how in (*native.ways(), native.AVX2_ALONE)}


def numbers_of(layer: Layer) -> str:
    """What a layer multiplies."""
    if layer.is_bytes:
        return "bytes"
    if layer.is_transformed:
        return "points of floats"
    return "bfloat16" if layer.is_halves else "floats"


def positions(layers: list[Layer], start: float) -> list[float]:
    """Of every layer its positions a pixel. start: those of the first one's input."""
    held = {layers[0].source: start}
    found = []
    for layer in layers:
        found.append(held[layer.source] / layer.stride**2)
        held[layer.output] = found[-1] * layer.shuffle**2
    return found


def rows_of(pixels: NDArray[np.uint8], how: int, repeats: int) -> list[list[Any]]:
    """All rows of one kind of instructions, without its name. pixels: (H, W, 3), whole blocks."""
    rows = []
    passed: NDArray[Any] = pixels[None]
    for name, start in GRAPHS.items():
        data, steps = models.read_file("lp1", name), models.steps("lp1")
        graph = TimedGraph(data, steps, 1, models.turned("lp1"), may_round=True, how=how)
        seconds, passed = graph.timed({INPUTS[name]: passed}, repeats)
        each = positions(graph.layers(), start)
        for i, (layer, a_pixel) in enumerate(zip(graph.layers(), each, strict=True)):
            count = a_pixel * layer.weight.size
            speed = count * pixels[..., 0].size / seconds[i] / 1e9 if seconds[i] else 0
            shape = " x ".join(map(str, layer.weight.shape))
            what = [name, i, shape, numbers_of(layer), f"{count / 1000:.3f}"]
            rows.append([*what, f"{1000 * seconds[i]:.2f}", f"{speed:.1f}"])
    return rows


def main() -> None:
    """Measure, write and print the sums."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("picture", type=Path)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "layer-times.csv")
    options = parser.parse_args()
    with Image.open(options.picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    pixels = pixels[: len(pixels) // 16 * 16, : pixels.shape[1] // 16 * 16]
    found = {name: rows_of(pixels, how, options.repeats) for name, how in here().items()}
    provenance.record(
        options.output, "processor time of every layer of lp1's transforms", ["builtin"]
    )
    with options.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow((*COLUMNS, *MEASURED))
        writer.writerows([name, *row] for name, rows in found.items() for row in rows)
    for name, rows in found.items():
        for graph in GRAPHS:
            total = sum(float(row[5]) for row in rows if row[0] == graph)
            print(f"{name}: {graph} {total:.1f} ms")


if __name__ == "__main__":
    main()
