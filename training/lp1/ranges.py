"""Measure the ranges that int8 needs:  python -m training.lp1.ranges FOLDER

FOLDER holds training photographs, never those of a test set. Crops of them run through the shipped
analysis, and their decoded latents at several qualities through the shipped synthesis, in float32;
of the input and the output of every convolution the interval is kept that rounds to 256 levels with
the least squared error. Written to src/latentpress/models/lp1/ranges.json, by the convolutions'
names.

The runtime native takes a step for each channel of a convolution's input, so that nearly all
convolutions take bytes there. They are measured on painted flats, too, whose smooth skies show what
photographs hide: first the steps (`training.lp1.limits`), then, with the inputs as these make them,
which of the two nearest levels every weight takes (`training.lp1.rounding`). This needs the
package's C libraries.
"""

import argparse
import hashlib
import itertools
import json
import os
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from latentpress import codec, models
from latentpress.runtimes.choice import PRECISION_VARIABLE
from latentpress.runtimes.native import layers
from training.data.painters.flats import flat
from training.lp1.checkpoint import load_run
from training.lp1.export import OUT
from training.lp1.int8 import limits_of
from training.lp1.limits import least_error_limits, least_error_steps, to_levels
from training.lp1.rounding import exact_levels, least_error_levels, turned_bits

QUALITIES = (5, 25, 50, 75, 90, 100)
SIDE = 384  # pixels of a crop
SAMPLES = 4000  # numbers kept of a tensor and crop; its extremes always are
PLACES = 400  # of a tensor and crop, whose channels are kept
PATCHES = 150  # of a tensor and crop, whose products are summed
FLATS = 1 / 3  # painted flats, of the number of crops
# Convolutions that stay float on the runtime native. All of the picture goes through most of them,
# not only what a block adds to it; bytes would cost more there than in all other blocks together.
# Those of the analysis at a quarter of the picture's sides cost LPIPS at the highest qualities.
TRUNK = r"^(ga\.deep\.(1\.[ab]|[269])|gs\.(trunk\.[038]|coarse\.0|linear\.0))$"
# The residual blocks at a sixteenth and an eighth of the picture's sides. What a block adds is
# small beside what it is added to, which stays float; those at a quarter cost more quality.
BLOCKS = r"^(ga\.deep\.[3-8]|gs\.trunk\.[1-7])\.[ab]$"

Feed = dict[str, NDArray[Any]]


