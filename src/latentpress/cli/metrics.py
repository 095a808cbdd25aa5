"""`latentpress metrics`: every metric, its unit and direction, whether its weights are here and
from where; fetch them.
"""

from typing import Annotated, Any

import typer

from latentpress.cli import terminal
from latentpress.cli.listing import show

metrics_app = typer.Typer()


@metrics_app.callback(invoke_without_command=True)
def metrics(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List every metric: unit, range, which direction is better, and whether its weights are on
    this machine; fetch them.

    Example: latentpress metrics --json
    """
    if context.invoked_subcommand:
        return
    rows = listing()
    lines = []
    for row in rows:
        low, high = (f"{end:g}".replace("inf", terminal.sign("∞", "inf")) for end in row["range"])
        status = row["missing"] or (
            "ready" if not row["weights"] else f"ready, {', '.join(row['weights'])}"
        )
        lines.append(
            (row["name"], row["label"], row["unit"], f"{low} to {high}", row["direction"], status)
        )
    show(rows, as_json, ("name", "metric", "unit", "range", "better", "status"), lines, ("name",))


def listing() -> list[dict[str, Any]]:
    """A row a metric: name, label, unit, range (its two ends), direction,
    needs_weights, smallest (pixels a side), slow, missing (why it cannot be computed here, or None)
    and weights (the files that it uses).
    """
    from latentpress.metrics import METRICS
    from latentpress.metrics.weights import USED_BY, found

    rows = []
    for key, metric in METRICS.items():
        files = [path for used in USED_BY.get(key, ()) for path in found(used)]
        rows.append(
            {
                "name": key,
                "label": metric.name,
                "unit": metric.unit,
                "range": metric.range,
                "direction": metric.direction,
                "needs_weights": metric.needs_weights,
                "smallest": metric.smallest,
                "slow": metric.slow,
                "missing": metric.missing(),
                "weights": [str(path) for path in files],
            }
        )
    return rows


@metrics_app.command()
def fetch() -> None:
    """Download the weights of LPIPS and DISTS (64 MB) into the cache, verify them and print their
    paths.

    Files that are on this machine already are left where they are.

    Example: latentpress metrics fetch
    """
    from latentpress.metrics.fetch import fetch as fetch_weights

    for path in fetch_weights():
        typer.echo(str(path))
