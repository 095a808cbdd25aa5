"""The report of a run: pictures in archives are counted and shown as those in files are."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from helpers.shards import picture, samples, shard
from latentpress.cli.app import app
from latentpress.collection.report import told


def lp(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_pictures_of_shards_tables_and_zip_files_are_counted_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra data")
    import pyarrow.parquet

    monkeypatch.chdir(tmp_path)
    for folder in ("in/shards", "in/tables"):
        Path(folder).mkdir(parents=True)
    members = [*samples(2), ("deep/bad.jpg", b"bad"), ("notes.txt", bytes(5000))]
    Path("in/shards/a.tar").write_bytes(shard(members))
    rows = {"image": [None, picture(5), picture(6)]}
    pyarrow.parquet.write_table(pyarrow.table(rows), "in/tables/b.parquet", row_group_size=2)
    with zipfile.ZipFile("c.zip", "w") as archive:
        archive.writestr("d/e.png", picture(7, "PNG"))
    lp("compress", "in", "c.zip", "-o", "out", "--metrics", "psnr", "--report", "r.html", code=1)
    lp("compress", "in", "c.zip", "-o", "out", "--metrics", "psnr", "--report", "r.html")
    page = Path("r.html").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in Path("out/manifest.jsonl").read_text().splitlines()]
    story = told(lambda: lines)
    good = [row for row in lines if row.get("bpp")]
    assert story.pictures == len(good) == 5
    assert story.after == sum(row["output_bytes"] for row in good)
    assert story.failed == 1
    assert "<p>5 pictures, " in page
    assert " 1 failed. 2 archives hold pictures, " in page
    assert set(re.findall("<h3>([^<]*)", page)) == {
        "in/shards/a.tar/0000.jpg",
        "in/shards/a.tar/0001.jpg",
        "in/tables/b.parquet/image[1]",
        "in/tables/b.parquet/image[2]",
        "c.zip/d/e.png",
    }
    assert "cannot be opened" not in page
    assert page.count("<img src='data:") == 10
    assert re.search(r"<main>.*<div class='wide' role='group' tabindex='0'.*</main>", page, re.S)
    assert "<th scope='col'></th>" not in page


def test_one_picture_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(picture(1, "PNG"))
    lp("compress", tmp_path / "in", "-o", tmp_path / "out", "--content", "screen")
    lp("report", tmp_path / "out", "-o", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<p>1 picture, " in page
    assert " 1 with a screen layer.</p>" in page


def test_a_picture_in_a_zip_file_is_found_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whose letters one becomes two in lower case."""
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("\u0130.zip", "w") as archive:
        archive.writestr("deep/a.png", picture(1, "PNG"))
    lp("compress", "\u0130.zip", "-o", "out", "--report", "r.html")
    assert "cannot be opened" not in Path("r.html").read_text(encoding="utf-8")


def test_what_a_run_that_was_killed_told_of_a_shard_is_not_counted_twice() -> None:
    row = {"source": "a.tar", "member": "0.jpg", "output": "0.ltp", "output_bytes": 5}
    row |= {"source_bytes": 9, "bpp": 1.0, "error": ""}
    whole = {"source": "a.tar", "output": "a.tar", "members": 1, "source_bytes": 20, "error": ""}
    whole |= {"output_bytes": 15}
    run: dict[str, object] = {"run": {}}
    story = told(lambda: [run, row, run, row, whole, run, row, whole])
    assert (story.pictures, story.archives, story.before, story.after) == (1, 1, 9, 5)


def test_a_picture_that_is_gone_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tar").write_bytes(shard(samples(1)))
    lp("compress", tmp_path / "in", "-o", tmp_path / "out")
    (tmp_path / "in" / "a.tar").write_bytes(shard([("other.jpg", picture(1))]))
    lp("report", tmp_path / "out", "-o", tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text(encoding="utf-8").count("it cannot be opened now") == 1
