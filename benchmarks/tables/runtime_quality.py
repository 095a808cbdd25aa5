"""What byte and bfloat16 transforms cost in quality: bytes and metrics against float32, each side
alone.

    python -m benchmarks.tables.runtime_quality kodak/*.png cid22-validation/*.png
        -> results/runtimes-quality.csv

The side `analysis` is the encoder: its files are decoded in float32. The side `synthesis` is the
decoder: it is given the files that were encoded in float32. `native` is the package's own
convolutions, `int8` ONNX Runtime's. A row a picture, quality, side and precision; rows that the
file already has are kept, so that a run can be gone on with, or one precision measured anew whose
rows were taken out. Then prints means for each folder and quality: bytes, and each metric at equal
bytes, by the slope of the picture's own float32 curve, which therefore needs several qualities.
half needs `latentpress[openvino]` and native a processor with AVX-512 and VNNI; they are left out
without.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import latentpress
from benchmarks import provenance
from benchmarks.rows import parser, read, usable, write
from latentpress.metrics import Reference
from latentpress.runtimes import native
from latentpress.runtimes.choice import PRECISION_VARIABLE, RUNTIME_VARIABLE, is_installed

MEASURED = ("psnr", "ssimulacra2", "lpips")
KEY = ("set", "image", "quality", "side", "precision")
COLUMNS = (*KEY, "bytes", *MEASURED)
# the variables' values, by the name in the table
WAYS = {
    "float": ("onnxruntime", "float"),
    "native": ("native", "int8"),
    "int8": ("onnxruntime", "int8"),
    "half": ("openvino", "half"),
}


def within(precision: str) -> None:
    """From here on transforms run in this precision."""
    os.environ[RUNTIME_VARIABLE], os.environ[PRECISION_VARIABLE] = WAYS[precision]


def coded(image: np.ndarray, precision: str, quality: float) -> bytes:
    within(precision)
    return latentpress.compress(image, quality=quality, content="photo")


def decoded(data: bytes, precision: str) -> np.ndarray:
    within(precision)
    return np.asarray(latentpress.decompress(data).convert("RGB"))


def rows_of(
    path: Path, quality: float, precisions: Sequence[str], metrics: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The rows of a picture at a quality."""
    image = np.asarray(Image.open(path).convert("RGB"))
    reference = Reference(image)
    file = coded(image, "float", quality)

    def row(side: str, precision: str, data: bytes, back: np.ndarray) -> dict[str, Any]:
        key = {
            "set": path.parent.name,
            "image": path.stem,
            "quality": f"{quality:g}",
            "side": side,
            "precision": precision,
        }
        return (
            key
            | {"bytes": len(data)}
            | {name: f"{value:.5f}" for name, value in reference.assess(back, metrics).items()}
        )

    yield row("both", "float", file, decoded(file, "float"))
    for precision in precisions:
        other = coded(image, precision, quality)
        yield row("analysis", precision, other, decoded(other, "float"))
        yield row("synthesis", precision, file, decoded(file, precision))


def summary(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for every set, side, precision and quality: means over the pictures, and the worst
    picture's PSNR.
    """
    curves: dict[tuple[str, str], list[dict[str, Any]]] = {}
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        if row["side"] == "both":
            curves.setdefault((row["set"], row["image"]), []).append(row)
        else:
            groups.setdefault(
                (row["set"], row["side"], row["precision"], row["quality"]), []
            ).append(row)
    lines = []
    for (name, side, precision, quality), part in sorted(
        groups.items(), key=lambda g: (*g[0][:3], float(g[0][3]))
    ):
        sizes, changes = [], {m: list[float]() for m in MEASURED}
        for row in part:
            curve = sorted(curves[row["set"], row["image"]], key=lambda r: float(r["quality"]))
            logs = np.log([float(r["bytes"]) for r in curve])
            at = [r["quality"] for r in curve].index(quality)
            size = np.log(float(row["bytes"])) - logs[at]
            sizes.append(size)
            for m in MEASURED:
                if row.get(m):
                    values = np.array([float(r[m]) for r in curve])
                    slope = np.gradient(values, logs)[at] if len(curve) > 1 else 0.0
                    change = float(row[m]) - values[at] - slope * size
                    changes[m].append(100 * change / values[at] if m == "lpips" else change)
        told = [
            f"{m} {np.mean(v):+.3f}{' %' if m == 'lpips' else ''}" for m, v in changes.items() if v
        ]
        lines.append(
            f"{name} {side} {precision} quality {quality}: bytes "
            f"{100 * np.expm1(np.mean(sizes)):+.2f} %; at equal bytes "
            f"{', '.join(told)}; worst psnr {min(changes['psnr']):+.3f} ({len(part)})"
        )
    return lines


def main() -> None:
    read_from = parser(
        __doc__, "builtin", "0", "15,50,80,100", MEASURED, "results/runtimes-quality.csv"
    )
    read_from.add_argument("--precisions", default="native,int8,half")
    options = read_from.parse_args()
    metrics = usable(options.metrics)
    here = {"native": bool(native.library()), "int8": True, "half": is_installed("openvino")}
    precisions = [name for name in options.precisions.split(",") if here[name]]
    rows, done = read(options.output, KEY)
    provenance.record(
        options.output,
        "quality of int8 and bfloat16 transforms beside float32",
        ["builtin"],
        goes_on=bool(rows),
    )
    for path in options.images:
        for quality in options.qualities.split(","):
            of_picture = path.parent.name, path.stem, f"{float(quality):g}"
            missing = [name for name in precisions if (*of_picture, "analysis", name) not in done]
            if missing:
                found = rows_of(path, float(quality), missing, metrics)
                rows += (row for row in found if tuple(row[k] for k in KEY) not in done)
                write(options.output, COLUMNS, rows)
                print(path.stem, quality, flush=True)
    print(*summary(rows), sep="\n")


if __name__ == "__main__":
    main()
