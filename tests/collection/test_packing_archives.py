"""Latents of shards, tables and folders into .ltps files, with captions and labels."""

import codecs
import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from helpers.paths import WEIGHTS
from helpers.shards import picture, shard
from latentpress import latents
from latentpress.cli.app import app
from latentpress.collection.samples import metadata_of, samples_of_shard, samples_of_table
from latentpress.errors import DiskFullError, ImageError, OutputError, UsageError

LATENTS = np.random.default_rng(0).standard_normal((12, 4, 8, 8), np.float32)


def npy(number: int) -> bytes:
    stream = io.BytesIO()
    np.save(stream, LATENTS[number])
    return stream.getvalue()


def sample(number: int) -> list[tuple[str, bytes]]:
    key = f"s/{number:02}"
    return [
        (f"{key}.txt", b"a squirrel\n"),
        (f"{key}.npy", npy(number)),
        (f"{key}.cls", b"%d" % number),
        (f"{key}.json", b'{"url": "x"}'),
    ]


def run(*arguments: str, cwd: Path) -> Any:
    before = os.getcwd()
    os.chdir(cwd)
    try:
        result = CliRunner().invoke(app, ["latents", "pack", *arguments])
    finally:
        os.chdir(before)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def check(reader: latents.Reader, numbers: range) -> None:
    assert len(reader) == len(numbers)
    for place, number in enumerate(numbers):
        latent, info = reader.read(place)
        assert np.array_equal(latent, LATENTS[number])
        assert info.name == f"s/{number:02}"
        assert info.metadata == {"url": "x", "caption": "a squirrel", "label": number}


