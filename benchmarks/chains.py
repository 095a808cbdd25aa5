"""What lp1's chains save: python benchmarks/chains.py kodak/*.png -> results/chains.csv

Every picture and quality twice, as files: with symbols of large scales in chains of dependent quantisation (latent chunk 04, which
the encoder writes) and with each symbol rounded alone (chunk 02). Prints bytes at equal PSNR, LPIPS and so on, and these at equal
bytes, against each picture's own curve without chains. Rows that the file has already are kept.
"""
from pathlib import Path
from typing import Any

import numpy as np
from effort import at_equal
from kept_rows import parser, read, usable, write

from latentpress import codec
from latentpress.entropy.learned import LearnedPrior
from latentpress.image import read_picture
from latentpress.metrics import assess
from latentpress.transforms import load_transform
from latentpress.transforms.spaces import SPACES

MEASURED = ("psnr", "lpips", "lpips-vgg")
KEY = ("chains", "quality", "image")
COLUMNS = (*KEY, "bytes", *MEASURED)


def row_of(path: Path, chained: bool, quality: float, metrics: list[str]) -> dict[str, Any]:
    picture, transform = read_picture(path), load_transform(SPACES[0])
    data = codec.write(picture.outline, transform, transform.analyze(picture), quality, {}, LearnedPrior("lp1", quality, chained=chained))
    pixels = picture.pixels(0, picture.height, 0, picture.width)
    values = assess(pixels, np.asarray(codec.decompress(data).convert("RGB")), metrics)
    return {"chains": int(chained), "quality": quality, "image": path.stem, "bytes": len(data)} | {k: f"{v:.5f}" for k, v in values.items()}


def main() -> None:
    args = parser(__doc__, "builtin", "", "15,22,30,37,45,52,60,67,75", MEASURED, "results/chains.csv").parse_args()
    rows, done = read(args.output, KEY)
    metrics = list(usable(args.metrics))
    for path in args.images:
        for quality in map(float, args.qualities.split(",")):
            for chained in (False, True):
                if (str(int(chained)), str(quality), path.stem) not in done:
                    rows.append(dict.fromkeys(COLUMNS, "") | row_of(path, chained, quality, metrics))
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