def crops(folder: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    """`count` crops (SIDE, SIDE, 3), the middles of photographs evenly spread over the folder."""
    files = [p for p in sorted(folder.iterdir()) if p.suffix in (".jpg", ".png")]
    found = 0
    for path in files[:: max(1, len(files) // (2 * count))]:
        with Image.open(path) as image:
            if min(image.size) < SIDE or found == count:
                continue
            left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
            box = (left, top, left + SIDE, top + SIDE)
            found += 1
            yield np.asarray(image.convert("RGB").crop(box))


class Inputs:
    """What a layer of bytes reads: the sums of the products of its numbers."""

    def __init__(self, layer: layers.Layer, network: layers.Network) -> None:
        tensor = network.tensors[layer.source]
        assert tensor.steps is not None
        self._layer = layer
        self._steps = tensor.steps
        self._is_signed = tensor.zero != 0
        self._are_pixels = layer.source == network.input and network.is_of_pixels
        size = layer.weight[0].size
        self._sums = np.zeros((size, size))
        self._count = 0

    def add(self, rng: np.random.Generator, x: NDArray[np.float32]) -> None:
        """Of a picture (C, H, W), at PATCHES places."""
        steps, layer = self._steps.astype(np.float32), self._layer
        if self._are_pixels:
            x = x / steps[:, None, None]
        else:
            x = to_levels(x.reshape(len(x), -1), steps, self._is_signed).reshape(x.shape)
        borders = (0, 0), (layer.pad, layer.pad), (layer.pad, layer.pad)
        windows = sliding_window_view(np.pad(x, borders), layer.kernel, (1, 2))
        windows = windows[:, :: layer.stride, :: layer.stride]
        at = [rng.integers(0, size, PATCHES) for size in windows.shape[1:3]]
        patches = windows[:, at[0], at[1]].transpose(1, 0, 2, 3).reshape(PATCHES, -1)
        self._sums += patches.T @ patches
        self._count += PATCHES

    def turned(self) -> NDArray[np.uint8]:
        """The bits of the layer's weights, as of `layers.pack`."""
        exact = exact_levels(self._layer.weight, self._steps).reshape(-1, len(self._sums))
        return turned_bits(exact, least_error_levels(exact, self._sums / self._count))


class Watched:
    """A shipped graph whose convolutions' inputs and outputs are outputs too.

    ends: convolution -> the names of its input, and of its output or the Relu after it.
    """

    def __init__(self, name: str) -> None:
        self.data = models.read_file("lp1", name)
        model = onnx.load_from_string(self.data)
        casts = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Cast"}
        readers: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for tensor in node.input:
                readers.setdefault(tensor, []).append(node)
        self.ends: dict[str, tuple[str, str]] = {}
        for node in model.graph.node:
            if node.op_type == "Conv":
                output = node.output[0]
                after = readers[output]
                if len(after) == 1 and after[0].op_type == "Relu":
                    output = after[0].output[0]
                name = casts[node.input[1]].removesuffix(".weight")
                self.ends[name] = node.input[0], output
        inputs = {i.name for i in model.graph.input}
        self.tensors = sorted(set(itertools.chain(*self.ends.values())) - inputs)
        for tensor in self.tensors:
            model.graph.output.append(onnx.ValueInfoProto(name=tensor))
        self.session = ort.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        self.seen: dict[str, list[NDArray[np.float32]]] = {}
        self.channels: dict[str, list[NDArray[np.float32]]] = {}  # (C, places) of inputs
        self.extremes: dict[str, NDArray[np.float32]] = {}  # (C,) of the same, their largest sizes
        self.signed: set[str] = set()  # those with values below 0

    def values(self, feed: Feed) -> dict[str, NDArray[Any]]:
        """The tensors of one run, by their names."""
        found = self.session.run(self.tensors, feed)
        return dict(feed) | dict(zip(self.tensors, found, strict=True))

    def run(self, rng: np.random.Generator, feed: Feed, is_painted: bool) -> None:
        """Keep samples of the tensors of one run: of a painted one for the steps alone."""
        values = self.values(feed)
        for name in () if is_painted else sorted(set(itertools.chain(*self.ends.values()))):
            numbers = values[name].ravel()
            kept = numbers[rng.integers(0, numbers.size, SAMPLES)]
            self.seen.setdefault(name, []).append(
                np.concatenate([kept, [numbers.min(), numbers.max()]]).astype(np.float32)
            )
        for name in sorted({x for x, _ in self.ends.values()} & set(self.tensors)):
            channels = values[name][0].reshape(values[name].shape[1], -1)
            kept = channels[:, rng.integers(0, channels.shape[1], PLACES)]
            self.channels.setdefault(name, []).append(kept)
            ends = np.stack([channels.min(axis=1), channels.max(axis=1)])
            self.extremes[name] = np.maximum(self.extremes.get(name, 0), np.abs(ends).max(axis=0))
            self.signed |= {name} if ends[0].min() < 0 else set()

    def steps(self) -> dict[str, list[float]]:
        """{convolution: step of each channel of its input}, of those that take bytes."""
        names = [name for name in self.ends if not re.search(TRUNK, name)]
        inputs = {self.ends[name][0] for name in names}
        found = {
            x: least_error_steps(
                np.concatenate(self.channels[x], 1), self.extremes[x], x in self.signed
            )
            for x in sorted(inputs)
        }
        return {name: found[self.ends[name][0]] for name in names}

    def turned(
        self, rng: np.random.Generator, feeds: list[Feed], steps: dict[str, list[float]]
    ) -> dict[str, str]:
        """{convolution: bits of its weights, in base64}, of those that take bytes."""
        network = layers.read(self.data, {k: np.array(v, np.float32) for k, v in steps.items()})
        found = {
            name: Inputs(layer, network)
            for name, layer in zip(self.ends, network.layers, strict=True)
            if layer.is_bytes
        }
        for feed in feeds:
            values = self.values(feed)
            for name, inputs in found.items():
                inputs.add(rng, values[self.ends[name][0]][0])
        return {
            name: b64encode(inputs.turned().tobytes()).decode() for name, inputs in found.items()
        }

    def ranges(self) -> dict[str, dict[str, list[float]]]:
        """{convolution: {"input": [low, high], "output": [low, high]}}."""
        limits = {name: least_error_limits(np.concatenate(v)) for name, v in self.seen.items()}
        return {
            name: {"input": limits[x], "output": limits[y]} for name, (x, y) in self.ends.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--crops", type=int, default=96)
    parser.add_argument(
        "--only", default=BLOCKS, metavar="REGEX", help="names of the convolutions that are kept"
    )
    parser.add_argument(
        "--int8",
        nargs="*",
        default=[],
        metavar="GRAPH",
        help="graphs that take int8 unasked: those that it costs next to nothing in quality",
    )
    parser.add_argument(
        "--limits",
        metavar="RUN",
        help="keep the limits that a run with --phase int8 has learned, or those of the shipped "
        "model where RUN is `shipped`, and measure the rest alone",
    )
    options = parser.parse_args()
    os.environ[PRECISION_VARIABLE] = "float"  # the int8 of the machine would measure itself
    rng = np.random.default_rng(0)
    graphs = Watched("analysis.onnx"), Watched("synthesis.onnx")
    feeds: tuple[list[Feed], list[Feed]] = [], []
    painted = (flat(rng, SIDE, SIDE) for _ in range(round(FLATS * options.crops)))
    qualities = itertools.cycle(QUALITIES)
    pictures = itertools.chain(crops(options.folder, options.crops), painted)
    for i, (pixels, quality) in enumerate(zip(pictures, qualities, strict=False)):
        y_hat = codec.decode_latent(codec.compress(pixels, quality=quality, content="photo"))
        for graph, of_graph, feed in zip(
            graphs, feeds, ({"pixels": pixels[None]}, {"y": y_hat[None]}), strict=True
        ):
            graph.run(rng, feed, is_painted=i >= options.crops)
            of_graph.append(feed)
    seen = graphs[0].ranges() | graphs[1].ranges()
    kept = {name: limits for name, limits in seen.items() if re.search(options.only, name)}
    if options.limits == "shipped":
        kept = json.loads((OUT / models.RANGES).read_text())["convolutions"]
    elif options.limits:
        limits = limits_of(load_run(options.limits))
        kept = {name: limits[name] for name in limits if name in seen}  # the export may drop blocks
    steps, turned = dict[str, list[float]](), dict[str, str]()
    for graph, of_graph in zip(graphs, feeds, strict=True):
        found = graph.steps()
        steps |= found
        turned |= graph.turned(rng, of_graph, found)
    write(kept, steps, turned, options.int8)


def write(
    convolutions: dict[str, dict[str, list[float]]],
    steps: dict[str, list[float]],
    turned: dict[str, str],
    int8: list[str],
) -> None:
    """Write ranges.json, and its SHA-256 into model.json."""
    path, manifest = OUT / models.RANGES, OUT / "model.json"
    ranges_of, steps_of, turned_of = (
        ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in one.items())
        for one in (convolutions, steps, turned)
    )
    path.write_text(
        f'{{\n "int8": {json.dumps(int8)},\n "convolutions": {{\n{ranges_of}\n }},\n'
        f' "steps": {{\n{steps_of}\n }},\n "turned": {{\n{turned_of}\n }}\n}}\n'
    )
    found = json.loads(manifest.read_text())
    found["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
