"""A run's folder, read back: what it says of itself, its rows, its kept files.

run.json    versions, machine, pictures, codecs, metrics
rows.csv    a row a codec, setting and picture; rows.parquet is the same where pyarrow is installed
files/      <codec>/<setting>/<picture><suffix>: the compressed files, the evidence of every rate
"""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentpress._typing import Pixels
from latentpress.errors import ImageError, LatentpressError, UsageError, prefixed

INFO = "run.json"
ROWS = "rows.csv"
PARQUET = "rows.parquet"
FILES = "files"
# then one a metric. screen_share: of the picture, what a screen layer shows; empty of others' files
FIELDS = (
    "codec",
    "setting",
    "image",
    "width",
    "height",
    "bytes",
    "bpp",
    "encode_s",
    "decode_s",
    "screen_share",
)
_WORDS, _INTEGERS = ("codec", "setting", "image"), ("width", "height", "bytes")
Row = dict[str, Any]  # words, integers, floats; None where a column is empty


@dataclass(frozen=True)
class Run:
    """folder; info: run.json; rows: rows.csv with numbers parsed and None for empty cells, in the
    order they were made.
    """

    folder: Path
    info: dict[str, Any]
    rows: list[Row]

    @property
    def metrics(self) -> list[str]:
        """The columns of metrics, in order."""
        return list(self.info["metrics"])

    @property
    def images(self) -> list[str]:
        """The names of the pictures, in order."""
        return [image["name"] for image in self.info["images"]]

    def codec(self, name: str) -> dict[str, Any]:
        """What run.json says of one codec; UsageError where it is not in the run."""
        for codec in self.info["codecs"]:
            if codec["name"] == name:
                return dict(codec)
        raise UsageError(
            f"{self.folder}: no codec {name!r}; there are "
            f"{', '.join(c['name'] for c in self.info['codecs'])}"
        )


def read_run(folder: str | Path) -> Run:
    """The run in a folder, finished or interrupted; UsageError where there is none."""
    folder = Path(folder)
    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
        rows = read_rows(folder / ROWS)
        _check(info, rows)
    except FileNotFoundError:
        raise UsageError(
            f"{folder} holds no run: it needs {INFO} and {ROWS}, which `latentpress bench -o "
            f"{folder}` writes"
        ) from None
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{folder} holds no run that can be read: {error}") from error
    return Run(folder, info, rows)


def _check(info: Any, rows: list[Row]) -> None:
    """ValueError or KeyError where these are not of one run."""
    if not isinstance(info, dict):
        raise ValueError(f"{INFO} is not of a run")
    for key in ("images", "codecs"):
        entries = info.get(key)
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and "name" in entry for entry in entries
        ):
            raise ValueError(f"{INFO} tells no {key}")
    if not isinstance(info.get("metrics"), list):
        raise ValueError(f"{INFO} tells no metrics")
    known = {codec["name"] for codec in info["codecs"]}
    if unknown := next((row["codec"] for row in rows if row["codec"] not in known), None):
        raise ValueError(f"{INFO} does not tell of {unknown}, which has rows in {ROWS}")


def read_rows(path: Path) -> list[Row]:
    """The rows of a rows.csv; a last line without its end, as a killed run leaves it, is dropped.
    ValueError of other damage.
    """
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    rows = list(csv.DictReader(io.StringIO(whole)))
    if any(None in row or None in row.values() for row in rows):
        raise ValueError(f"{path.name} has a row with more or fewer cells than its head")
    return [{key: _parsed(key, value) for key, value in row.items()} for row in rows]


def _parsed(key: str, value: str) -> Any:
    if key in _WORDS:
        return value
    if value == "":
        return None
    return int(value) if key in _INTEGERS else float(value)


def file_of(folder: Path, codec: dict[str, Any], setting: str, image: str) -> Path:
    """Where a run keeps the compressed file of one cell; codec: its entry in run.json."""
    return Path(folder) / FILES / codec["name"] / setting / f"{image}{codec['suffix']}"


def picture_of(folder: Path, codec: dict[str, Any], setting: str, image: str) -> Path:
    """Where a run keeps the decoded picture of an external program's file: reading a run never
    starts programs.
    """
    return Path(folder) / FILES / codec["name"] / setting / f"{image}.decoded.png"


def decoded(run: Run, codec: str, setting: str, image: str) -> Pixels:
    """The decoded picture of one cell, uint8 (H, W, 3), from the kept file. ImageError where the
    file is gone.
    """
    from latentpress.bench.datasets import read_pixels

    entry = run.codec(codec)
    if entry.get("kind") == "pictures":
        from latentpress.bench.precomputed import find_picture

        return read_pixels(find_picture(Path(entry["folder"]), setting, image))
    if entry.get("kind") == "external":
        return read_pixels(picture_of(run.folder, entry, setting, image))
    from latentpress.bench.image_codecs import find_codec

    path = file_of(run.folder, entry, setting, image)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"{path}: {error.strerror}: the run's compressed files are needed to show its pictures"
        ) from error
    try:
        return find_codec(codec, model=entry.get("model")).decode(data)
    except LatentpressError as error:
        raise prefixed(path, error) from error


def original(run: Run, image: str) -> Pixels:
    """The original of a picture, uint8 (H, W, 3). ImageError where it is gone or is no longer the
    one that was compressed.
    """
    from latentpress.bench.checksums import sha256_of_pixels
    from latentpress.bench.datasets import locate, read_pixels

    entry = next((i for i in run.info["images"] if i["name"] == image), None)
    if entry is None:
        raise UsageError(f"{run.folder}: no picture {image!r}")
    path = locate(run.info["dataset"], entry["file"], run.folder)
    pixels = read_pixels(path)
    if sha256_of_pixels(pixels) != entry["sha256"]:
        raise ImageError(
            f"{path} is not the picture that this run compressed: the SHA-256 of its samples "
            "differs"
        )
    return pixels
