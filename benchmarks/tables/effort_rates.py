"""What effort buys: bytes and quality at each effort, against effort 0 of the same codec.

    python -m benchmarks.tables.effort_rates kodak/*.png    -> results/effort.csv
    python -m benchmarks.tables.effort_rates kodak/*.png \\
        --efforts 0,5:mse,9:mse,9:perceptual --metrics psnr,lpips
    python -m benchmarks.tables.effort_rates kodak/*.png --codec sd15 --model FOLDER \\
        --qualities 5,15,25 --efforts 0,9:perceptual

A row a picture, effort, aim and quality; rows that the file already has are kept, so that a run can
be gone on with. Then prints, for every quality of an effort, bytes at equal PSNR, LPIPS and so on,
and these at equal bytes, both on each picture's own curve at effort 0, which therefore needs
several qualities. Rates are 8 x file bytes / (W x H), seconds are CPU seconds of compressing: with
OMP_NUM_THREADS=1 and LATENTPRESS_THREADS=1 those that one core takes. A metric whose weights are
not here is left empty.
"""

import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import latentpress
from benchmarks import provenance
from benchmarks.rows import Rows, parser, read, usable, write
from latentpress.metrics import assess

MEASURED = ("psnr", "ms-ssim", "lpips", "lpips-vgg", "dists")
KEY = ("codec", "effort", "aim", "quality", "image")
COLUMNS = (*KEY, "bytes", "bpp", *MEASURED, "seconds")
Groups = dict[tuple[str, ...], Rows]


def row_of(
    path: Path,
    codec: str,
    model: str | None,
    effort: int,
    aim: str,
    quality: float,
    metrics: Sequence[str],
) -> dict[str, Any]:
    """One cell, compressed and decoded from its bytes."""
    image = np.asarray(Image.open(path).convert("RGB"))
    start = time.process_time()
    data = latentpress.compress(
        image, quality=quality, codec=codec, model=model, effort=effort, optimize_for=aim or None
    )
    seconds = time.process_time() - start
    decoded = np.asarray(latentpress.decompress(data, model=model).convert("RGB"))
    values = {name: f"{value:.5f}" for name, value in assess(image, decoded, metrics).items()}
    bpp = 8 * len(data) / (image.shape[0] * image.shape[1])
    key = {"codec": codec, "effort": effort, "aim": aim, "quality": quality, "image": path.stem}
    return key | {"bytes": len(data), "bpp": f"{bpp:.5f}", "seconds": f"{seconds:.2f}"} | values


def compared(
    rows: Sequence[dict[str, Any]], curves: dict[str, list[dict[str, Any]]], metric: str
) -> tuple[list[float], list[float]]:
    """Against each picture's own curve at effort 0: logarithms of the bytes' ratio at equal metric,
    and gains in the metric at equal bytes, dB for PSNR and else percent; of the pictures whose
    curve spans it.
    """
    ratios, gains = [], []
    for row in rows:
        curve = sorted(
            (math.log(int(c["bytes"])), float(c[metric]))
            for c in curves.get(row["image"], ())
            if c[metric]
        )
        if not row[metric] or len(curve) < 2:
            continue
        sizes, values = np.array(curve).T
        size, value = math.log(int(row["bytes"])), float(row[metric])
        if values.min() <= value <= values.max():
            order = np.argsort(values)
            ratios.append(size - np.interp(value, values[order], sizes[order]))
        if sizes[0] <= size <= sizes[-1]:
            value_there = np.interp(size, sizes, values)
            gains.append(
                value - value_there if metric == "psnr" else 100 * (value / value_there - 1)
            )
    return ratios, gains


def percent(ratios: Sequence[float]) -> str:
    """The mean of logarithms of ratios, as a change in percent."""
    return f"{100 * math.expm1(np.mean(ratios)):+.1f} %"


def at_equal(
    rows: Sequence[dict[str, Any]], curves: dict[str, list[dict[str, Any]]], metric: str
) -> str:
    """`compared` in words: means, in brackets over how many pictures."""
    ratios, gains = compared(rows, curves, metric)
    gained = [f"bytes {percent(ratios)} at equal {metric} ({len(ratios)})"] if ratios else []
    unit = "dB" if metric == "psnr" else "%"
    return ", ".join(
        [*gained, f"{metric} {np.mean(gains):+.2f} {unit} at equal bytes ({len(gains)})"]
        if gains
        else gained
    )


def sorted_out(rows: Sequence[dict[str, Any]]) -> tuple[Groups, dict[str, dict[str, Rows]]]:
    """Rows by codec, effort, aim and quality; and of effort 0 for the default aim by codec and
    picture, which are the curves.
    """
    groups: Groups = {}
    curves: dict[str, dict[str, Rows]] = {}
    for row in rows:
        if str(row["effort"]) == "0" and not row["aim"]:
            curves.setdefault(row["codec"], {}).setdefault(row["image"], []).append(row)
        else:
            groups.setdefault(tuple(str(row[k]) for k in KEY[:-1]), []).append(row)
    return groups, curves


def summary(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for every codec, effort, aim and quality: what it gains on effort 0 of the same
    pictures. In brackets, of how many.
    """
    groups, curves = sorted_out(rows)
    lines = []
    for (codec, effort, aim, quality), part in sorted(groups.items()):
        bpp = statistics.fmean(float(r["bpp"]) for r in part)
        seconds = statistics.median(float(r["seconds"]) for r in part)
        mean = f"{bpp:.3f} bpp, {seconds:.1f} s"
        gains = [text for m in MEASURED if (text := at_equal(part, curves.get(codec, {}), m))]
        lines.append(
            f"{codec} effort {effort} {aim} quality {quality}: {mean} a picture: {'; '.join(gains)}"
        )
    return lines


def main() -> None:
    args = parser(
        __doc__,
        "builtin",
        "0,5:mse,9:mse,9:perceptual",
        "10,25,40,55,70,85",
        MEASURED,
        "results/effort.csv",
    ).parse_args()
    rows, done = read(args.output, KEY)
    provenance.record(
        args.output,
        "bytes, quality and CPU seconds at each effort",
        [args.codec],
        goes_on=bool(rows),
    )
    metrics = usable(args.metrics)
    efforts = [
        (int(number), aim)
        for number, _, aim in (word.partition(":") for word in args.efforts.split(","))
    ]
    cells = [
        (path, e, aim, q)
        for path in args.images
        for e, aim in efforts
        for q in map(float, args.qualities.split(","))
    ]
    cells = [
        (p, e, aim, q)
        for p, e, aim, q in cells
        if (args.codec, str(e), aim, str(q), p.stem) not in done
    ]
    for path, *_ in cells[:1]:
        # loads the model, whose seconds are no picture's
        row_of(path, args.codec, args.model, 0, "", 50, metrics[:1])
    for i, (path, effort, aim, quality) in enumerate(cells, 1):
        row = row_of(path, args.codec, args.model, effort, aim, quality, metrics)
        rows.append(dict.fromkeys(COLUMNS, "") | row)
        print(f"{i} of {len(cells)}:", *(f"{k} {v}" for k, v in row.items()), flush=True)
        write(args.output, COLUMNS, rows)
    print(*summary(rows), sep="\n")


if __name__ == "__main__":
    main()
