"""Put scale.csv into the page about scale.

    python -m benchmarks.tables.scale_table [results/scale.csv]

Three tables stand below the markers that name the CSV: what was measured, the memory as pictures
pass, and what follows from both for a million and a billion pictures.
"""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import linear_regression

from benchmarks.provenance import RESULTS, ROOT
from benchmarks.sources import fill

PAGE = ROOT / "docs" / "measurements" / "scale.md"
MARK = "memory as small pictures pass"
SHARD = 10_000  # pictures
PLANS = {  # pictures, and megapixels of one
    "a million of 0.4 MP": (10**6, 0.393216),
    "a million of 12 MP": (10**6, 12.0),
    "a billion of 0.4 MP": (10**9, 0.393216),
}
Rows = list[list[str]]


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def table(file: Path) -> Rows:
    """What was measured: throughput, efficiency and memory."""
    head = [
        "",
        "engine",
        "workers",
        "pictures",
        "ms a picture",
        "pictures/s",
        "MP/s",
        "efficiency",
        "driver, MB",
        "worker, MB",
    ]
    shown = (
        "engine",
        "workers",
        "pictures",
        "ms_per_picture",
        "pictures_per_second",
        "mp_per_second",
        "efficiency",
        "driver_mb",
        "worker_mb",
    )
    rows = []
    for row in read(file):
        if row["what"] != MARK:
            size = f" of {row['width']} x {row['height']}" if row["width"] else ""
            rows.append([row["what"] + size, *(row[name] for name in shown)])
    return [head, *rows]


def memory(file: Path) -> Rows:
    """What driver and worker hold as small pictures pass."""
    rows = [
        [f"{int(row['pictures']):,}", row["driver_mb"], row["worker_mb"]]
        for row in read(file)
        if row["what"] == MARK
    ]
    return [["pictures passed", "driver, MB", "largest worker, MB"], *rows]


def planned(file: Path) -> Rows:
    """What PLANS cost, by what was measured with two workers of Ray."""
    rows = read(file)
    found = {row["what"]: row for row in rows if row["engine"] == "ray" and row["workers"] == "2"}
    photos, alone = found["photographs"], found["empty task, sent alone"]
    core_seconds = int(photos["workers"]) / float(photos["mp_per_second"])  # a megapixel
    bits = 8 * int(photos["output_bytes"]) / (int(photos["width"]) * int(photos["height"]))
    marks = [(int(row["pictures"]), float(row["driver_mb"])) for row in rows if row["what"] == MARK]
    slope = max(0.0, linear_regression(*zip(*marks, strict=True)).slope)  # MB a picture
    send = float(alone["ms_per_picture"]) / 1000

    def each(name: str, unit: str, value: Callable[[int, float], float]) -> list[str]:
        return [name, unit, *(figure(value(many, pixels)) for many, pixels in PLANS.values())]

    return [
        ["", "unit", *PLANS],
        each("compressing", "core hours", lambda n, mp: n * mp * core_seconds / 3600),
        each("with 100 cores", "days", lambda n, mp: n * mp * core_seconds / 3600 / 24 / 100),
        each("outputs", "GB", lambda n, mp: n * mp * bits / 8 / 1000),
        each("manifest", "GB", lambda n, mp: n * int(photos["manifest_bytes"]) / 1e9),
        each(
            "memory of the driver, beyond its first 200 MB (by the slope above)",
            "GB",
            lambda n, mp: n * slope / 1000,
        ),
        each("driver's time, a picture a sending", "hours", lambda n, mp: n * send / 3600),
        each("cores that one driver keeps busy so", "", lambda n, mp: mp * core_seconds / send),
        each(
            "requests, a picture a file: one to list 1,000, GET, PUT",
            "thousands",
            lambda n, mp: (2 * n + n / 1000) / 1000,
        ),
        each(
            f"requests, shards of {SHARD:,}: GET, PUT",
            "thousands",
            lambda n, mp: 2 * n / SHARD / 1000,
        ),
        each(f"a shard of {SHARD:,} outputs", "MB", lambda n, mp: SHARD * mp * bits / 8),
    ]


def figure(value: float) -> str:
    """Two digits that count; whole numbers with commas."""
    if value >= 100:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.2g}"


TABLES = (table, memory, planned)


if __name__ == "__main__":
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS / "scale.csv"
    for i, made in enumerate(TABLES):
        fill(PAGE, f"results/{source.name}", made(source), i)
    print(PAGE)
