"""A run's folder while it is made: what was finished before, rows as they come, and the same as
Parquet.
"""

import csv
import io
import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from latentpress.bench.rows import FIELDS, INFO, PARQUET, ROWS, Row, file_of, read_run
from latentpress.errors import OutputError, UsageError
from latentpress.system.files import atomic_write, locked

# of a codec, or its older rows are of another one
SAME = ("version", "settings", "model", "folder", "encoder", "decoder")
# of the machine: times of different ones do not belong in one table
TIMED_BY = ("cpu", "threads", "OMP_NUM_THREADS")
Cell = tuple[str, str, str]  # codec, setting, picture


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make a run's folder where it is not there, and keep other runs out of it meanwhile, where the
    system has locks of folders. OutputError where another one is in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # as on Windows, which opens no folder
        yield
        return
    try:
        if not locked(descriptor):
            raise OutputError(f"{folder}: another run is writing there")
        yield
    finally:
        os.close(descriptor)


class Store:
    """info: what run.json holds. rows: the finished ones, older ones first. ungraded: those that
    lack a metric that is asked for.
    """

    def __init__(self, folder: Path, info: dict[str, Any], cells: Collection[Cell]) -> None:
        """Begin a run of these cells in a folder that is there, and take over what an earlier,
        interrupted or smaller one finished in it.
        """
        self.folder = folder
        self.info = info
        self.rows: list[Row] = []
        self.ungraded: list[Row] = []
        self._finished: set[Cell] = set()
        if (folder / INFO).exists():
            self._take_over(set(cells))
        self.fields = [*FIELDS, *info["metrics"]]
        self._save_rows()
        self.save_info()  # behind the rows, without which it would be of no run

    def _save_rows(self) -> None:
        lines = io.StringIO(newline="")
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerows(
            [self.fields, *([_text(row.get(field)) for field in self.fields] for row in self.rows)]
        )
        atomic_write(self.folder / ROWS, lines.getvalue().encode(), overwrite=True)

    def _take_over(self, cells: set[Cell]) -> None:
        old = read_run(self.folder)
        advice = f"{self.folder} holds a run %s: choose another folder with -o"
        pictures = [
            {(i["name"], i["sha256"]) for i in info["images"]} for info in (old.info, self.info)
        ]
        if pictures[0] != pictures[1]:
            raise UsageError(advice % "over other pictures")
        if old.info.get("grey", False) != self.info["grey"]:
            raise UsageError(advice % "graded otherwise (--grey)")
        here = self.info["machine"]
        there = old.info.get("machine", {})
        if different := [key for key in TIMED_BY if there.get(key) != here[key]]:
            raise UsageError(
                advice % f"timed with another {different[0]} ({there.get(different[0])}, now "
                f"{here[different[0]]})"
            )
        self.info["created"] = old.info["created"]
        if self.info["command"] not in old.info["command"].split(" && "):
            self.info["command"] = f"{old.info['command']} && {self.info['command']}"
        else:
            self.info["command"] = old.info["command"]
        entries = {codec["name"]: codec for codec in old.info["codecs"]}
        for codec in self.info["codecs"]:
            old_entry = entries.get(codec["name"], codec)
            if different := [key for key in SAME if old_entry.get(key) != codec.get(key)]:
                what = (
                    f"with another {different[0]} of {codec['name']} "
                    f"({old_entry.get(different[0])}, now {codec.get(different[0])})"
                )
                raise UsageError(advice % what)
            codec.update({key: value for key, value in old_entry.items() if key not in codec})
        requested = list(self.info["metrics"])
        now = {codec["name"] for codec in self.info["codecs"]}
        self.info["metrics"] += [metric for metric in old.metrics if metric not in requested]
        self.info["codecs"] = [c for c in old.info["codecs"] if c["name"] not in now] + self.info[
            "codecs"
        ]
        for row in old.rows:
            if _cell(row) in self._finished:
                continue  # of two runs at a time, where the system has no locks
            is_asked = _cell(row) in cells
            if is_asked and not self._has_file(row):
                continue  # it is made again
            self._keep(row)
            if is_asked and any(row.get(metric) is None for metric in requested):
                self.ungraded.append(row)
        self._take_over_repeats(old.info.get("repeats", self.info["repeats"]), cells, advice)

    def _take_over_repeats(self, there: int, cells: set[Cell], advice: str) -> None:
        """The number of repeats is that of all rows: UsageError where some would be of another."""
        kinds = {codec["name"]: codec["kind"] for codec in self.info["codecs"]}
        if all(kinds[codec] == "pictures" for codec, *_ in cells - self._finished):
            self.info["repeats"] = there  # nothing is timed now
        elif there != self.info["repeats"] and any(row["encode_s"] for row in self.rows):
            what = f"whose times are the median of {there}, now {self.info['repeats']}"
            raise UsageError(f"{advice % what}, or name --repeats {there}")

    def _has_file(self, row: Row) -> bool:
        codec = next(c for c in self.info["codecs"] if c["name"] == row["codec"])
        return (
            codec["kind"] == "pictures"
            or file_of(self.folder, codec, row["setting"], row["image"]).is_file()
        )

    def finished(self, cell: Cell) -> bool:
        """Whether a cell has its row."""
        return cell in self._finished

    def add(self, row: Row) -> None:
        """Keep a row, on disk at once."""
        with (self.folder / ROWS).open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerow(
                [_text(row.get(field)) for field in self.fields]
            )
        self._keep(row)

    def fill(self, row: Row, values: Row) -> None:
        """Give a row that is there its missing metrics, on disk at once."""
        row.update(values)
        self._save_rows()

    def _keep(self, row: Row) -> None:
        self.rows.append(row)
        self._finished.add(_cell(row))

    def save_info(self) -> None:
        """Write run.json."""
        atomic_write(
            self.folder / INFO,
            json.dumps(self.info, indent=1, ensure_ascii=False).encode() + b"\n",
            overwrite=True,
        )

    def save_parquet(self) -> bool:
        """Write the rows as Parquet; False where pyarrow is not installed."""
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            return False
        table = pyarrow.table({field: _column(self.rows, field) for field in self.fields})
        stream = io.BytesIO()
        parquet.write_table(table, stream)
        atomic_write(self.folder / PARQUET, stream.getvalue(), overwrite=True)
        return True


def _cell(row: Row) -> Cell:
    return row["codec"], row["setting"], row["image"]


def _column(rows: Sequence[Row], field: str) -> list[Any]:
    return [row.get(field) for row in rows]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)
