"""Put speed.csv into the page about speed.

    python -m benchmarks.tables.speed_table [results/speed.csv] [--page docs/measurements/speed.md]

The table stands below the marker that names the CSV. A row a measurement, a column a codec.
"""

import csv
from pathlib import Path

from benchmarks.sources import fill_by_command
from benchmarks.tables.speed import CODECS, NAMES


def table(file: Path) -> list[list[str]]:
    """The table's rows, its head first."""
    if file.stem.startswith("speed-gain"):
        return gain(file)
    groups: dict[tuple[str, str], dict[str, str]] = {}
    with file.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            what, _, codec = row["what"].rpartition(", ")
            if row["unit"] and codec in NAMES.values():
                groups.setdefault((what, row["unit"]), {})[codec] = row["value"]
            elif row["unit"]:
                groups[row["what"], row["unit"]] = {NAMES[CODECS[0]]: row["value"]}
    head = ["", "unit", *(NAMES[codec] for codec in CODECS)]
    return [
        head,
        *(
            [what, unit, *(values.get(NAMES[codec], "") for codec in CODECS)]
            for (what, unit), values in groups.items()
        ),
    ]


def gain(file: Path) -> list[list[str]]:
    """The same of what speed_gain.py writes."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = [
            [row["what"], row["before_seconds"], row["now_seconds"], row["ratio"]]
            for row in csv.DictReader(stream)
        ]
    return [["in process", "before, s", "now, s", "before / now"], *rows]


if __name__ == "__main__":
    fill_by_command(__doc__, "speed", table)
