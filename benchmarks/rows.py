"""A benchmark whose rows grow over several runs: what was measured stays in the file, and is not
measured again; rows of another model than the shipped one are refused.
"""

import argparse
import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.provenance import ROOT, refuse_other_models
from latentpress.metrics import available

# kodak, science-fair
DATA = Path(os.environ.get("LATENTPRESS_DATA") or ROOT.parent / "shared" / "data")
Rows = list[dict[str, Any]]


def parser(
    description: str | None,
    codec: str,
    efforts: str,
    qualities: str,
    measured: Sequence[str],
    output: str,
) -> argparse.ArgumentParser:
    """The options that such benchmarks share, with their defaults. output: under the project."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("images", type=Path, nargs="+")
    options.add_argument("--codec", default=codec)
    options.add_argument("--model")
    options.add_argument(
        "--efforts",
        default=efforts,
        help="of some benchmarks each with what it minimizes, as in 9:mse",
    )
    options.add_argument("--metrics", default=",".join(measured))
    options.add_argument("--qualities", default=qualities)
    options.add_argument("-o", "--output", type=Path, default=ROOT / output)
    return options


def read(output: Path, key: Sequence[str]) -> tuple[Rows, set[tuple[str, ...]]]:
    """The rows that the file has already, and the key of each."""
    rows: Rows = []
    refuse_other_models(output)
    if output.exists():
        with output.open(newline="", encoding="utf-8") as f:
            rows = list(csv.DictReader(f))
    return rows, {tuple(str(r[k]) for k in key) for r in rows}


def usable(metrics: str) -> Sequence[str]:
    """Of metrics with commas between them those whose weights are here; the others are told."""
    names, missing = available(metrics.split(","))
    print(*(f"left out: {name}: {reason}" for name, reason in missing.items()), sep="\n")
    return names


def row_of(
    columns: Sequence[str], key: dict[str, Any], size: int, values: Mapping[str, float]
) -> dict[str, Any]:
    """A row of a file of `size` bytes, graded by metrics; empty where a column has no value."""
    graded = {name: f"{value:.5f}" for name, value in values.items()}
    return dict.fromkeys(columns, "") | key | {"bytes": size} | graded


def write(output: Path, columns: Sequence[str], rows: Rows) -> None:
    """All rows, anew."""
    with output.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, columns)
        writer.writeheader()
        writer.writerows(rows)
