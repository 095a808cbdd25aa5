"""Whether a Kodak run agrees with what the field measures.

    python -m benchmarks.tables.check_published results/kodak [-o results/field.md]

    LATENTPRESS_DATA=... latentpress bench --dataset kodak --codecs jpeg,webp,avif,jxl \\
        --metrics psnr,ms-ssim -o RUN
    python -m benchmarks.tables.check_published RUN

Takes the mean curves of a run over the 24 images, interpolates PSNR and MS-SSIM in log bpp
(monotone cubic) and holds them against the numbers below, which were measured before this benchmark
existed, with code of its own. Exit code 1 where one is off by more than 0.25 dB or 0.005. A rate at
most 3 % below a codec's lowest is taken at its lowest: WebP ends at 0.103 bpp.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import provenance
from latentpress.bench.bd_rate import pchip
from latentpress.bench.rate_distortion import curve
from latentpress.bench.rows import Run, read_run

RATES = (0.10, 0.15, 0.20, 0.30, 0.50)  # bpp
FIELD = {  # PSNR in dB and MS-SSIM at RATES
    "jpeg": (None, (24.2, 0.818), (25.6, 0.864), (27.4, 0.910), (29.6, 0.951)),
    "webp": ((25.7, 0.858), (26.9, 0.894), (27.8, 0.918), (29.3, 0.942), (31.6, 0.964)),
    "jxl": (None, (26.0, 0.887), (27.2, 0.914), (28.8, 0.942), (31.1, 0.968)),
    "avif": ((26.7, 0.903), (28.0, 0.929), (28.9, 0.944), (30.4, 0.962), (32.6, 0.977)),
}
# libjxl halves the resolution above distance 10 (quality 18 and lower). The field's points went
# from q0 to q25, and its number at 0.20 bpp lies on the line between. To compare like with like
# these settings are left out, and what they give is printed too.
LEFT_OUT = {"jxl": range(1, 20)}
END = 1.03
METRICS, TOLERANCE, FORMATS = ("psnr", "ms-ssim"), (0.25, 0.005), (".2f", ".4f")


def at_rate(points: list[tuple[float, float]], bpp: float) -> float | None:
    """The metric of a curve at a rate, None outside of it."""
    rates, values = (np.array(column) for column in zip(*sorted(points), strict=True))
    if not rates[0] / END <= bpp <= rates[-1]:
        return None
    return float(pchip(np.log(rates), values, np.array([np.log(max(bpp, rates[0]))]))[0])


def without_some(run: Run, codec: str) -> Run:
    """The run without the rows of LEFT_OUT."""
    settings = {f"q{quality}" for quality in LEFT_OUT.get(codec, ())}
    return replace(
        run,
        rows=[row for row in run.rows if row["codec"] == codec and row["setting"] not in settings],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="also write the table here")
    arguments = parser.parse_args()
    run = read_run(arguments.run)
    if len(run.images) != 24:
        sys.exit(
            f"{arguments.run} is over {len(run.images)} pictures, "
            "the field's numbers are over the 24 of Kodak"
        )
    made = f"Made by `python -m benchmarks.tables.check_published` from `{run.info['command']}`."
    lines = [
        "# Kodak: this benchmark against the field's numbers",
        "",
        made,
        f"Tolerance {TOLERANCE[0]} dB and {TOLERANCE[1]}; PCHIP in log bpp. Versions: "
        + "; ".join(
            f"{name} {run.codec(name)['version']}, {run.codec(name)['settings']}" for name in FIELD
        )
        + ".",
        "",
        "| codec | bpp | PSNR dB: field, here, difference | MS-SSIM: field, here, difference |",
        "|---|---|---|---|",
    ]
    off = compared = 0
    for name, known in FIELD.items():
        for bpp, values in zip(RATES, known, strict=True):
            if values is None:
                continue
            cells = []
            for metric, expected, tolerance, form in zip(
                METRICS, values, TOLERANCE, FORMATS, strict=True
            ):
                here = at_rate(curve(without_some(run, name), name, metric), bpp)
                if here is None:
                    cells.append(f"{expected:{form}}, the run does not reach this rate")
                    off += 1
                    continue
                compared, wrong = compared + 1, abs(here - expected) > tolerance
                off += wrong
                cells.append(
                    f"{expected:{form}}, {here:{form}}, "
                    f"{here - expected:+{form}}{' **off**' if wrong else ''}"
                )
            lines.append(f"| {name} | {bpp:.2f} | {cells[0]} | {cells[1]} |")
    for name in LEFT_OUT:
        whole = [at_rate(curve(run, name, metric), 0.20) for metric in METRICS]
        if None not in whole:
            left_out = f"q{LEFT_OUT[name][0]} to q{LEFT_OUT[name][-1]}"
            lines += [
                "",
                f"{name} is compared without its settings {left_out}, "
                "over which the field's numbers were interpolated; "
                f"with them it has {whole[0]:.2f} dB and {whole[1]:.4f} at 0.20 bpp.",
            ]
    lines += ["", f"{compared} numbers compared, {off} off or missing."]
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        provenance.record(
            arguments.output, "JPEG, WebP, JPEG XL and AVIF on Kodak against published figures", []
        )
    sys.exit(1 if off else 0)


if __name__ == "__main__":
    main()
