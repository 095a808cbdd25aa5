"""A list as JSON or as a table: what `latentpress models` and `latentpress metrics` print."""

from collections.abc import Iterable, Sequence
from typing import Any

import typer

from latentpress.cli.json_output import to_json
from latentpress.cli.terminal import console


def show(
    rows: Sequence[dict[str, Any]],
    as_json: bool,
    heads: Sequence[str],
    lines: Iterable[Sequence[str]],
    typed: Sequence[str],
) -> None:
    """Print rows as JSON, or their lines, one cell a head, as a table. typed: heads of what people
    type again, which is not cut however narrow the terminal is.
    """
    if as_json:
        typer.echo(to_json(rows, 2))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    listed = list(lines)
    for i, head in enumerate(heads):
        whole = max((len(line[i]) for line in listed), default=0) if head in typed else None
        table.add_column(head, overflow="fold", no_wrap=head in typed, min_width=whole)
    for line in listed:
        table.add_row(*line)
    console().print(table)
