"""Shards that are compressed, and ZIP files behind a URL."""

import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from helpers.object_store import Proxy, web_server
from helpers.s3_fixtures import BUCKET
from helpers.shards import members, picture, samples, shard
from helpers.trees import files_of
from latentpress.cli.app import app
from latentpress.errors import FormatError, ImageError, LatentpressError
from latentpress.system import remote
from latentpress.system.stores import ZipStore, open_store
from latentpress.system.tars import TarReader, inflated

NAMES = {"deep/0.png", "1.png"}


def lp(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if isinstance(result.exception, LatentpressError):
        return str(result.exception)
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, name in enumerate(sorted(NAMES)):
            archive.writestr(zipfile.ZipInfo(name), picture(number, "PNG"))
    return stream.getvalue()


@pytest.mark.parametrize("name", ["a.tar.gz", "a.TGZ", "a.tar"])
def test_a_compressed_shard_becomes_a_plain_one(tmp_path: Path, name: str) -> None:
    plain = shard(samples(3))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(gzip.compress(plain))
    (tmp_path / "plain.tar").write_bytes(plain)
    told = lp("compress", tmp_path / "in", "-o", tmp_path / "out")
    assert "1 file written with 3 pictures in archives" in told
    lp("compress", tmp_path / "plain.tar", "-o", tmp_path / "expected")
    expected = (tmp_path / "expected" / "plain.tar").read_bytes()
    assert files_of(tmp_path / "out") == {"a.tar": expected}
    lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    about = json.loads(lines[-1])
    digest = hashlib.sha256((tmp_path / "in" / name).read_bytes()).hexdigest()
    assert about["source_sha256"] == digest
    for option in ([], ["--verify"]):
        again = lp("compress", tmp_path / "in", "-o", tmp_path / "out", *option)
        assert "0 files written, 1 done before" in again


def test_shards_of_one_name_have_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.tar", "a.tar.gz", "a.tgz"):
        data = shard(samples(1))
        (tmp_path / "in" / name).write_bytes(data if name == "a.tar" else gzip.compress(data))
    lp("compress", tmp_path / "in", "-o", tmp_path / "out", "--keep-suffix")
    assert files_of(tmp_path / "out").keys() == {"a.tar", "a.tar.gz.tar", "a.tgz.tar"}


def test_a_compressed_shard_that_is_cut_off_or_damaged_is_one_error(tmp_path: Path) -> None:
    data = gzip.compress(shard(samples(3)))
    damaged = data[:500] + bytes(8) + data[508:]
    for name, content in {"cut": data[:-200], "damaged": damaged, "empty": data[:2]}.items():
        (tmp_path / f"{name}.tgz").write_bytes(content)
        told = lp("compress", tmp_path / f"{name}.tgz", "-o", tmp_path / "out", code=1)
        assert f"{name}.tgz: the archive " in told
        assert name == "damaged" or "is damaged or cut off within its gzip" in told
    assert files_of(tmp_path / "out") == {}
    with pytest.raises(FormatError):
        list(TarReader(inflated(io.BytesIO(damaged), io.BytesIO(damaged))))


def test_the_checksum_of_a_compressed_shard_is_looked_at(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(shard([*samples(2), ("z.txt", b"a caption")]), 0))
    data[data.rindex(b"a caption")] ^= 1  # stored, so that nothing but the checksum tells
    (tmp_path / "a.tgz").write_bytes(data)
    told = lp("compress", tmp_path / "a.tgz", "-o", tmp_path / "out", code=1)
    assert "a.tgz: the archive is damaged or cut off within its gzip: CRC check failed" in told
    assert files_of(tmp_path / "out") == {}
    with pytest.raises(FormatError, match="CRC"):
        list(TarReader(inflated(io.BytesIO(data), io.BytesIO(data))))


def test_latents_of_a_compressed_shard(tmp_path: Path) -> None:
    import numpy as np

    from latentpress import latents

    stream = io.BytesIO()
    np.save(stream, np.ones((4, 8, 8), np.float32))
    data = shard([("0.npy", stream.getvalue()), ("0.txt", b"a caption")])
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(data))
    lp("latents", "pack", tmp_path / "a.tar.gz", "-o", tmp_path / "out", "--lossless")
    with latents.Reader(tmp_path / "out" / "a.ltps") as reader:
        assert reader.read(0)[1].metadata == {"caption": "a caption"}


