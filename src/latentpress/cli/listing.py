"""A list as JSON or as a table: what `latentpress models` and `latentpress metrics` print."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from latentpress.cli.json_output import to_json

UNBROKEN = 240  # columns where the output is no terminal: a row stays on one line


def show(
    rows: Sequence[dict[str, Any]],
    as_json: bool,
    heads: Sequence[str],
    lines: Iterable[Sequence[str]],
) -> None:
    """Print rows as JSON, or their lines, one cell a head, as a table."""
    if as_json:
        typer.echo(to_json(rows, 2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*heads, box=None, pad_edge=False)
    for line in lines:
        table.add_row(*line)
    Console(width=None if sys.stdout.isatty() else UNBROKEN, highlight=False).print(table)
