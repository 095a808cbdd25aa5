"""Put effort.csv into the page about effort.

    python -m benchmarks.tables.effort_table [results/effort.csv]

A row an effort and aim, on the pictures that it was measured on: CPU seconds a picture, and bytes
at equal PSNR and at equal LPIPS against each picture's own curve at effort 0 for the default aim.
The table stands below the marker that names the CSV.
"""

import statistics
from pathlib import Path

from benchmarks.rows import Rows, read
from benchmarks.sources import fill_by_command
from benchmarks.tables.effort_rates import KEY, compared, percent, sorted_out

HEAD = [
    "effort",
    "for",
    "CPU seconds a picture",
    "bpp",
    "bytes at equal PSNR",
    "bytes at equal LPIPS",
    "pictures",
]
QUALITY = "25.0"  # of the rows that are shown, as in the file
AIMS = {"": "the default", "perceptual": "the default", "mse": "`--optimize-for mse`"}


def cells(effort: str, aim: str, part: Rows, curves: dict[str, Rows]) -> list[str]:
    """One row."""
    seconds = statistics.median(float(row["seconds"]) for row in part)
    bpp = statistics.fmean(float(row["bpp"]) for row in part)
    ratios = [compared(part, curves, metric)[0] for metric in ("psnr", "lpips")]
    changes = [percent(r) if len(r) == len(part) else "beyond the curve" for r in ratios]
    shown = f"{seconds:.{1 if seconds >= 1 else 2}f}"
    return [effort, AIMS[aim], shown, f"{bpp:.3f}", *changes, str(len(part))]


def table(file: Path) -> list[list[str]]:
    """The table's rows, its head first."""
    groups, curves = sorted_out(read(file, KEY)[0])
    order = sorted(groups.items(), key=lambda group: (group[0][2] == "mse", group[0][1]))
    shown = [(key, part) for key, part in order if key[3] == QUALITY]
    return [
        HEAD,
        *(cells(effort, aim, part, curves[codec]) for (codec, effort, aim, _), part in shown),
    ]


if __name__ == "__main__":
    fill_by_command(__doc__, "effort", table)
