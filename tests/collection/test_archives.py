"""Shards, tables and ZIP files through the commands: resumed, checked, faulty."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import latentpress
from helpers.shards import members, picture, samples, shard
from helpers.trees import agrees, files_of
from latentpress.cli.app import app
from latentpress.collection.archives import change_archive
from latentpress.collection.members import Change
from latentpress.collection.tasks import Compress, Decompress
from latentpress.collection.unit import Made, Row, Unit
from latentpress.errors import DiskFullError, LatentpressError, UsageError
from latentpress.system.stores import FolderStore

BROKEN = ("0001.jpg", b"broken")


class Done(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


def run(*arguments: str, cwd: Path) -> Done:
    """A command in this process: a model that is loaded once serves all."""
    before = os.getcwd()
    os.chdir(cwd)
    try:
        result = CliRunner().invoke(app, arguments)
    finally:
        os.chdir(before)
    if isinstance(result.exception, LatentpressError):  # as app.main tells it
        return Done(2 if isinstance(result.exception, UsageError) else 1, "", str(result.exception))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def unit_of(path: Path, output: str = "") -> Unit:
    entry = FolderStore(path.parent).entry(path.name)
    assert entry is not None
    return Unit(str(path.parent), path.name, output or path.name, entry.version, entry.size)


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [
        row
        for line in (folder / "manifest.jsonl").read_text().splitlines()
        if "run" not in (row := json.loads(line))
    ]


def test_a_shard_of_webdataset_there_and_back(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "00.tar").write_bytes(shard(samples(4)))
    (tmp_path / "in" / "01.tar").write_bytes(
        shard([*samples(1), BROKEN, ("0001.txt", b"a caption")])
    )
    done = run("compress", "in", "-o", "out", "-q", "30", cwd=tmp_path)
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "latentpress: in/01.tar/0001.jpg: not an image, or of a kind that Pillow does not know; "
        "it is kept as it is",
        "latentpress: 1 of 8 failed",
    ]
    assert "2 files written with 5 pictures in archives" in done.stdout
    assert agrees(tmp_path / "out") == (2, 0)
    found = members((tmp_path / "out" / "00.tar").read_bytes())
    assert [name for name, _ in found] == [name.replace("jpg", "ltp") for name, _ in samples(4)]
    for (name, data), (_, source) in zip(found, samples(4), strict=True):
        expected = latentpress.compress(source, quality=30) if name.endswith("ltp") else source
        assert data == expected
    assert members((tmp_path / "out" / "01.tar").read_bytes())[-2:] == [
        BROKEN,
        ("0001.txt", b"a caption"),
    ]

    rows = manifest(tmp_path / "out")
    assert [row.get("member") for row in rows if row["source"] == "in/01.tar"] == [
        "0000.jpg",
        "0001.jpg",
        None,
    ]
    assert rows[0]["width"] == 16
    assert (
        "Pillow does not know"
        in next(r for r in rows if (r["source"], r.get("member")) == ("in/01.tar", "0001.jpg"))[
            "error"
        ]
    )

    done = run("decompress", "out", "-o", "back", cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    name, data = members((tmp_path / "back" / "00.tar").read_bytes())[0]
    assert name == "0000.png"
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(data))), np.asarray(latentpress.decompress(found[0][1]))
    )


def test_a_run_goes_on_where_it_ended_and_is_verified(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(3):
        (source / f"{number}.tar").write_bytes(shard(samples(number + 1)))
    command = ("compress", "in", "-o", "out", "-q", "30")
    assert "3 files written" in run(*command, cwd=tmp_path).stdout
    whole = files_of(out)
    assert "0 files written, 3 done before" in run(*command, cwd=tmp_path).stdout
    (out / "1.tar").unlink()
    assert "1 file written with 2 pictures in archives" in run(*command, cwd=tmp_path).stdout
    assert files_of(out) == whole
    (source / "2.tar").write_bytes(shard(samples(2)))
    assert "1 file written with 2" in run(*command, cwd=tmp_path).stdout
    assert "3 files written" in run(*command[:-1], "40", cwd=tmp_path).stdout

    whole = files_of(out)
    verified = (*command[:-1], "40", "--verify")
    assert "0 files written, 3 done before" in run(*verified, cwd=tmp_path).stdout
    data = bytearray(whole["0.tar"])
    data[700] ^= 1
    (out / "0.tar").write_bytes(data)
    assert "1 file written with 1 picture in archives" in run(*verified, cwd=tmp_path).stdout
    assert files_of(out) == whole


def test_what_was_kept_as_it_was_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(shard([*samples(1), ("bad.png", b"broken")]))
    (tmp_path / "b.tar").write_bytes(shard([*samples(1), ("bad.ltp", b"broken")]))
    run("compress", "a.tar", "-o", "a", cwd=tmp_path)
    for command in (("decompress", "a", "-o", "back"), ("compress", "b.tar", "-o", "b")):
        assert "1 file written with 1 picture" in run(*command, cwd=tmp_path).stdout
        again = run(*command, "--verify", cwd=tmp_path)
        assert "0 files written, 1 done before" in again.stdout


def test_an_output_that_is_another_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(shard(samples(1)))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.tar").write_bytes(b"mine")
    done = run("compress", "a.tar", "-o", "out", cwd=tmp_path)
    assert done.exit_code == 1
    assert "out/a.tar: exists already, and is not what an earlier run wrote" in done.stderr
    assert (tmp_path / "out" / "a.tar").read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path / "out")) == ["a.tar", "manifest.jsonl"]
    done = run("compress", "a.tar", "-o", "out", "--overwrite", cwd=tmp_path)
    assert done.exit_code == 0
    # a run that was killed after it wrote, before it told so
    (tmp_path / "out" / "manifest.jsonl").unlink()
    assert run("compress", "a.tar", "-o", "out", cwd=tmp_path).exit_code == 0


def test_metrics_of_the_pictures_in_a_shard(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(shard([("a.png", picture(1, "PNG", side=64))]))
    assert run("compress", "a.tar", "-o", "out", "--metrics", "psnr", cwd=tmp_path).exit_code == 0
    assert manifest(tmp_path / "out")[0]["metrics"]["psnr"] > 20


def test_a_shard_is_not_written_over_itself(tmp_path: Path) -> None:
    data = shard(samples(1))
    (tmp_path / "a.tar").write_bytes(data)
    done = run("compress", "a.tar", "-o", ".", "--overwrite", cwd=tmp_path)
    assert done.exit_code == 1
    assert "a.tar: would be written over itself" in done.stderr
    assert (tmp_path / "a.tar").read_bytes() == data


def test_a_shard_that_is_cut_off_costs_a_line(tmp_path: Path) -> None:
    data = shard(samples(2))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tar").write_bytes(data[: data.index(b"0001.jpg") + 700])
    (tmp_path / "in" / "b.tar").write_bytes(data)
    done = run("compress", "in", "-o", "out", "-q", "30", cwd=tmp_path)
    assert done.exit_code == 1
    assert (
        "in/a.tar: the archive is cut off in or behind its member '0001.jpg', at byte"
        in done.stderr
    )
    assert agrees(tmp_path / "out") == (1, 1)
    assert [row["source"] for row in manifest(tmp_path / "out") if row.get("member")] == [
        "in/b.tar"
    ] * 2


def test_a_table_there_and_back(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(
        pyarrow.table({"jpg": [picture(1), b"broken"], "n": [1, 2]}), tmp_path / "a.parquet"
    )
    done = run("compress", "a.parquet", "-o", "out", "-q", "30", "--keep-suffix", cwd=tmp_path)
    assert done.exit_code == 1
    assert (
        "a.parquet/jpg[1]: not an image, or of a kind that Pillow does not know; "
        "it is kept as it is" in done.stderr
    )
    table = parquet.read_table(tmp_path / "out" / "a.parquet")
    assert table["jpg"].to_pylist() == [latentpress.compress(picture(1), quality=30), b"broken"]
    done = run("compress", "a.parquet", "-o", "other", "--column", "image", cwd=tmp_path)
    assert done.exit_code == 2
    assert "no column 'image' holds bytes; those that do are jpg" in done.stderr
    done = run("decompress", "out", "-o", "back", "--format", "jpg", cwd=tmp_path)
    back = parquet.read_table(tmp_path / "back" / "a.parquet")
    assert back["jpg"][0].as_py().startswith(b"\xff\xd8")
    assert back["n"].to_pylist() == [1, 2]


def test_a_zip_file_is_a_tree(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("x/a.jpg", "b.png", "../../out.jpg", "/abs.jpg", "notes.txt", ".hidden.jpg"):
            archive.writestr(name, picture(1))
        archive.writestr("broken.jpg", b"broken")
    (tmp_path / "deep").mkdir()
    done = run("compress", "../a.zip", "-o", "out/er", "-q", "30", cwd=tmp_path / "deep")
    assert done.exit_code == 1
    told = done.stderr
    assert "../a.zip/../../out.jpg: the name leads out of the tree" in told
    assert "../a.zip//abs.jpg: the name leads out of the tree" in told
    assert "../a.zip/broken.jpg: not an image" in told
    assert "1 hidden and 1 other files skipped" in told
    assert agrees(tmp_path / "deep" / "out" / "er")[0] == 2
    assert set(files_of(tmp_path)) == {
        "a.zip",
        "deep/out/er/b.ltp",
        "deep/out/er/x/a.ltp",
        "deep/out/er/manifest.jsonl",
    }
    assert (
        "2 done before"
        in run("compress", "../a.zip", "-o", "out/er", "-q", "30", cwd=tmp_path / "deep").stdout
    )


def test_a_zip_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\3\4 and nothing")
    done = run("compress", "a.zip", "-o", "out", cwd=tmp_path)
    assert done.exit_code == 1
    assert "a.zip: no .zip file, or one that is cut off" in done.stderr


def test_a_full_disk_ends_the_run_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tar").write_bytes(shard(samples(2)))
    task = Compress(str(tmp_path / "out"))

    def full(self: object, unit: Unit, data: bytes) -> Made:
        raise DiskFullError("the disk is full")

    monkeypatch.setattr(Compress, "make", full)
    with pytest.raises(DiskFullError):
        task(unit_of(tmp_path / "a.tar"))
    assert not os.listdir(tmp_path / "out")


def test_a_store_without_streams_gets_the_whole_shard(tmp_path: Path) -> None:
    class Memory:
        url = "somewhere"

        def __init__(self) -> None:
            self.files: dict[str, bytes] = {}

        def entries(self, left_out: Any = None) -> Any:
            return iter(())

        def entry(self, key: str) -> None:
            return None

        def read(self, key: str) -> bytes:
            return self.files[key]

        def write(self, key: str, data: bytes) -> None:
            self.files[key] = data

    source, target = Memory(), Memory()
    source.files["a.tar"] = data = shard(samples(3))
    change = Change(lambda name, output, data: Made(b"LTP"), frozenset({".jpg"}), archive="a.tar")
    rows = change_archive(Unit("", "a.tar", "b.tar", "1", len(data)), source, target, change)
    assert [name for name, each in members(target.files["b.tar"]) if each == b"LTP"] == [
        "0000.ltp",
        "0001.ltp",
        "0002.ltp",
    ]
    assert rows[-1].output_bytes == len(target.files["b.tar"])
    assert [row.version for row in rows] == ["1"] * 4


def test_tasks_give_the_same_rows_wherever_they_run(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(shard([*samples(2), BROKEN]))

    def rows(task: Compress | Decompress) -> list[Row]:
        return [Row(**{**vars(row), "seconds": 0.0}) for row in task(unit_of(tmp_path / "a.tar"))]

    assert rows(Compress(str(tmp_path / "one"))) == rows(Compress(str(tmp_path / "two")))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_shards_of_an_object_store(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    data = shard([*samples(2), ("b.jpg", b"broken")])
    files.pipe_file("/shards/in/a.tar", data)
    try:
        done = run(
            "compress", "memory://shards/in", "-o", "memory://shards/out", "-q", "30", cwd=tmp_path
        )
        assert done.exit_code == 1
        assert "memory://shards/in/a.tar/b.jpg: not an image" in done.stderr
        (tmp_path / "a.tar").write_bytes(data)
        run("compress", "a.tar", "-o", "out", "-q", "30", cwd=tmp_path)
        assert files.cat_file("/shards/out/a.tar") == (tmp_path / "out" / "a.tar").read_bytes()
        assert (
            "1 done before"
            in run(
                "compress",
                "memory://shards/in",
                "-o",
                "memory://shards/out",
                "-q",
                "30",
                cwd=tmp_path,
            ).stdout
        )
    finally:
        files.rm("/shards", recursive=True)
