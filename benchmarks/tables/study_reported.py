"""The study's reported values beside right ones.

    python -m benchmarks.tables.study_reported PICTURES [-o results/study-reported.csv]

PICTURES: the folder with the study's own pictures (original_01.png, sd15_vae_01.png,
jpeg100_01.png, webp80_01.png, ...) and its workbook friqa_data.xlsx. Writes a row a pair: what the
study reported, the same metric computed right (gray), LPIPS (color), and what the study's formula
gives, its differences wrapping around in uint8. Needs openpyxl (the extra `bench`).
"""

import argparse
import csv
import math
from pathlib import Path

import numpy as np
from openpyxl import load_workbook
from PIL import Image

from benchmarks import provenance
from benchmarks.rows import ROOT
from latentpress.metrics import assess
from latentpress.metrics.checks import to_gray

KINDS, COUNT = ("sd15_vae", "jpeg100", "webp80"), 5
SHEETS = {"ssim": "SSIM", "mse": "MSE", "psnr": "PSNR"}


def wrapped_mse(a: np.ndarray, b: np.ndarray) -> float:
    """The study's MSE: differences and squares in uint8, both modulo 256."""
    return float(((a - b) ** 2).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", type=Path)
    parser.add_argument(
        "-o", "--output", type=Path, default=ROOT / "results" / "study-reported.csv"
    )
    options = parser.parse_args()
    book = load_workbook(options.pictures / "friqa_data.xlsx", read_only=True, data_only=True)
    last = 1 + COUNT * len(KINDS)
    cells = {
        m: book[sheet].iter_rows(min_row=2, max_row=last, max_col=1, values_only=True)
        for m, sheet in SHEETS.items()
    }
    values = {m: [row[0] for row in rows] for m, rows in cells.items()}
    read = lambda name: np.asarray(Image.open(options.pictures / name).convert("RGB"))
    rows = []
    for i, kind in enumerate(KINDS):
        for number in range(1, COUNT + 1):
            a, b = read(f"original_{number:02}.png"), read(f"{kind}_{number:02}.png")
            right = assess(a, b, ["ssim", "mse", "psnr", "lpips"], gray=True)
            wrapped = wrapped_mse(to_gray(a), to_gray(b))
            reported = {m: values[m][i * COUNT + number - 1] for m in SHEETS}
            rows.append(
                {"pair": f"{kind}_{number:02}"}
                | {f"{m}_reported": v for m, v in reported.items()}
                | {m: right[m] for m in right}
                | {"mse_wrapped": wrapped, "psnr_wrapped": 10 * math.log10(255**2 / wrapped)}
            )
    with options.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(
            {k: v if isinstance(v, str) else f"{v:.6f}" for k, v in row.items()} for row in rows
        )
    provenance.record(options.output, "the study's reported metrics beside right ones", [])
    columns = (
        "ssim_reported",
        "ssim",
        "mse_reported",
        "mse",
        "mse_wrapped",
        "psnr_reported",
        "psnr",
        "lpips",
    )
    digits = {"ssim_reported": 4, "ssim": 4, "lpips": 4}
    print(
        f"| pair | {' | '.join(c.replace('_', ' ') for c in columns)} |\n"
        + "|---" * (1 + len(columns))
        + "|"
    )
    for r in rows:
        values = (format(r[c], f".{digits.get(c, 2)}f") for c in columns)
        print(f"| {r['pair']} | {' | '.join(values)} |")


if __name__ == "__main__":
    main()