def test_a_zip_needs_a_folder_for_its_outputs(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped())
    assert "say with -o where its outputs go" in lp("compress", tmp_path / "a.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_zip_in_an_object_store_is_a_tree(tmp_path: Path, s3: Proxy) -> None:
    url = f"s3://{BUCKET}/a.zip"
    open_store(f"s3://{BUCKET}").write("a.zip", zipped())
    told = lp("compress", url, "-o", tmp_path / "out")
    assert "2 files written" in told
    assert files_of(tmp_path / "out").keys() == {"deep/0.ltp", "1.ltp"}
    again = lp("compress", url, "-o", f"s3://{BUCKET}/unzipped")
    assert "2 files written" in again
    assert "2 done before" in lp("compress", url, "-o", f"s3://{BUCKET}/unzipped", "--verify")


def test_a_zip_is_read_in_parts_where_requests_fail(s3: Proxy) -> None:
    data = zipped()
    open_store(f"s3://{BUCKET}").write("b.zip", data)
    with s3.failing(lambda method, path, number: "500" if number % 3 == 1 else ""):
        store = open_store(f"s3://{BUCKET}/b.zip")
        assert isinstance(store, ZipStore)
        assert {entry.key for entry in store.entries()} == NAMES
        for number, name in enumerate(sorted(NAMES)):
            assert store.read(name) == picture(number, "PNG")
    assert s3.faults


def test_a_web_server_that_gives_no_parts_of_files(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra remote")
    tgz = gzip.compress(shard(samples(2)))
    files = {"a.zip": zipped(), "a.tgz": tgz, "cut.zip": zipped()[:-30]}
    with web_server(files) as address:
        lp("compress", f"{address}/a.zip?signature=secret", "-o", tmp_path / "out")
        assert files_of(tmp_path / "out").keys() == {"deep/0.ltp", "1.ltp"}
        assert "secret" not in (tmp_path / "out" / "manifest.jsonl").read_text()
        lp("compress", f"{address}/a.tgz", "-o", tmp_path / "shards")
        data = files_of(tmp_path / "shards")["a.tar"]
        assert members(data)[0][0] == "0000.ltp"
        told = lp("compress", f"{address}/cut.zip", "-o", tmp_path / "cut")
        assert told.startswith(f"{address}/cut.zip: no .zip file, or one that is cut off")
        assert b"".join(remote.opened(f"{address}/a.zip").chunks(size=100)) == zipped()


def test_a_web_server_that_does_not_tell_how_large_a_file_is(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra remote")
    files = {"a.zip": zipped(), "a.tar": shard(samples(2)), "empty.zip": b""}
    with web_server(files, tells_size=False) as address:
        lp("compress", f"{address}/a.zip", "-o", tmp_path / "out")
        assert files_of(tmp_path / "out").keys() == {"deep/0.ltp", "1.ltp"}
        told = lp("compress", f"{address}/a.tar", "-o", tmp_path / "shards")
        assert "1 file written with 2 pictures in archives" in told
        told = lp("compress", f"{address}/empty.zip", "-o", tmp_path / "empty")
        assert told.startswith(f"{address}/empty.zip: no .zip file, or one that is cut off")
    line = (tmp_path / "shards" / "manifest.jsonl").read_text(encoding="ascii").splitlines()[-1]
    assert json.loads(line)["source_bytes"] == len(files["a.tar"])


def test_a_part_of_another_length_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec", reason="needs the extra remote")
    open_store("memory://parts").write("a", bytes(100))
    files = remote.opened("memory://parts")
    assert files.part("a", 10, 20, 100) == bytes(10)
    short: Callable[..., bytes] = lambda *_, **__: bytes(3)
    monkeypatch.setattr(files._files, "cat_file", short)
    with pytest.raises(ImageError, match="asked for 10 of its 100 bytes, and 3 came"):
        files.part("a", 10, 20, 100)


def test_a_table_whose_bad_pictures_were_kept_is_found_whole(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra data")
    import pyarrow.parquet

    values = [picture(0), b"bad", picture(1)]
    pyarrow.parquet.write_table(pyarrow.table({"image": values}), tmp_path / "a.parquet")
    lp("compress", tmp_path / "a.parquet", "-o", tmp_path / "out", code=1)
    told = lp("compress", tmp_path / "a.parquet", "-o", tmp_path / "out", "--verify")
    assert "0 files written, 1 done before" in told


def test_latents_are_packed_of_ltp_files_in_a_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra data")
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"image": [picture(0)]}), tmp_path / "a.parquet")
    lp("compress", tmp_path / "a.parquet", "-o", tmp_path / "pressed")
    lp("latents", "pack", tmp_path / "pressed", "-o", tmp_path / "out", "--lossless")
    assert files_of(tmp_path / "out").keys() == {"a.ltps"}


def test_the_pictures_of_these_tests_differ() -> None:
    assert (
        Image.open(io.BytesIO(picture(0))).tobytes() != Image.open(io.BytesIO(picture(1))).tobytes()
    )
