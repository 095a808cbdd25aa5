"""Whether a Kodak run agrees with what the field measures: python benchmarks/field.py results/kodak [-o results/field.md]

    LATENTPRESS_DATA=... latentpress bench --dataset kodak --codecs jpeg,webp,avif,jxl --metrics psnr,ms-ssim -o RUN
    python benchmarks/field.py RUN

Takes the mean curves of a run over the 24 images, interpolates PSNR and MS-SSIM in log bpp (monotone cubic) and holds them
against the numbers below, which were measured before this benchmark existed, with code of its own. Exit code 1 where one is
off by more than 0.25 dB or 0.005.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from latentpress.bench.bd_rate import pchip
from latentpress.bench.rows import read_run
from latentpress.bench.table import curve

RATES = (0.10, 0.15, 0.20, 0.30, 0.50)  # bpp
FIELD = {  # PSNR in dB and MS-SSIM at RATES
    "jpeg": (None, (24.2, 0.818), (25.6, 0.864), (27.4, 0.910), (29.6, 0.951)),
    "webp": ((25.7, 0.858), (26.9, 0.894), (27.8, 0.918), (29.3, 0.942), (31.6, 0.964)),
    "jxl": (None, (26.0, 0.887), (27.2, 0.914), (28.8, 0.942), (31.1, 0.968)),
    "avif": ((26.7, 0.903), (28.0, 0.929), (28.9, 0.944), (30.4, 0.962), (32.6, 0.977)),
}
METRICS, TOLERANCE, FORMATS = ("psnr", "ms-ssim"), (0.25, 0.005), (".2f", ".4f")


def at_rate(points: list[tuple[float, float]], bpp: float) -> float | None:
    """The metric of a curve at a rate, None outside of it."""
    rates, values = (np.array(column) for column in zip(*sorted(points), strict=True))
    if not rates[0] <= bpp <= rates[-1]:
        return None
    return float(pchip(np.log(rates), values, np.array([np.log(bpp)]))[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="also write the table here")
    arguments = parser.parse_args()
    run = read_run(arguments.run)
    if len(run.images) != 24:
        sys.exit(f"{arguments.run} is over {len(run.images)} pictures, the field's numbers are over the 24 of Kodak")
    made = f"Made by `python benchmarks/field.py` from `{run.info['command']}`."
    lines = ["# Kodak: this benchmark against the field's numbers", "", made,
             f"Tolerance {TOLERANCE[0]} dB and {TOLERANCE[1]}; PCHIP in log bpp. Versions: "
             + "; ".join(f"{name} {run.codec(name)['version']}, {run.codec(name)['settings']}" for name in FIELD) + ".", "",
             "| codec | bpp | PSNR dB: field, here, difference | MS-SSIM: field, here, difference |", "|---|---|---|---|"]  # fmt: skip
    off = compared = 0
    for name, known in FIELD.items():
        for bpp, values in zip(RATES, known, strict=True):
            if values is None:
                continue
            cells = []
            for metric, expected, tolerance, form in zip(METRICS, values, TOLERANCE, FORMATS, strict=True):
                here = at_rate(curve(run, name, metric), bpp)
                if here is None:
                    cells.append(f"{expected:{form}}, the run does not reach this rate")
                    off += 1
                    continue
                compared, wrong = compared + 1, abs(here - expected) > tolerance
                off += wrong
                cells.append(f"{expected:{form}}, {here:{form}}, {here - expected:+{form}}{' **off**' if wrong else ''}")
            lines.append(f"| {name} | {bpp:.2f} | {cells[0]} | {cells[1]} |")
    lines += ["", f"{compared} numbers compared, {off} off or missing."]
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(1 if off else 0)


if __name__ == "__main__":
    main()
