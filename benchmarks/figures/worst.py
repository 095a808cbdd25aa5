"""The five pictures of Kodak that lp1 gains least on, for its card:

    python -m benchmarks.figures.worst [--data FOLDER] [--output docs/models/lp1-worst.jpg]

Least is its gain by LPIPS (VGG) over AVIF at the same bytes, interpolated at RATE in the run
results/unseen. Of each picture that crop is shown in which latentpress' squared error exceeds
AVIF's by most. Prints the gains.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.figures.contact_sheet import SIDE, Crop, sheet_of
from benchmarks.figures.rivals import Pressed, at_size
from benchmarks.provenance import RESULTS
from benchmarks.rows import DATA, ROOT
from benchmarks.tables.check_published import at_rate
from latentpress.bench.rows import Run, read_run

RATE = 0.27  # bpp
METRIC = "lpips-vgg"
SHOWN = 5
STEP = 16  # pixels between the crops that are looked at


def ratios(run: Run) -> dict[str, float]:
    """Picture -> METRIC of latentpress against AVIF's at RATE; without pictures where one of them
    does not reach it.
    """
    found = {}
    for name in dict.fromkeys(row["image"] for row in run.rows):
        at = []
        for codec in ("builtin", "avif"):
            rows = [row for row in run.rows if (row["image"], row["codec"]) == (name, codec)]
            at.append(at_rate(sorted((row["bpp"], row[METRIC]) for row in rows), RATE))
        if None not in at:
            found[name] = at[0] / at[1]
    return found


def worst_crop(picture: Image.Image, pressed: Pressed) -> tuple[int, int]:
    """Left and top of the crop in which latentpress' error exceeds AVIF's by most."""
    original = np.asarray(picture, np.float32)
    errors = [
        np.square(np.asarray(pressed[codec][0], np.float32) - original).sum(2)
        for codec in ("latentpress", "AVIF")
    ]
    sums = np.pad((errors[0] - errors[1]).astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    inside = sums[SIDE:, SIDE:] - sums[:-SIDE, SIDE:] - sums[SIDE:, :-SIDE] + sums[:-SIDE, :-SIDE]
    coarse = inside[::STEP, ::STEP]
    top, left = np.unravel_index(coarse.argmax(), coarse.shape)
    return STEP * int(left), STEP * int(top)


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--output", type=Path, default=ROOT / "docs/models/lp1-worst.jpg")
    arguments = parser.parse_args()
    found = ratios(read_run(RESULTS / "unseen"))
    crops = []
    for name in sorted(found, key=lambda name: -found[name])[:SHOWN]:
        with Image.open(arguments.data / "kodak" / f"{name}.png") as file:
            picture = file.convert("RGB")
        pressed = at_size(picture, int(RATE * picture.width * picture.height / 8))
        gain = 100 * (found[name] - 1)
        print(f"{name}: {gain:+.0f} %")
        place = worst_crop(picture, pressed)
        crops.append(Crop(f"{name} ({gain:+.0f} %)", picture, pressed, *place))
    sheet_of(crops, ["AVIF"]).save(arguments.output, quality=90)
    print(arguments.output)


if __name__ == "__main__":
    main()
