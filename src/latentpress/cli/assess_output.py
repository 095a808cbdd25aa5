"""What `latentpress assess` writes: tables as CSV, Excel and JSON, and on the terminal. Infinite
values are the text inf.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from latentpress.cli.json_output import finite, to_json
from latentpress.cli.terminal import console, plain
from latentpress.system.spreadsheet import write_sheets

FORMATS = (".csv", ".xlsx", ".json")
DIGITS = {"mse": 3, "psnr": 2, "ms-ssim-db": 2, "ssimulacra2": 2}  # on the terminal; the others 4
Row = dict[str, Any]


def mean_of(rows: Sequence[Row], columns: Sequence[str]) -> Row:
    """The mean row: of every column its arithmetic mean (of PSNR the mean of the decibels), None
    where a picture has no value.
    """
    mean: Row = {"image": "mean", "width": None, "height": None}
    for key in ("bytes", "bpp", *columns):
        values = [row[key] for row in rows]
        mean[key] = None if any(value is None for value in values) else sum(values) / len(values)
    return mean


def as_object(
    rows: Sequence[Row], columns: Sequence[str], gray: bool, folders: bool
) -> dict[str, Any]:
    """The result as `to_json` takes it. Metrics that could not be computed are None."""
    images = [
        {key: row[key] for key in ("image", "width", "height", "bytes", "bpp", "identical")}
        | {"metrics": {key: row[key] for key in columns}}
        for row in rows
    ]
    if not folders:
        return images[0] | {"grey": gray}
    mean = mean_of(rows, columns)
    mean_object = {
        "bytes": mean["bytes"],
        "bpp": mean["bpp"],
        "metrics": {key: mean[key] for key in columns},
    }
    return {"grey": gray, "images": images, "mean": mean_object}


def table_bytes(
    suffix: str, rows: Sequence[Row], columns: Sequence[str], result: dict[str, Any]
) -> bytes:
    """The table as a file of this suffix; UsageError where Excel files need a library that is not
    installed.
    """
    if suffix == ".json":
        return (to_json(result) + "\n").encode()
    head = ["image", "width", "height", "bytes", "bpp", *columns]
    lines = [[finite(row[key]) for key in head] for row in rows]
    if suffix == ".csv":
        stream = io.StringIO(newline="")
        csv.writer(stream, lineterminator="\n").writerows([head, *lines])
        # a file's name that is no text comes back as its bytes
        return stream.getvalue().encode("utf-8", "surrogateescape")
    return write_sheets([("metrics", [head, *lines])])


def print_pair(row: Row, columns: Sequence[str], original: Path, distorted: Path) -> None:
    """One pair: a line a metric, with its unit and what is better."""
    from rich.table import Table

    from latentpress.metrics import METRICS

    pixels = "identical" if row["identical"] else "different"
    typer.echo(plain(f"{distorted} against {original}: {pixels} pixels"))
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim", overflow="fold")
    for key in columns:
        metric = METRICS[key]
        ideal = {"higher": metric.range[1], "lower": metric.range[0]}[metric.direction]
        table.add_row(
            metric.name,
            f"{_shown(key, row[key])} {metric.unit}".strip(),
            f"{metric.direction} is better, identical: {ideal:g}",
        )
    table.add_row("size", f"{row['bytes']:,} bytes", plain(f"of {distorted.name}"))
    table.add_row(
        "rate", f"{row['bpp']:.4f} bpp", f"8 x bytes / ({row['width']} x {row['height']} pixels)"
    )
    console().print(table)


def print_rows(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Many pairs: a line a picture, the mean last."""
    from rich.table import Table

    table = Table("image", *columns, "bytes", "bpp", box=None, pad_edge=False)
    table.columns[0].overflow = "fold"
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(
            plain(str(row["image"])),
            *(_shown(key, row[key]) for key in columns),
            f"{row['bytes']:,.0f}",
            f"{row['bpp']:.4f}",
        )
    console().print(table)


def _shown(key: str, value: float | None) -> str:
    return "-" if value is None else f"{value:.{DIGITS.get(key, 4)}f}"
