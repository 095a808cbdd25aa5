"""How strongly steps should follow the activity, at each quality.

    python -m benchmarks.sweeps.masking_strength FOLDER/*.jpg    -> results/masking_strength.csv

The middle of every picture, under masking of several strengths (`entropy/masking.py`; 127 is a step
that grows with the activity, 0 is none, -1 what is shipped), as files. Pictures that are tuned on
are not those that tables are made of. A row a strength, quality and picture; rows that the file has
already are kept. Then prints, for every strength and quality, the bytes that all pictures together
take at equal mean metric, against the curve of what is shipped.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import latentpress
from benchmarks import provenance
from benchmarks.rows import ROOT, Rows, read, row_of, usable, write
from latentpress.bench.bd_rate import rate_at
from latentpress.entropy import masking
from latentpress.metrics import METRICS, Reference
from latentpress.options import QUALITY_UNIT, EncodeOptions
from latentpress.targets import Analyzed

MEASURED = ("psnr", "ssimulacra2", "lpips", "lpips-vgg", "dists")
KEY = ("strength", "quality", "image")
SHIPPED = -1  # in place of a strength: that of the level
COLUMNS = (*KEY, "bytes", *MEASURED)


def of_all_levels(strength: int) -> NDArray[np.int64]:
    """Masking's table with one strength at all levels; the shipped one where it is SHIPPED."""
    return masking.STRENGTH if strength == SHIPPED else np.full_like(masking.STRENGTH, strength)


def rows_of(
    path: Path, side: int, cells: Sequence[tuple[int, int]], metrics: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """A row a cell (strength, quality); the picture is analyzed once."""
    with Image.open(path) as image:
        whole = np.asarray(image.convert("RGB"))
    top, left = (max(0, n - side) // 2 for n in whole.shape[:2])
    pixels = whole[top : top + side, left : left + side]
    reference, analyzed = Reference(pixels), Analyzed(pixels, EncodeOptions(content="photo"))
    for strength, quality in cells:
        with patch.object(masking, "STRENGTH", of_all_levels(strength)):
            data = analyzed.write(QUALITY_UNIT * quality)
            decoded = np.asarray(latentpress.decompress(data).convert("RGB"))
        values = reference.assess(decoded, metrics)
        key = {"strength": strength, "quality": quality, "image": path.stem}
        yield row_of(COLUMNS, key, len(data), values)


def means(rows: Rows, strength: int, metric: str) -> dict[int, tuple[float, float]]:
    """Quality -> the mean bytes, and the mean metric."""
    of_quality: dict[int, Rows] = {}
    for row in rows:
        if int(row["strength"]) == strength:
            of_quality.setdefault(int(row["quality"]), []).append(row)
    mean = lambda part, name: float(np.mean([float(row[name]) for row in part]))
    return {q: (mean(part, "bytes"), mean(part, metric)) for q, part in sorted(of_quality.items())}


def gains(rows: Rows, strength: int, metric: str) -> dict[int, float]:
    """Quality -> bytes at equal mean metric against the shipped strength, in percent."""
    curve = list(means(rows, SHIPPED, metric).values())
    direction = METRICS[metric].direction
    found = {}
    for quality, (size, value) in means(rows, strength, metric).items():
        if of_shipped := rate_at(curve, value, direction=direction):
            found[quality] = 100 * (size / of_shipped - 1)
    return found


def numbers(text: str) -> list[int]:
    """Whole numbers with commas between them."""
    return [int(word) for word in text.split(",")]


def main() -> None:
    """Measure what is missing, and print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--strengths", type=numbers, default="0,60,110", help="beside the shipped")
    parser.add_argument("--qualities", type=numbers, default="10,22,35,48,58,68,80,92")
    parser.add_argument(
        "--curve", type=numbers, default="3,10,16,22,29,35,42,48,53,58,63,68,74,80,86,92,100"
    )
    parser.add_argument("--side", type=int, default=448, help="pixels of the middle of a picture")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "results/masking_strength.csv")
    args = parser.parse_args()
    rows, done = read(args.output, KEY)
    provenance.record(
        args.output, "bytes and quality by the strength of masking", ["builtin"], goes_on=bool(rows)
    )
    metrics = usable(",".join(MEASURED))
    cells = [(SHIPPED, quality) for quality in args.curve]
    cells += [(strength, quality) for strength in args.strengths for quality in args.qualities]
    for path in args.images:
        missing = [(s, q) for s, q in cells if (str(s), str(q), path.stem) not in done]
        rows += rows_of(path, args.side, missing, metrics)
        write(args.output, COLUMNS, rows)
        print(path.stem, flush=True)
    for strength in args.strengths:
        for metric in metrics:
            told = (f"{q}: {gain:+.1f} %" for q, gain in gains(rows, strength, metric).items())
            print(f"strength {strength}, at equal {metric}, quality", ", ".join(told))


if __name__ == "__main__":
    main()
