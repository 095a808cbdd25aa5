"""What lp1's chains save: python benchmarks/chains.py kodak/*.png -> results/chains.csv

Every picture and quality twice, as files: with symbols of large scales in chains of dependent quantisation (latent chunk 04, which
the encoder writes) and with each symbol rounded alone (chunk 02). Prints bytes at equal PSNR, LPIPS and so on, and these at equal
bytes, against each picture's own curve without chains. Rows that the file has already are kept.
"""
import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from effort import at_equal
from kept_rows import ROOT, read, usable, write

from latentpress import codec
from latentpress.entropy.learned import LearnedPrior
from latentpress.image import read_picture
from latentpress.metrics import assess
from latentpress.transforms import load_transform
from latentpress.transforms.spaces import SPACES

MEASURED = ("psnr", "lpips", "lpips-vgg")
KEY = ("chains", "quality", "image")
COLUMNS = (*KEY, "bytes", *MEASURED)


def rows_of(path: Path, cells: list[tuple[bool, float]], metrics: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A row a cell (chained, quality); the picture is analysed once."""
    picture, transform = read_picture(path), load_transform(SPACES[0])
    pixels, strips = picture.pixels(0, picture.height, 0, picture.width), list(transform.analyze(picture))
    for chained, quality in cells:
        data = codec.write(picture.outline, transform, strips, quality, {}, LearnedPrior("lp1", quality, chained=chained))
        values = assess(pixels, np.asarray(codec.decompress(data).convert("RGB")), metrics)
        key = {"chains": int(chained), "quality": quality, "image": path.stem}
        yield dict.fromkeys(COLUMNS, "") | key | {"bytes": len(data)} | {name: f"{value:.5f}" for name, value in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--metrics", default=",".join(MEASURED))
    parser.add_argument("--qualities", default="15,22,30,37,45,52,60,67,75")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "results/chains.csv")
    args = parser.parse_args()
    rows, done = read(args.output, KEY)
    metrics = usable(args.metrics)
    for path in args.images:
        cells = [(chained, quality) for quality in map(float, args.qualities.split(",")) for chained in (False, True)]
        rows += rows_of(path, [(c, q) for c, q in cells if (str(int(c)), str(q), path.stem) not in done], metrics)
        write(args.output, COLUMNS, rows)
        print(path.stem, flush=True)
    curves: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if str(row["chains"]) == "0":
            curves.setdefault(row["image"], []).append(row)
    for quality in sorted({float(r["quality"]) for r in rows})[1:-1]:
        part = [r for r in rows if str(r["chains"]) == "1" and float(r["quality"]) == quality]
        print(f"quality {quality:g}:", "; ".join(at_equal(part, curves, m) for m in metrics))


if __name__ == "__main__":
    main()
