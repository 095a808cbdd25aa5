"""What effort buys: bytes and quality at each effort, against effort 0 of the same codec.

    python benchmarks/effort.py kodak/*.png                                              -> results/effort.csv
    python benchmarks/effort.py kodak/*.png --codec sd15 --model FOLDER --qualities 5,15,25 --efforts 0,9

A row a picture, effort, aim and quality; rows that the file already has are kept, so that a run can be gone on with. Then prints
BD-rates of the means over the pictures, and of bytes at equal LPIPS and DISTS. Rates are 8 x file bytes / (W x H).
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
from latentpress.metrics import METRICS, assess

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ("psnr", "ms-ssim", "lpips", "lpips-vgg", "dists")
KEY = ("codec", "effort", "aim", "quality", "image")
COLUMNS = (*KEY, "bytes", "bpp", *MEASURED, "seconds")


def row_of(path: Path, codec: str, model: str | None, effort: int, aim: str, quality: float) -> dict[str, Any]:
    """One cell, compressed and decoded from its bytes."""
    image = np.asarray(Image.open(path).convert("RGB"))
    start = time.perf_counter()
    data = latentpress.compress(image, quality=quality, codec=codec, model=model, effort=effort, optimize_for=aim or None)
    seconds = time.perf_counter() - start
    decoded = np.asarray(latentpress.decompress(data, model=model).convert("RGB"))
    values = {name: f"{value:.5f}" for name, value in assess(image, decoded, MEASURED).items()}
    bpp = 8 * len(data) / (image.shape[0] * image.shape[1])
    key = {"codec": codec, "effort": effort, "aim": aim, "quality": quality, "image": path.stem}
    return key | {"bytes": len(data), "bpp": f"{bpp:.5f}", "seconds": f"{seconds:.2f}"} | values


def summary(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for every codec, effort and aim: BD-rates against effort 0 on the means of the pictures."""
    groups: dict[tuple[str, str, str], dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        groups.setdefault((row["codec"], str(row["effort"]), row["aim"]), {}).setdefault(str(row["quality"]), []).append(row)

    def curve(key: tuple[str, str, str], metric: str) -> list[tuple[float, float]]:
        mean = lambda cells, name: statistics.fmean(float(c[name]) for c in cells)
        return [(mean(cells, "bpp"), mean(cells, metric)) for cells in groups[key].values()]

    lines = []
    for key in groups:
        anchor = (key[0], "0", "")
        if key == anchor or anchor not in groups:
            continue
        found = {m: bd_rate(curve(key, m), curve(anchor, m), direction=METRICS[m].direction) for m in MEASURED}
        seconds = statistics.median(float(c["seconds"]) for cells in groups[key].values() for c in cells)
        text = ", ".join(f"{m} {b.percent:+.1f} %" if b else f"{m} no overlap" for m, b in found.items())
        lines.append(f"{key[0]} effort {key[1]} {key[2]}: {text}; {seconds:.1f} s a picture")
    return lines


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("images", type=Path, nargs="+")
    ap.add_argument("--codec", default="builtin")
    ap.add_argument("--model")
    ap.add_argument("--efforts", default="0,6,7,9")
    ap.add_argument("--aims", default="mse,perceptual", help="of efforts 7 to 9")
    ap.add_argument("--qualities", default="10,25,40,55,70,85")
    ap.add_argument("-o", "--output", type=Path, default=ROOT / "results/effort.csv")
    args = ap.parse_args()
    rows: list[dict[str, Any]] = []
    if args.output.exists():
        with args.output.open() as f:
            rows = list(csv.DictReader(f))
    done = {tuple(str(r[k]) for k in KEY) for r in rows}
    for path in args.images:
        for effort in map(int, args.efforts.split(",")):
            for aim in args.aims.split(",") if effort >= 7 else [""]:
                for quality in map(float, args.qualities.split(",")):
                    if (args.codec, str(effort), aim, str(quality), path.stem) in done:
                        continue
                    rows.append(row_of(path, args.codec, args.model, effort, aim, quality))
                    print(rows[-1], flush=True)
                    with args.output.open("w", newline="") as f:
                        writer = csv.DictWriter(f, COLUMNS)
                        writer.writeheader()
                        writer.writerows(rows)
    print(*summary(rows), sep="\n")


if __name__ == "__main__":
    main()
