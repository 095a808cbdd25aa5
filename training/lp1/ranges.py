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
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentpress import codec, models
from latentpress.runtimes.choice import PRECISION_VARIABLE
from training.data.painters.flats import flat
from training.lp1.checkpoint import load_run
from training.lp1.export import OUT
from training.lp1.int8 import limits_of
from training.lp1.layer_inputs import turned
from training.lp1.samples import Samples
from training.lp1.watched import Feed, Watched

QUALITIES = (5, 25, 50, 75, 90, 100)
SIDE = 384  # pixels of a crop
FLATS = 1 / 3  # painted flats, of the number of crops
# The residual blocks at a sixteenth and an eighth of the picture's sides. What a block adds is
# small beside what it is added to, which stays float; those at a quarter cost more quality.
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
    samples = Samples(graphs[0]), Samples(graphs[1])
    feeds: tuple[list[Feed], list[Feed]] = [], []
    painted = (flat(rng, SIDE, SIDE) for _ in range(round(FLATS * options.crops)))
    qualities = itertools.cycle(QUALITIES)
    pictures = itertools.chain(crops(options.folder, options.crops), painted)
    for i, (pixels, quality) in enumerate(zip(pictures, qualities, strict=False)):
        y_hat = codec.decode_latent(codec.compress(pixels, quality=quality, content="photo"))
        for kept_of, of_graph, feed in zip(
            samples, feeds, ({"pixels": pixels[None]}, {"y": y_hat[None]}), strict=True
        ):
            kept_of.add(rng, feed, is_painted=i >= options.crops)
            of_graph.append(feed)
    seen = samples[0].ranges() | samples[1].ranges()
    kept = {name: limits for name, limits in seen.items() if re.search(options.only, name)}
    if options.limits == "shipped":
        kept = json.loads((OUT / models.RANGES).read_text(encoding="utf-8"))["convolutions"]
    elif options.limits:
        limits = limits_of(load_run(options.limits))
        kept = {name: limits[name] for name in limits if name in seen}  # the export may drop blocks
    steps, bits = dict[str, list[float]](), dict[str, str]()
    for graph, kept_of, of_graph in zip(graphs, samples, feeds, strict=True):
        found = kept_of.steps()
        steps |= found
        bits |= turned(graph, rng, of_graph, found)
    write(kept, steps, bits, options.int8)


def write(
    convolutions: dict[str, dict[str, list[float]]],
    steps: dict[str, list[float]],
    bits: dict[str, str],
    int8: list[str],
) -> None:
    """Write ranges.json, and its SHA-256 into model.json."""
    path, manifest = OUT / models.RANGES, OUT / "model.json"
    ranges_of, steps_of, bits_of = (
        ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in one.items())
        for one in (convolutions, steps, bits)
    )
    path.write_text(
        f'{{\n "int8": {json.dumps(int8)},\n "convolutions": {{\n{ranges_of}\n }},\n'
        f' "steps": {{\n{steps_of}\n }},\n "turned": {{\n{bits_of}\n }}\n}}\n',
        encoding="utf-8",
    )
    found = json.loads(manifest.read_text(encoding="utf-8"))
    found["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
