"""Quarter-size pictures beside whole ones, reduced.

    python -m benchmarks.tables.thumbnails KODAK/*.png

Each picture is compressed at some qualities. A row a quality: the mean and the least PSNR of
`decompress_quarter` against the whole decoded picture reduced by 4, the same after both were
reduced by 2 once more, and the CPU seconds of a picture. Run it with OMP_NUM_THREADS=1 and
LATENTPRESS_THREADS=1. Writes results/thumbnails.csv and the table of the guide.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import latentpress
from benchmarks import provenance
from benchmarks.sources import fill
from latentpress.thumbnails import decompress_quarter

COLUMNS = (
    "quality",
    "psnr_quarter",
    "least_quarter",
    "psnr_eighth",
    "least_eighth",
    "whole_seconds",
    "quarter_seconds",
)
HEAD = [
    "quality",
    "PSNR at 1/4 (dB)",
    "least",
    "PSNR at 1/8 (dB)",
    "least",
    "whole, CPU s a picture",
    "quarter, CPU s a picture",
]


def psnr(a: Image.Image, b: Image.Image) -> float:
    """PSNR in dB of two pictures."""
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


def timed(decode: Callable[[bytes], Image.Image], data: bytes) -> tuple[Image.Image, float]:
    start = time.process_time()
    image = decode(data)
    return image, time.process_time() - start


def row(files: list[Path], quality: float) -> dict[str, str]:
    """The figures of a quality."""
    quarter, eighth, whole_seconds, quarter_seconds = [], [], [], []
    for file in files:
        data = latentpress.compress(file, quality=quality, content="photo")
        whole, seconds = timed(latentpress.decompress, data)
        small, small_seconds = timed(decompress_quarter, data)
        whole_seconds.append(seconds)
        quarter_seconds.append(small_seconds)
        quarter.append(psnr(small, whole.reduce(4)))
        eighth.append(psnr(small.reduce(2), whole.reduce(8)))
    figures = [f(values) for values in (quarter, eighth) for f in (statistics.fmean, min)]
    told = [
        f"{quality:g}",
        *(f"{v:.2f}" for v in figures),
        *(f"{statistics.median(s):.3f}" for s in (whole_seconds, quarter_seconds)),
    ]
    return dict(zip(COLUMNS, told, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--qualities", default="10,50,90")
    parser.add_argument("--output", type=Path, default=provenance.RESULTS / "thumbnails.csv")
    options = parser.parse_args()
    decompress_quarter(latentpress.compress(options.files[0]))  # the sessions are made
    latentpress.decompress(latentpress.compress(options.files[0]))
    rows = [row(options.files, float(quality)) for quality in options.qualities.split(",")]
    with options.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    provenance.record(
        options.output,
        "quarter-size pictures by the linear map, against whole ones reduced",
        ["builtin"],
    )
    page = provenance.ROOT / "docs" / "guide" / "desktop.md"
    fill(page, "results/thumbnails.csv", [HEAD, *(list(r.values()) for r in rows)])


if __name__ == "__main__":
    main()
