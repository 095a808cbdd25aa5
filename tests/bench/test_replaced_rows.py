"""The scripts that keep results/ up to date after a new model: benchmarks/tables/replace_codec.py,
tables/equal_bytes.py and tables/model_gain.py.
"""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.tables import equal_bytes, model_gain, replace_codec
from benchmarks.tables.check_published import at_rate
from helpers.bench_runs import make_run
from helpers.paths import ROOT
from latentpress.bench.rate_distortion import curve
from latentpress.bench.rows import read_run


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    return make_run(tmp_path_factory.mktemp("measured"), photo)


@pytest.fixture
def pair(measured: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A run whose files were not kept, and a newer one of JPEG alone with other bytes."""
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        for name in ("rows.csv", "run.json"):
            shutil.copy(measured / name, folder)
    rows = [
        row | {"bytes": int(row["bytes"]) + 7} for row in rows_of(new) if row["codec"] == "jpeg"
    ]
    with (new / "rows.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(reversed(rows))
    change(
        new,
        lambda info: (
            info
            | {"codecs": [c | {"version": "newer"} for c in info["codecs"] if c["name"] == "jpeg"]}
        ),
    )
    return old, new


def rows_of(folder: Path) -> list[dict[str, Any]]:
    with (folder / "rows.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def change(folder: Path, how: Any) -> None:
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(how(info)))


def test_only_the_rows_of_that_codec_change_and_each_keeps_its_place(
    pair: tuple[Path, Path],
) -> None:
    old, new = pair
    before = rows_of(old)
    amount = replace_codec.replace(old, new, "jpeg")
    assert amount == sum(row["codec"] == "jpeg" for row in before) > 0
    assert rows_of(old) == [
        row | {"bytes": str(int(row["bytes"]) + 7)} if row["codec"] == "jpeg" else row
        for row in before
    ]
    versions = {
        codec["name"]: codec["version"]
        for codec in json.loads((old / "run.json").read_text())["codecs"]
    }
    assert versions.pop("jpeg") == "newer"
    assert versions
    assert "newer" not in versions.values()


def test_no_encoding_of_a_system_is_taken(pair: tuple[Path, Path]) -> None:
    """Windows has another one than UTF-8, in which a run is read again."""
    done = subprocess.run(
        [
            *(sys.executable, "-X", "warn_default_encoding", "-W", "error::EncodingWarning"),
            *("-m", "benchmarks.tables.replace_codec", *map(str, pair), "jpeg"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (lambda info: info | {"metrics": ["mse"]}, "metrics"),
        (lambda info: info | {"grey": True}, "grey"),
        (lambda info: info | {"images": info["images"][:1]}, "images"),
        (lambda info: info | {"machine": info["machine"] | {"threads": 64}}, "threads"),
    ],
)
def test_a_run_of_something_else_changes_nothing(
    pair: tuple[Path, Path], how: Any, told: str
) -> None:
    old, new = pair
    before = (old / "rows.csv").read_bytes(), (old / "run.json").read_bytes()
    change(new, how)
    with pytest.raises(SystemExit, match=told):
        replace_codec.replace(old, new, "jpeg")
    assert before == ((old / "rows.csv").read_bytes(), (old / "run.json").read_bytes())


def test_missing_settings_are_refused(pair: tuple[Path, Path]) -> None:
    old, new = pair
    lines = (new / "rows.csv").read_text().splitlines(keepends=True)
    (new / "rows.csv").write_text("".join(lines[:-1]))
    with pytest.raises(SystemExit, match="settings of jpeg"):
        replace_codec.replace(old, new, "jpeg")


def test_equal_bytes_lie_on_the_mean_curves(measured: Path) -> None:
    run = read_run(measured)
    (bpp, psnr), (end, _) = curve(run, "jpeg", "psnr")[1], curve(run, "jpeg", "psnr")[-1]
    other = at_rate(curve(run, "webp", "psnr"), bpp)
    assert other is not None
    found = equal_bytes.lines(run, "jpeg", "webp", [bpp, 1.01 * end])
    assert (
        f"{bpp:.2f} bpp psnr: {psnr:.4g} against {other:.4g}, {psnr - other:+.3g} or "
        f"{100 * (psnr / other - 1):+.1f} %" in found
    )
    assert found[len(run.metrics) :] == [
        f"{1.01 * end:.2f} bpp {metric}: a curve does not reach this rate" for metric in run.metrics
    ]


def test_a_model_is_compared_with_the_one_before(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_gain, "OURS", "jpeg")
    old, new = map(read_run, pair)
    found = model_gain.gains([old, old], [old, new])
    assert found.keys() == set(old.metrics)
    assert all(percent == pytest.approx(0) for percent in found.values())
    for row in new.rows:
        row["bpp"] *= 1.1
    more = model_gain.gains([old], [new])
    assert all(percent == pytest.approx(10) for percent in more.values())
