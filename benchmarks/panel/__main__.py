"""The panel of the shipped model, beside what is asked of the next one:

    python -m benchmarks.panel ../shared/data

DATA holds kodak/. The runs that `from_runs` names are read as they lie in results/
(`benchmarks/new_model.sh` makes those of a new model). Writes results/panel.csv and the table of
docs/measurements/panel.md. What the transforms cost beside those of another commit is told by
`python -m benchmarks.tables.speed_gain`.
"""

import argparse
import csv
from pathlib import Path

from benchmarks import provenance
from benchmarks.panel import from_files, from_runs
from benchmarks.panel.goals import GOALS, Goal
from benchmarks.sources import fill

OUTPUT = provenance.RESULTS / "panel.csv"
PAGE = provenance.ROOT / "docs" / "measurements" / "panel.md"
HEAD = ["what", "unit", "now", "goal", "reached"]


def row(goal: Goal, value: float) -> list[str]:
    """A line of the table."""
    asked = "" if goal.goal is None else f"{goal.side} {goal.goal:g}"
    reached = {None: "", True: "yes", False: "no"}[goal.reached(value)]
    return [
        goal.what,
        goal.unit,
        f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}",
        asked,
        reached,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    values = dict(from_runs.values()) | dict(from_files.values(options.data / "kodak"))
    found = [(goal, values[goal.key]) for goal in GOALS if goal.key in values]
    with OUTPUT.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("key", "unit", "value", "goal", "side"))
        for goal, value in found:
            writer.writerow((goal.key, goal.unit, f"{value:.5g}", goal.goal, goal.side))
    what = "the shipped model of lp1 on the fixed panel, beside what is asked of the next"
    provenance.record(OUTPUT, what, ["builtin"])
    fill(PAGE, f"results/{OUTPUT.name}", [HEAD, *(row(goal, value) for goal, value in found)])
    print(OUTPUT, PAGE, sep="\n")


if __name__ == "__main__":
    main()
