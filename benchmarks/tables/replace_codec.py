"""Put a codec's newly measured rows into a run whose files were not kept:
python -m benchmarks.tables.replace_codec results/benchmark NEW builtin

`latentpress bench` goes on with a run only where the compressed files lie beside its rows, and
never mixes two versions of a codec. Runs under results/ have no files, so after a new model its
rows are measured in a folder of their own, NEW, with the same command, and take the places of the
old ones here. Refused where the two runs differ in pictures, metrics, machine, or in what the codec
was asked for.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

from benchmarks import provenance
from latentpress.bench.results_folder import TIMED_BY
from latentpress.bench.rows import INFO, ROWS, read_run

SAME = ("metrics", "grey", "repeats")
PICTURE = ("name", "width", "height", "sha256")  # wherever its file lies


def refuse_if(different: bool, what: str) -> None:
    if different:
        raise SystemExit(f"the two runs differ in {what}: measure with the command in {INFO}")


def replace(old: Path, new: Path, name: str) -> int:
    """How many rows were replaced."""
    was, now = read_run(old), read_run(new)
    for key in SAME:
        refuse_if(was.info.get(key) != now.info.get(key), key)
    refuse_if(_pictures(was.info) != _pictures(now.info), "images")
    for key in TIMED_BY:
        refuse_if(was.info["machine"].get(key) != now.info["machine"].get(key), key)
    lines, fresh = _lines(old), {_place(row): row for row in _lines(new) if row["codec"] == name}
    refuse_if(
        {_place(row) for row in lines if row["codec"] == name} != fresh.keys(),
        f"the settings of {name}",
    )
    info = was.info | {
        "codecs": [
            now.codec(name) if codec["name"] == name else codec for codec in was.info["codecs"]
        ]
    }
    with (old / ROWS).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(lines[0]), lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(fresh.get(_place(row), row) for row in lines)
    (old / INFO).write_text(
        json.dumps(info, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
    )
    provenance.record_run(old)
    return len(fresh)


def _pictures(info: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [tuple(picture[key] for key in PICTURE) for picture in info["images"]]


def _lines(folder: Path) -> list[dict[str, Any]]:
    with (folder / ROWS).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _place(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["codec"], row["setting"], row["image"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("codec")
    given = parser.parse_args()
    print(f"{replace(given.old, given.new, given.codec)} rows of {given.codec} in {given.old}")
