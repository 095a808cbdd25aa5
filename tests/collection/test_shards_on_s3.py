"""Shards from and to a real S3 server, some of whose requests fail."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from helpers.object_store import Proxy
from helpers.s3_fixtures import BUCKET
from helpers.shards import picture, samples, shard
from latentpress.cli.app import app
from latentpress.system import remote
from latentpress.system.stores import open_store

pytest.importorskip("fsspec", reason="needs the extra remote")
KINDS = ("500", "cut", "refuse", "lost")


def test_shards_pass_through_a_store_that_fails_one_request_in_three(
    s3: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"s3://{BUCKET}/shards"
    # several requests a shard
    monkeypatch.setattr(remote.Remote.chunks, "__defaults__", ("", 4_000))
    (tmp_path / "in").mkdir()
    store = open_store(f"{url}/in")
    for number in range(3):
        data = shard(
            [*samples(4), ("broken.jpg", b"broken"), (f"{number}.png", picture(number, "PNG"))]
        )
        store.write(f"{number}.tar", data)
        (tmp_path / "in" / f"{number}.tar").write_bytes(data)
    cut = shard(samples(2))[:1500]
    store.write("cut.tar", cut)
    (tmp_path / "in" / "cut.tar").write_bytes(cut)

    with s3.failing(lambda method, path, number: KINDS[number // 3 % 4] if number % 3 == 0 else ""):
        result = CliRunner().invoke(app, ["compress", f"{url}/in", "-o", f"{url}/out", "-q", "30"])
        assert s3.faults >= 5
    assert result.exit_code == 1
    assert result.stderr.count("broken.jpg: not an image") == 3
    assert f"{url}/in/cut.tar: the archive is cut off in or behind its member" in result.stderr
    CliRunner().invoke(
        app, ["compress", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "-q", "30"]
    )
    local = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.tar")}
    out = open_store(f"{url}/out")
    assert {
        entry.key: out.read(entry.key) for entry in out.entries() if entry.key.endswith(".tar")
    } == local
    assert len(local) == 3
    again = CliRunner().invoke(app, ["compress", f"{url}/in", "-o", f"{url}/out", "-q", "30"])
    assert "0 files written, 3 done before" in again.stdout
