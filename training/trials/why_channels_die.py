"""What the channels inside residual blocks see before their ReLU, those that fire and those that do
not:

    git show 4e13573:src/latentpress/models/lp1/analysis.onnx > analysis.onnx
    python -m training.trials.why_channels_die PHOTOGRAPHS analysis.onnx

A row a block of an exported analysis on some photographs: how many channels fire at one of 10,000
positions or more; then medians over the dead and over the living ones of the mean before ReLU, its
standard deviation, and the part of the mean that the input's mean accounts for.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

from training.lp1.pruning import RARELY

PHOTOGRAPHS, SIDE = 24, 512
EVERY = 7  # positions, of which one is kept
Floats = NDArray[np.float32]


def pictures(folder: Path) -> Iterator[NDArray[np.uint8]]:
    """The upper left of some photographs, (SIDE, SIDE, 3)."""
    for path in sorted(folder.glob("cid22-*"))[:PHOTOGRAPHS]:
        with Image.open(path) as image:
            yield np.asarray(image.convert("RGB"))[:SIDE, :SIDE]


def watched(graph: onnx.ModelProto) -> dict[str, tuple[str, str, Floats]]:
    """First convolution of a block -> names of its input and output, its weight. Both become
    outputs of the graph.
    """
    weights = {t.name: numpy_helper.to_array(t) for t in graph.graph.initializer}
    casts = {n.output[0]: n.input[0] for n in graph.graph.node if n.op_type == "Cast"}
    found = {}
    for node in graph.graph.node:
        name = casts.get(node.input[1], "") if node.op_type == "Conv" else ""
        if name.endswith(".a.weight"):
            ends = node.input[0], node.output[0]
            found[name.removesuffix(".weight")] = (*ends, weights[name].astype(np.float32))
    for before, after, _ in found.values():
        for tensor in (before, after):
            graph.graph.output.append(onnx.ValueInfoProto(name=tensor))
    return found


def medians(values: list[Floats], which: NDArray[np.bool_]) -> str:
    """The median of each over some channels, as cells of a row."""
    return " | ".join(f"{np.median(v[which]):.2f}" if which.any() else "" for v in values)


def main() -> None:
    """Print the table."""
    folder, path = map(Path, sys.argv[1:3])
    graph = onnx.load(path)
    blocks = watched(graph)
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = sorted({tensor for before, after, _ in blocks.values() for tensor in (before, after)})
    kept: dict[str, list[Floats]] = {name: [] for name in names}
    for pixels in pictures(folder):
        made = session.run(names, {"pixels": pixels[None]})
        for name, one in zip(names, made, strict=True):
            kept[name].append(one[0].reshape(one.shape[1], -1)[:, ::EVERY])
    head = "mean | deviation | of the input's mean"
    print(f"| block | channels | fire | dead: {head} | living: {head} |\n{'|---' * 9}|")
    for name, (before, after, weight) in blocks.items():
        x, y = (np.concatenate(kept[tensor], 1) for tensor in (before, after))
        fires = (y > 0).mean(1) >= RARELY
        values = [y.mean(1), y.std(1), weight.sum((2, 3)) @ x.mean(1)]
        told = f"{medians(values, ~fires)} | {medians(values, fires)}"
        print(f"| {name.removesuffix('.a')} | {len(y)} | {fires.sum()} | {told} |")


if __name__ == "__main__":
    main()
