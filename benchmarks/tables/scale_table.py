"""Put scale.csv into the page about scale.

    python -m benchmarks.tables.scale_table [results/scale.csv]

Three tables stand below the markers that name the CSV: what was measured, the memory as pictures
pass, and what follows from both for a million and a billion pictures.
"""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from statistics import linear_regression

from benchmarks.sources import fill_by_command
from latentpress.system.remote import CHUNK

MARK = "memory as small pictures pass"
SHARD = 10**9  # bytes of its sources
PART = 50 * 2**20  # bytes; so s3fs sends an output that has more than two of them
READ, WRITE = 0.0004, 0.005  # dollars for a thousand requests, of a store's usual prices
MONTH = 0.023  # dollars for a GB
PLANS = {  # pictures, and megapixels of one
    "a million of 0.4 MP": (10**6, 0.393216),
    "a million of 12 MP": (10**6, 12.0),
    "a billion of 0.4 MP": (10**9, 0.393216),
}
Rows = list[list[str]]


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
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
    source = int(photos["source_bytes"]) / (int(photos["width"]) * int(photos["height"]))

    def inside(mp: float) -> float:
        """Pictures in a shard."""
        return SHARD / (1e6 * mp * source)

    def reads(n: int, mp: float) -> float:
        """Requests that read shards: one asks for the size, then a part each."""
        return n / inside(mp) * (1 + math.ceil(SHARD / CHUNK))

    def writes(n: int, mp: float) -> float:
        """Requests that write shards: one, or one a part and two around them."""
        size = inside(mp) * 1e6 * mp * bits / 8
        return n / inside(mp) * (1 if size < 2 * PART else 2 + math.ceil(size / PART))

    def each(name: str, unit: str, value: Callable[[int, float], float]) -> list[str]:
        return [name, unit, *(figure(value(many, pixels)) for many, pixels in PLANS.values())]

    return [
        ["", "unit", *PLANS],
        each("compressing", "core hours", lambda n, mp: n * mp * core_seconds / 3600),
        each("with 100 cores", "days", lambda n, mp: n * mp * core_seconds / 3600 / 24 / 100),
        each("sources", "GB", lambda n, mp: n * mp * source / 1000),
        each("outputs", "GB", lambda n, mp: n * mp * bits / 8 / 1000),
        each(
            "storage of the outputs", "dollars a month", lambda n, mp: n * mp * bits * MONTH / 8e3
        ),
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
        each("their price", "dollars", lambda n, mp: (n * READ + (n + n / 1000) * WRITE) / 1000),
        each("pictures in a shard of 1 GB", "", lambda n, mp: inside(mp)),
        each("its time on one core", "minutes", lambda n, mp: inside(mp) * mp * core_seconds / 60),
        each("its output", "MB", lambda n, mp: inside(mp) * mp * bits / 8),
        each("shards", "", lambda n, mp: n / inside(mp)),
        each(
            "requests, in shards: GET of 8 MiB, PUT",
            "thousands",
            lambda n, mp: (reads(n, mp) + writes(n, mp)) / 1000,
        ),
        each(
            "their price",
            "dollars",
            lambda n, mp: (reads(n, mp) * READ + writes(n, mp) * WRITE) / 1000,
        ),
    ]


def figure(value: float) -> str:
    """Two digits that count; whole numbers with commas."""
    if value >= 100:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.2g}"


TABLES = (table, memory, planned)


if __name__ == "__main__":
    fill_by_command(__doc__, "scale", *TABLES)
