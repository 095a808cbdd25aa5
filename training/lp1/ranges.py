"""Measure the ranges that int8 needs:  python -m training.lp1.ranges FOLDER

FOLDER holds training photographs, never those of a test set. Crops of them run through the shipped
analysis, and their decoded latents at several qualities through the shipped synthesis; of the input
and the output of every convolution the interval is kept that rounds to 256 levels with the least
squared error. Written to src/latentpress/models/lp1/ranges.json, by the convolutions' names.

The runtime native takes a step for each channel of a convolution's input, so that nearly all
convolutions take bytes there: every step is the one whose levels give the channel's values with the
least squared error. LATENTPRESS_PRECISION=float keeps the int8 of the machine out of the
measurement.
"""

import argparse
import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from latentpress import codec, models
from training.lp1.checkpoint import load_run
from training.lp1.export import OUT
from training.lp1.int8 import limits_of
from training.lp1.limits import least_error_limits, least_error_steps

QUALITIES = (5, 25, 50, 75, 90, 100)
SIDE = 384  # pixels of a crop
SAMPLES = 4000  # numbers kept of a tensor and crop; its extremes always are
# The residual blocks at a sixteenth and an eighth of the picture's sides. What a block adds is
# small beside what it is added to, which stays float; those at a quarter cost more quality.
PLACES = 100  # of a tensor and crop, whose channels are kept
# Convolutions that stay float on the runtime native. All of the picture goes through most of them,
# not only what a block adds to it; bytes would cost more there than in all other blocks together.
# Those of the analysis at a quarter of the picture's sides cost LPIPS at the highest qualities.
TRUNK = r"^(ga\.deep\.(1\.[ab]|[269])|gs\.(trunk\.[038]|coarse\.0|linear\.0))$"
BLOCKS = r"^(ga\.deep\.[3-8]|gs\.trunk\.[1-7])\.[ab]$"


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


class Watched:
    """A shipped graph whose convolutions' inputs and outputs are outputs too.

    ends: convolution -> the names of its input, and of its output or the Relu after it.
    """

    def __init__(self, name: str) -> None:
        model = onnx.load_from_string(models.read_file("lp1", name))
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

    def run(self, rng: np.random.Generator, **feeds: NDArray[Any]) -> None:
        """Keep samples of the tensors of one run."""
        values = dict(feeds) | dict(
            zip(self.tensors, self.session.run(self.tensors, feeds), strict=True)
        )
        for name in set(itertools.chain(*self.ends.values())):
            flat = values[name].ravel()
            kept = flat[rng.integers(0, flat.size, SAMPLES)]
            self.seen.setdefault(name, []).append(
                np.concatenate([kept, [flat.min(), flat.max()]]).astype(np.float32)
            )

        for name in {x for x, _ in self.ends.values()} & set(self.tensors):
            flat = values[name][0].reshape(values[name].shape[1], -1)
            kept = flat[:, rng.integers(0, flat.shape[1], PLACES)]
            extremes = np.stack([flat.min(axis=1), flat.max(axis=1)], axis=1)
            self.channels.setdefault(name, []).append(np.concatenate([kept, extremes], axis=1))

    def steps(self) -> dict[str, list[float]]:
        """{convolution: step of each channel of its input}."""
        found = {n: least_error_steps(np.concatenate(v, 1)) for n, v in self.channels.items()}
        return {name: found[x] for name, (x, _) in self.ends.items() if x in found}

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
        help="keep the limits that a run with --phase int8 has learned, measure the steps alone",
    )
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    analysis, synthesis = Watched("analysis.onnx"), Watched("synthesis.onnx")
    qualities = itertools.cycle(QUALITIES)
    for pixels, quality in zip(crops(options.folder, options.crops), qualities, strict=False):
        analysis.run(rng, pixels=pixels[None])
        y_hat = codec.decode_latent(codec.compress(pixels, quality=quality, content="photo"))
        synthesis.run(rng, y=y_hat[None])
    seen = analysis.ranges() | synthesis.ranges()
    kept = {name: limits for name, limits in seen.items() if re.search(options.only, name)}
    if options.limits:
        limits = limits_of(load_run(options.limits))
        kept = {name: limits[name] for name in limits if name in seen}  # the export may drop blocks
    steps = {
        name: one
        for name, one in (analysis.steps() | synthesis.steps()).items()
        if not re.search(TRUNK, name)
    }
    write(kept, steps, options.int8)


def write(
    convolutions: dict[str, dict[str, list[float]]], steps: dict[str, list[float]], int8: list[str]
) -> None:
    """Write ranges.json, and its SHA-256 into model.json."""
    path, manifest = OUT / models.RANGES, OUT / "model.json"
    ranges_of, steps_of = (
        ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in one.items())
        for one in (convolutions, steps)
    )
    path.write_text(
        f'{{\n "int8": {json.dumps(int8)},\n "convolutions": {{\n{ranges_of}\n }},\n'
        f' "steps": {{\n{steps_of}\n }}\n}}\n'
    )
    found = json.loads(manifest.read_text())
    found["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