def test_a_shard_becomes_a_file_of_latents(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for first in (0, 6):
        members = [each for number in range(first, first + 6) for each in sample(number)]
        (tmp_path / "in" / f"{first}.tar").write_bytes(
            shard([*members, ("x.npy", b"broken"), ("notes.txt", b"")])
        )
    done = run("in", "-o", "out", "--lossless", cwd=tmp_path)
    assert done.exit_code == 1
    assert "in/0.tar/x.npy: cannot be read as npy: " in done.stderr
    assert "; it is left out" in done.stderr
    assert "2 files written with 12 pictures in archives" in done.stdout
    for first in (0, 6):
        with latents.Reader(tmp_path / "out" / f"{first}.ltps") as reader:
            check(reader, range(first, first + 6))
    assert "2 done before" in run("in", "-o", "out", "--lossless", cwd=tmp_path).stdout
    assert "2 done before" in run("in", "-o", "out", "--lossless", "--verify", cwd=tmp_path).stdout


def test_a_folder_and_shards_into_shards_of_a_size(tmp_path: Path) -> None:
    for name, data in [each for number in range(6) for each in sample(number)]:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    members = [each for number in range(6, 12) for each in sample(number)]
    (tmp_path / "in" / "t.tar").write_bytes(shard([("a.npy", b"broken"), *members]))
    done = run("in", "-o", "out", "--lossless", "--shard-size", "3kB", cwd=tmp_path)
    assert done.exit_code == 1
    assert "in/t.tar/a.npy: cannot be read as npy" in done.stderr
    files = sorted((tmp_path / "out").glob("*.ltps"))
    assert [file.name for file in files] == [f"{n:06}.ltps" for n in range(len(files))]
    assert len(files) == 3
    first = 0
    for file in files:
        with latents.Reader(file) as reader:
            check(reader, range(first, first + len(reader)))
            first += len(reader)
    assert first == 12
    assert "shards" in done.stdout


def test_into_one_file_the_first_that_fails_ends_it(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(shard(sample(0)))
    assert run("a.tar", "-o", "set.ltps", "--lossless", cwd=tmp_path).exit_code == 0
    with latents.Reader(tmp_path / "set.ltps") as reader:
        check(reader, range(1))
    (tmp_path / "b.tar").write_bytes(shard([*sample(0), ("b.npy", b"broken")]))
    with pytest.raises(AssertionError, match=r"b\.tar/b\.npy: cannot be read"):
        run("b.tar", "-o", "other.ltps", "--lossless", cwd=tmp_path)
    assert not (tmp_path / "other.ltps").exists()


def test_a_shard_without_latents(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(shard([("a.txt", b"")]))
    (tmp_path / "b.tar").write_bytes(shard([("a.npy", b"broken")]))
    done = run("a.tar", "-o", "out", "--lossless", cwd=tmp_path)
    assert done.exit_code == 1
    assert "a.tar: no latent can be read of it" in done.stderr
    assert (
        "b.tar: no latent can be read of it: b.tar/a.npy: cannot be read"
        in run("b.tar", "-o", "out", "--lossless", cwd=tmp_path).stderr
    )
    assert os.listdir(tmp_path / "out") == ["manifest.jsonl"]


@pytest.mark.skipif(not (WEIGHTS / "taesd").is_dir(), reason="the weights of taesd are not here")
def test_photographs_of_shards_and_tables(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    (tmp_path / "a.tar").write_bytes(
        shard([("a.jpg", picture(1, side=64)), ("a.txt", b"one"), ("b.jpg", b"broken")])
    )
    images = [
        {"bytes": picture(1, side=64), "path": "a.jpg"},
        {"bytes": picture(2, side=64), "path": None},
    ]
    table = {"image": images, "caption": ["one", "two"], "label": [1, 2], "x": [b"bytes", b""]}
    parquet.write_table(pyarrow.table(table), tmp_path / "b.parquet")
    options = ("-o", "out", "--codec", "sd15", "--model", str(WEIGHTS / "taesd"), "-q", "60")
    assert "not an image" in run("a.tar", *options, cwd=tmp_path).stderr
    assert run("b.parquet", *options, cwd=tmp_path).exit_code == 0
    with (
        latents.Reader(tmp_path / "out" / "a.ltps") as a,
        latents.Reader(tmp_path / "out" / "b.ltps") as b,
    ):
        assert (len(a), len(b), a.space, b.space) == (1, 2, "sd15", "sd15")
        assert np.array_equal(a[0], b[0])
        assert a.info(0).metadata == {"caption": "one"}
        assert [b.info(n).name for n in range(2)] == ["a", "00000001"]
        assert b.info(1).metadata == {"caption": "two", "label": 2}


def test_metadata_beside_a_picture() -> None:
    assert metadata_of({}, "a") is None
    assert metadata_of({"json": b'{"caption": "own"}', "txt": b"other"}, "a") == {"caption": "own"}
    # PowerShell's Set-Content -Encoding utf8
    marked = {"json": b'{"n": 1}', "txt": "a café\r\n".encode(), "cls": b"3\r\n"}
    assert metadata_of({f: codecs.BOM_UTF8 + text for f, text in marked.items()}, "a") == {
        "n": 1,
        "caption": "a café",
        "label": 3,
    }
    assert metadata_of({"cls": b"-3\n"}, "a") == {"label": -3}
    assert metadata_of({"cls": b"cat"}, "a") == {"label": "cat"}
    for word in ("--5", "-", "3-", "9" * 5000):  # the last has more digits than Python reads
        assert metadata_of({"cls": word.encode()}, "a") == {"label": word}
    with pytest.raises(ImageError, match=r"a\.json beside it is no JSON"):
        metadata_of({"json": b"{"}, "x/a")
    with pytest.raises(ImageError, match=r"a\.txt is no UTF-8"):
        metadata_of({"txt": b"\xff"}, "x/a")


def test_hostile_members_of_a_shard_are_no_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_MAX_MEMBER_BYTES", "1000")
    members = [
        ("../a.npy", b"1"),
        ("/b.npy", b"2"),
        ("c.npy", bytes(2000)),
        ("d.json", b"no"),
        ("d.npy", b"3"),
    ]
    data = shard([*members, (".npy", b"4"), ("e", b"5")])
    found = list(samples_of_shard(io.BytesIO(data), frozenset({".npy"})))
    assert [each.name for each in found] == ["c.npy", "d.npy"]
    assert "more than the limit" in found[0].problem
    assert "no JSON" in found[1].problem


def test_rows_of_a_table_without_what_json_cannot_say() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    import datetime

    import pyarrow.parquet as parquet

    columns = {
        "jpg": [picture(1), None],
        "f": [float("nan"), 1.0],
        "l": [[1, 2], []],
        "d": [datetime.date(2020, 1, 1)] * 2,
        "s": ["é", ""],
    }
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), stream)
    (one,) = samples_of_table(stream)
    assert one.metadata == {"l": [1, 2], "s": "é"}
    assert json.dumps(one.metadata)
    assert one.name == "00000000"


def test_another_caption_beside_a_latent_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2):
        (tmp_path / f"in/{number}.npy").write_bytes(npy(number))
    shards = ("in", "-o", "shards", "--lossless", "--shard-size", "1MB")
    folder = ("in", "-o", "out", "--lossless")
    assert run(*shards, cwd=tmp_path).exit_code == 0
    for name, data in (("0.txt", b"a cat"), ("0.txt", b"a squirrel"), ("0.json", b"{}")):
        run(*folder, cwd=tmp_path)
        (tmp_path / "in" / name).write_bytes(data)
        assert "1 file written" in (told := run(*folder, cwd=tmp_path).stdout)
        assert "1 done before" in told
        assert "0 files written" in run(*folder, cwd=tmp_path).stdout
    with latents.Reader(tmp_path / "out/0.ltps") as reader:
        assert reader.info(0).metadata == {"caption": "a squirrel"}
    with pytest.raises(AssertionError, match=r"0\.npy: was changed, or a file beside it, since"):
        run(*shards, cwd=tmp_path)


def test_a_writer_of_shards(tmp_path: Path) -> None:
    with latents.ShardWriter(tmp_path / "a", 1500, lossless=True) as writer:
        for latent in LATENTS:
            writer.add(latent)
    assert len(writer.files) == 6
    assert sum(len(latents.load(file)) for file in writer.files) == 12
    with (
        pytest.raises(OutputError, match="exists already"),
        latents.ShardWriter(tmp_path / "a", 1500, lossless=True) as writer,
    ):
        writer.add(LATENTS[0])

    def fails() -> None:
        with latents.ShardWriter(tmp_path / "b", 1500, lossless=True) as writer:
            for latent in LATENTS[:3]:
                writer.add(latent)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    # the one that was full
    assert [file.name for file in (tmp_path / "b").iterdir()] == ["000000.ltps"]
    with pytest.raises(UsageError, match="1 byte or more"):
        latents.ShardWriter(tmp_path / "c", 0, lossless=True)
    with pytest.raises(UsageError):
        latents.ShardWriter(tmp_path / "c", 10)


def test_a_writer_of_shards_loses_no_latent_outside_of_its_block(tmp_path: Path) -> None:
    writer = latents.ShardWriter(tmp_path, 1500, lossless=True)
    with pytest.raises(UsageError, match="a ShardWriter is used in a with block"):
        writer.add(LATENTS[0])
    with writer:
        writer.add(LATENTS[0])
    with pytest.raises(UsageError, match="a ShardWriter is used in a with block"):
        writer.add(LATENTS[1])
    assert [file.name for file in tmp_path.iterdir()] == ["000000.ltps"]


def test_a_shard_that_cannot_be_ended_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("latentpress.latents.index.write_index", full)
    with latents.ShardWriter(tmp_path, 1, lossless=True) as writer:
        with pytest.raises(DiskFullError):
            writer.add(LATENTS[0])
        assert writer.files == list(tmp_path.iterdir()) == []
