"""What effort buys: bytes and quality at each effort, against effort 0 of the same codec.

    python benchmarks/effort.py kodak/*.png                                              -> results/effort.csv
    python benchmarks/effort.py kodak/*.png --efforts 0,5:mse,9:mse,9:perceptual --metrics psnr,lpips
    python benchmarks/effort.py kodak/*.png --codec sd15 --model FOLDER --qualities 5,15,25 --efforts 0,9:perceptual

A row a picture, effort, aim and quality; rows that the file already has are kept, so that a run can be gone on with. Then prints
BD-rates of the means over the pictures that every effort has: bytes at equal PSNR, LPIPS and so on. Rates are 8 x file bytes / (W x H).
A metric whose weights are not here is left empty.
"""
import argparse
import csv
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import latentpress
from latentpress.bench.bd_rate import bd_rate
from latentpress.metrics import METRICS, assess, available

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ("psnr", "ms-ssim", "lpips", "lpips-vgg", "dists")
KEY = ("codec", "effort", "aim", "quality", "image")
COLUMNS = (*KEY, "bytes", "bpp", *MEASURED, "seconds")


def row_of(path: Path, codec: str, model: str | None, effort: int, aim: str, quality: float, metrics: Sequence[str]) -> dict[str, Any]:
    """One cell, compressed and decoded from its bytes."""
    image = np.asarray(Image.open(path).convert("RGB"))
    start = time.perf_counter()
    data = latentpress.compress(image, quality=quality, codec=codec, model=model, effort=effort, optimize_for=aim or None)
    seconds = time.perf_counter() - start
    decoded = np.asarray(latentpress.decompress(data, model=model).convert("RGB"))
    values = {name: f"{value:.5f}" for name, value in assess(image, decoded, metrics).items()}
    bpp = 8 * len(data) / (image.shape[0] * image.shape[1])
    key = {"codec": codec, "effort": effort, "aim": aim, "quality": quality, "image": path.stem}
    return key | {"bytes": len(data), "bpp": f"{bpp:.5f}", "seconds": f"{seconds:.2f}"} | values


def summary(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for every codec, effort and aim: BD-rates against effort 0 on the means of the pictures that both have at every quality."""
    groups: dict[tuple[str, str, str], dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        groups.setdefault((row["codec"], str(row["effort"]), row["aim"]), {}).setdefault(str(row["quality"]), []).append(row)

    def pictures(key: tuple[str, str, str]) -> set[str]:
        return set.intersection(*({c["image"] for c in cells} for cells in groups[key].values()))

    def curve(key: tuple[str, str, str], metric: str, images: set[str]) -> list[tuple[float, float]]:
        kept = [[c for c in cells if c["image"] in images and c[metric]] for cells in groups[key].values()]
        mean = lambda cells, name: statistics.fmean(float(c[name]) for c in cells)
        return [(mean(cells, "bpp"), mean(cells, metric)) for cells in kept if len(cells) == len(images)]

    lines = []
    for key in groups:
        anchor = (key[0], "0", "")
        if key == anchor or anchor not in groups or not (images := pictures(key) & pictures(anchor)):
            continue
        curves = {m: (curve(key, m, images), curve(anchor, m, images)) for m in MEASURED}
        found = {m: bd_rate(*pair, direction=METRICS[m].direction) for m, pair in curves.items() if all(len(c) > 1 for c in pair)}
        seconds = statistics.median(float(c["seconds"]) for cells in groups[key].values() for c in cells)
        text = ", ".join(f"{m} {b.percent:+.1f} %" if b else f"{m} no overlap" for m, b in found.items())
        lines.append(f"{key[0]} effort {key[1]} {key[2]}: {text}; {len(images)} pictures, {seconds:.1f} s a picture")
    return lines


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("images", type=Path, nargs="+")
    ap.add_argument("--codec", default="builtin")
    ap.add_argument("--model")
    ap.add_argument("--efforts", default="0,5:mse,9:mse,9:perceptual", help="each with what it minimises, where that matters")
    ap.add_argument("--metrics", default=",".join(MEASURED))
    ap.add_argument("--qualities", default="10,25,40,55,70,85")
    ap.add_argument("-o", "--output", type=Path, default=ROOT / "results/effort.csv")
    args = ap.parse_args()
    rows: list[dict[str, Any]] = []
    if args.output.exists():
        with args.output.open() as f:
            rows = list(csv.DictReader(f))
    done = {tuple(str(r[k]) for k in KEY) for r in rows}
    metrics, missing = available(args.metrics.split(","))
    print(*(f"left out: {name}: {reason}" for name, reason in missing.items()), sep="\n")
    efforts = [(int(number), aim) for number, _, aim in (word.partition(":") for word in args.efforts.split(","))]
    cells = [(path, e, aim, q) for path in args.images for e, aim in efforts for q in map(float, args.qualities.split(","))]
    cells = [(p, e, aim, q) for p, e, aim, q in cells if (args.codec, str(e), aim, str(q), p.stem) not in done]
    for i, (path, effort, aim, quality) in enumerate(cells, 1):
        row = row_of(path, args.codec, args.model, effort, aim, quality, metrics)
        rows.append(dict.fromkeys(COLUMNS, "") | row)
        print(f"{i} of {len(cells)}:", *(f"{k} {v}" for k, v in row.items()), flush=True)
        with args.output.open("w", newline="") as f:
            writer = csv.DictWriter(f, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    print(*summary(rows), sep="\n")


if __name__ == "__main__":
    main()
