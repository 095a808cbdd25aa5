"""Runs from and to object stores: a real S3 server with its faults, memory://, lists of URLs."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.object_store import KEYS, Proxy, web_server
from helpers.s3_fixtures import BUCKET
from helpers.trees import files_of, make_tree
from latentpress.cli.app import app
from latentpress.collection import remote_manifest
from latentpress.errors import ImageError, LatentpressError, OutputError, UsageError
from latentpress.latents import Reader
from latentpress.system.places import UrlPath
from latentpress.system.stores import ObjectStore, open_store

fsspec = pytest.importorskip("fsspec", reason="needs the extra remote")
ROOT = f"s3://{BUCKET}"
MANY, BAD = 24, 2
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process: its exit code, what it printed, what it told."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = app([str(a) for a in arguments], standalone_mode=False) or 0
        except typer.Exit as end:
            code = end.exit_code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", MANY, BAD)


def put(tree: Path, url: str) -> None:
    store = open_store(url)
    for name, data in files_of(tree).items():
        store.write(name, data)


def stored(url: str) -> dict[str, bytes]:
    """Every file below a URL but the manifest."""
    store = open_store(url)
    return {
        entry.key: store.read(entry.key)
        for entry in store.entries()
        if not entry.key.endswith(".jsonl")
    }


def rows(url: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in open_store(url).read("manifest.jsonl").splitlines()]


def records(url: str) -> list[str]:
    return [entry.key for entry in open_store(url).entries() if entry.key.endswith(".jsonl")]


@pytest.fixture
def pressed(tree: Path, tmp_path: Path, command: Command) -> dict[str, bytes]:
    """What a run over local folders makes of the tree."""
    assert command("compress", tree, "-o", tmp_path / "local", "-q", 30)[0] == 1
    return files_of(tmp_path / "local")


def test_a_run_over_s3_has_the_bytes_of_a_local_one_though_requests_fail(
    s3: Proxy, tree: Path, pressed: dict[str, bytes], command: Command
) -> None:
    url = f"{ROOT}/run"
    put(tree, f"{url}/in")
    kinds = ("500", "cut", "refuse", "lost")
    with s3.failing(
        lambda method, path, number: kinds[number // 10 % 4] if number % 10 == 0 else ""
    ):
        code, printed, told = command("compress", f"{url}/in", "-o", f"{url}/out", "-q", 30)
        assert s3.faults >= 5
    assert code == 1
    assert printed.startswith(f"{url}/out: {MANY - BAD} files written, ")
    assert told.count("not an image") == BAD
    assert stored(f"{url}/out") == pressed
    assert records(f"{url}/out") == ["manifest.jsonl"]
    lines = [row for row in rows(f"{url}/out") if "run" not in row]
    assert len(lines) == MANY
    assert {row["output"] for row in lines if not row["error"]} == pressed.keys()
    text = open_store(f"{url}/out").read("manifest.jsonl").decode()
    assert not any(secret in text for secret in (KEYS["AWS_SECRET_ACCESS_KEY"], s3.url))

    with s3.failing(lambda method, path, number: ""):  # the same again: only what failed
        code, printed, _ = command("compress", f"{url}/in", "-o", f"{url}/out", "-q", 30)
        assert not [path for method, path in s3.seen if method == "PUT" and path.endswith(".ltp")]
        assert (
            len([path for method, path in s3.seen if method == "GET" and path.endswith(".png")])
            == BAD
        )
    assert (code, printed) == (1, f"{url}/out: 0 files written, {MANY - BAD} done before\n")


def test_what_changed_or_is_missing_or_is_damaged_is_done_again(
    s3: Proxy, tree: Path, command: Command
) -> None:
    url = f"{ROOT}/change"
    put(tree, f"{url}/in")
    arguments = ("compress", f"{url}/in", "-o", f"{url}/out", "--include", "00/*/000?.png")
    assert command(*arguments)[1].startswith(f"{url}/out: 10 files written")
    whole = stored(f"{url}/out")
    store = open_store(f"{url}/out")
    assert isinstance(store, ObjectStore)
    store.write("00/deep/0001.ltp", whole["00/deep/0001.ltp"][:-1] + b"!")
    UrlPath(f"{url}/out/00/deep/0002.ltp")._remote.remove("")
    open_store(f"{url}/in").write(
        "00/deep/0003.png", open_store(f"{url}/in").read("00/deep/0004.png")
    )
    # the missing and the changed one; the size is the recorded one
    assert "2 files written" in command(*arguments)[1]
    assert "1 file written" in command(*arguments, "--verify")[1]
    assert stored(f"{url}/out") == {**whole, "00/deep/0003.ltp": whole["00/deep/0004.ltp"]}


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_run_leaves_its_rows_in_parts_and_the_next_one_takes_them_up(
    s3: Proxy, tree: Path, pressed: dict[str, bytes], command: Command
) -> None:
    url = f"{ROOT}/killed"
    put(tree, f"{url}/in")
    script = (
        "from latentpress.collection import remote_manifest as m; m.ROWS = 2\n"
        "import sys; from latentpress.__main__ import main; sys.argv[0] = 'latentpress'; main()"
    )
    arguments = ["compress", f"{url}/in", "-o", f"{url}/out", "-q", "30"]
    with s3.failing(
        lambda method, path, number: "slow 0.2" if method == "PUT" and path.endswith(".ltp") else ""
    ):
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments, "--jobs", "1"], stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 120
        while (
            len(
                [
                    1
                    for method, path in list(s3.seen)
                    if "/out/manifest/" in path and method == "PUT"
                ]
            )
            < 4
        ):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    before = stored(f"{url}/out")
    assert 0 < len(before) < MANY - BAD
    # none of them is half a file
    assert all(pressed[name] == data for name, data in before.items())
    assert "manifest.jsonl" not in records(f"{url}/out")
    assert len(records(f"{url}/out")) >= 3
    code, printed, _ = command(*arguments)
    assert code == 1
    assert "done before" in printed
    assert stored(f"{url}/out") == pressed
    assert records(f"{url}/out") == ["manifest.jsonl"]
    assert {row.get("output") for row in rows(f"{url}/out")} >= pressed.keys()


def test_a_picture_takes_two_requests(s3: Proxy, tree: Path, command: Command) -> None:
    url = f"{ROOT}/two"
    put(tree, f"{url}/in")
    with s3.failing(lambda method, path, number: ""):
        command("compress", f"{url}/in", "-o", f"{url}/out", "--include", "*.png")
        of_pictures = [
            method for method, path in s3.seen if path.partition("?")[0].endswith((".png", ".ltp"))
        ]
        assert sorted(of_pictures) == ["GET"] * MANY + ["PUT"] * (MANY - BAD)
        assert len(s3.seen) - len(of_pictures) < 30  # of the run as a whole


def test_a_manifest_that_cannot_be_merged_stays_in_parts(
    s3: Proxy, command: Command, tree: Path
) -> None:
    url = f"{ROOT}/parts"
    put(tree, f"{url}/in")
    arguments = ("compress", f"{url}/in", "-o", f"{url}/out", "--include", "0000.png")
    rule = lambda method, path, number: (
        "500" if method == "PUT" and path.endswith("out/manifest.jsonl") else ""
    )
    with (
        s3.failing(rule),
        pytest.raises(OutputError, match=rf"^{url}/out/manifest.jsonl: the store failed"),
    ):
        command(*arguments)
    assert all(key.startswith("manifest/") for key in records(f"{url}/out"))
    assert command(*arguments)[1] == f"{url}/out: 0 files written, 1 done before\n"
    assert records(f"{url}/out") == ["manifest.jsonl"]


def test_rows_are_written_as_they_come(s3: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = remote_manifest.RemoteManifest(f"{ROOT}/rows")
    manifest.append([{"run": {}}])
    assert list(manifest.lines()) == [{"run": {}}]
    manifest.append([{"n": 1}])
    assert len(list(manifest.lines())) == 1  # waits for more
    monkeypatch.setattr(remote_manifest, "SECONDS", 0.0)
    manifest.append([{"n": 2}])
    assert list(manifest.lines()) == [{"run": {}}, {"n": 1}, {"n": 2}]
    open_store(f"{ROOT}/rows").write("manifest/torn.jsonl", b'{"n": 3}\n{"n": 4')
    manifest.close()
    again = remote_manifest.RemoteManifest(f"{ROOT}/rows", read_only=True)
    assert list(again.lines()) == [{"run": {}}, {"n": 1}, {"n": 2}, {"n": 3}]
    with pytest.raises(ImageError, match=r"none/manifest\.jsonl: no such file"):
        list(remote_manifest.RemoteManifest(f"{ROOT}/none", read_only=True).lines())


def test_a_run_may_begin_while_another_one_ends(memory: str) -> None:
    """The other one takes up the parts of its rows while they are read."""
    store = open_store(memory)
    for n in range(3):
        store.write(f"manifest/a-{n}.jsonl", b'{"n": %d}\n' % n)
    lines = remote_manifest.RemoteManifest(memory).lines()
    assert next(lines) == {"n": 0}
    UrlPath(f"{memory}/manifest/a-1.jsonl")._remote.remove("")
    assert list(lines) == [{"n": 2}]


def test_a_run_ends_before_its_work_where_it_cannot_be_recorded(
    s3: Proxy, tree: Path, command: Command
) -> None:
    with pytest.raises(LatentpressError, match=r"^s3://nobody/out: there is no bucket nobody"):
        command("compress", tree, "-o", "s3://nobody/out")
    with pytest.raises(LatentpressError, match=r"^s3://nobody/in: there is no bucket nobody"):
        command("compress", "s3://nobody/in", "-o", "out")
    with s3.failing(lambda method, path, number: "403" if method == "PUT" else ""):
        with pytest.raises(
            OutputError, match=rf"^{ROOT}/refused/manifest/.*: the store refused access"
        ):
            command("compress", tree, "-o", f"{ROOT}/refused")
        assert not [path for _, path in s3.seen if path.endswith(".ltp")]


@pytest.fixture
def memory() -> Iterator[str]:
    yield "memory://run"
    store = fsspec.filesystem("memory")
    if store.exists("/run"):  # a test that is skipped within has written nothing
        store.rm("/run", recursive=True)


def test_trees_go_between_stores_and_folders(
    memory: str, tree: Path, pressed: dict[str, bytes], tmp_path: Path, command: Command
) -> None:
    assert command("compress", tree, "-o", f"{memory}/out", "-q", 30)[0] == 1
    assert stored(f"{memory}/out") == pressed
    code, _, told = command("decompress", f"{memory}/out", "-o", tmp_path / "back")
    assert (code, told) == (0, "")  # the record is not counted as a file that was skipped
    first = np.asarray(Image.open(tmp_path / "back" / "00" / "deep" / "0000.png"))
    assert np.array_equal(first, np.asarray(latentpress.decompress(pressed["00/deep/0000.ltp"])))
    code, printed, _ = command(
        "assess", tmp_path / "back", f"{memory}/out", "--metrics", "mse", "-o", f"{memory}/grades"
    )
    assert (code, printed) == (0, f"{memory}/grades/table.csv: {MANY - BAD} pictures, 1 metric\n")
    table = open_store(f"{memory}/grades").read("table.csv").decode().splitlines()
    assert len(table) == MANY - BAD + 2
    assert all(line.endswith(",0.0") for line in table[1:])
    # beside the pictures, and not taken for new ones
    assert command("decompress", f"{memory}/out", "-o", f"{memory}/out")[0] == 0
    assert len(stored(f"{memory}/out")) == 2 * (MANY - BAD)


def test_a_list_names_files_of_any_place(
    memory: str, tree: Path, tmp_path: Path, command: Command
) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra remote")
    local = sorted(tree.rglob("*.png"))
    with web_server({"a/b/web.png": local[0].read_bytes()}) as url:
        open_store(memory).write("c/kept.png", local[1].read_bytes())
        names = tmp_path / "names"
        names.write_text(
            f"{url}/a/b/web.png?signature=secret\n{memory}/c/kept.png\n{local[2]}\n{url}/none.png\n"
        )
        code, _, told = command("compress", "--files-from", names, "-o", f"{memory}/listed")
    assert (code, told) == (
        1,
        f"latentpress: {url}/none.png: no such file\nlatentpress: 1 of 4 failed\n",
    )
    made = sorted(stored(f"{memory}/listed"))
    assert made == sorted(
        ["a/b/web.ltp", "c/kept.ltp", f"{local[2].as_posix().lstrip('/').removesuffix('.png')}.ltp"]
    )
    assert "secret" not in open_store(f"{memory}/listed").read("manifest.jsonl").decode()


def test_a_slash_in_the_name_of_a_web_address_leads_nowhere(
    tree: Path, tmp_path: Path, command: Command
) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra remote")
    data = next(tree.rglob("*.png")).read_bytes()
    out = tmp_path / "deep" / "out"
    with web_server({"..%2F..%2Fa.png": data}) as url:
        command("compress", f"{url}/..%2F..%2Fa.png", tree, "-o", out)
    assert files_of(tmp_path / "deep").keys() == {
        "out/manifest.jsonl",
        *(f"out/{name}" for name in files_of(out)),
    }
    assert "a.ltp" in files_of(out)


def test_a_hidden_name_of_a_list_is_done_once(
    memory: str, tree: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".kept").mkdir()
    Path(".kept/a.png").write_bytes(next(tree.rglob("*.png")).read_bytes())
    Path("list").write_text(".kept/a.png\n")
    arguments = ("compress", "--files-from", "list", "-o", f"{memory}/out")
    assert "1 file written" in command(*arguments)[1]
    assert command(*arguments)[1] == f"{memory}/out: 0 files written, 1 done before\n"


def test_one_file_goes_through_every_command(
    memory: str, small: NDArray[np.uint8], tmp_path: Path, command: Command
) -> None:
    stream = io.BytesIO()
    Image.fromarray(small).save(stream, "PNG")
    store = open_store(memory)
    store.write("a.png", stream.getvalue())
    data = latentpress.compress(stream.getvalue())
    code, printed, _ = command("compress", f"{memory}/a.png")
    assert (code, printed.split(" bytes")[0]) == (0, f"{memory}/a.ltp: {len(data):,}")
    assert store.read("a.ltp") == data
    assert latentpress.compress(f"{memory}/a.png") == data  # of Python, too
    decoded = np.asarray(latentpress.decompress(f"{memory}/a.ltp"))
    assert command("compress", f"{memory}/a.png", "-o", tmp_path / "a.ltp")[0] == 0
    assert (tmp_path / "a.ltp").read_bytes() == data
    code, printed, told = command("compress", f"{memory}/a.png")
    assert (code, printed, told) == (
        1,
        "",
        f"latentpress: {memory}/a.ltp: exists already, and overwriting was not asked for\n",
    )
    assert command("compress", f"{memory}/a.png", "--overwrite")[0] == 0
    assert (
        command("decompress", f"{memory}/a.ltp", "-o", f"{memory}/b.webp")[1]
        == f"{memory}/b.webp: 109 x 75 pixels\n"
    )
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(store.read("b.webp")))), decoded)
    assert command("info", f"{memory}/a.ltp")[1].startswith("size     109 x 75 pixels")
    assert (
        command("thumbnail", f"{memory}/a.ltp", "-s", 64)[1]
        == f"{memory}/a.thumbnail.png: 64 x 44 pixels\n"
    )
    assert command("share", f"{memory}/a.ltp", "-o", f"{memory}/page.html")[0] == 0
    assert store.read("page.html").startswith(b"<!doctype html>")
    assert command("latent", f"{memory}/a.ltp")[1].startswith(
        f"{memory}/a.latent.png: quantized latent"
    )
    assert (
        f"{len(data):,} bytes"
        in command("compare", f"{memory}/a.png", f"{memory}/a.ltp", "-o", f"{memory}/c.png")[1]
    )
    assert Image.open(io.BytesIO(store.read("c.png"))).width > 3 * 109
    graded = command(
        "assess", f"{memory}/a.png", f"{memory}/a.ltp", "--metrics", "psnr", "-o", f"{memory}/t.csv"
    )
    assert graded[1] == f"{memory}/t.csv: 1 picture, 1 metric\n"
    with pytest.raises(ImageError, match=f"^{memory}/none.ltp: no such file$"):
        command("info", f"{memory}/none.ltp")


def test_latents_are_packed_and_unpacked(memory: str, tmp_path: Path, command: Command) -> None:
    store = open_store(memory)
    rng = np.random.default_rng(1)
    latents = {name: rng.normal(size=(4, 8, 8)).astype(np.float32) for name in ("a", "b/c")}
    for name, latent in latents.items():
        stream = io.BytesIO()
        np.save(stream, latent)
        store.write(f"in/{name}.npy", stream.getvalue())
    code, printed, _ = command(
        "latents", "pack", f"{memory}/in", "-o", f"{memory}/set.ltps", "--lossless"
    )
    assert (code, printed.split(",")[0]) == (0, f"{memory}/set.ltps: 2 latents")
    with Reader(f"{memory}/set.ltps") as reader:
        assert dict(zip(reader.names(), map(bytes, reader), strict=True)) == {
            k: bytes(v) for k, v in latents.items()
        }
    assert command("latents", "info", f"{memory}/set.ltps")[0] == 0
    assert (
        command("latents", "unpack", f"{memory}/set.ltps", "-o", f"{memory}/back")[1]
        == f"{memory}/back: 2 latents\n"
    )
    assert np.array_equal(np.load(io.BytesIO(store.read("back/b/c.npy"))), latents["b/c"])
    assert (
        command("latents", "pack", f"{memory}/in", "-o", f"{memory}/packed/", "--lossless")[0] == 0
    )
    assert sorted(stored(f"{memory}/packed")) == ["a.ltps", "b/c.ltps"]
    with pytest.raises(UsageError, match="appended to local files alone"):
        command(
            "latents", "pack", f"{memory}/in", "-o", f"{memory}/set.ltps", "--lossless", "--append"
        )


def test_outputs_below_a_url_are_written_there_or_refused(
    memory: str, tree: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not into a local folder of the name "memory:"."""
    monkeypatch.chdir(tree.parent)
    command("compress", tree, "-o", "pressed")
    before = os.listdir()
    assert command("report", "pressed", "-o", f"{memory}/report.html")[0] == 0
    assert b"22 pictures" in open_store(memory).read("report.html")
    for name in ("bench", "study"):
        with pytest.raises(typer.BadParameter, match="is a URL: name a path on this machine"):
            command(name, "-o", f"{memory}/run")
    assert os.listdir() == before


def test_the_report_of_a_store_that_is_opened_by_a_name_and_a_password(
    tree: Path, command: Command
) -> None:
    files = fsspec.filesystem("memory")
    url = "memory://me:word@run"  # to fsspec another place than memory://run
    try:
        assert command("compress", tree, "-o", f"{url}/out")[0] == 1
        code, told, _ = command("report", f"{url}/out")
        assert (code, told.split(": ")[0]) == (0, "memory://run/out/report.html")
        page = files.cat_file("/me:word@run/out/report.html")
        assert b"22 pictures" in page
        assert b"word" not in page
    finally:
        files.rm("/me:word@run", recursive=True)


def test_a_report_of_a_store_goes_into_it(memory: str, tree: Path, command: Command) -> None:
    code, _, _ = command(
        "compress",
        tree,
        "-o",
        f"{memory}/out",
        "--metrics",
        "psnr",
        "--report",
        f"{memory}/report.html",
    )
    assert code == 1
    page = open_store(memory).read("report.html").decode()
    assert f"Pictures in {memory}/out" in page
    assert page.count("<img ") == 20  # the worst ten, beside their originals


def test_a_bucket_that_is_missing_costs_a_line_of_a_list(
    s3: Proxy, tmp_path: Path, tree: Path, command: Command
) -> None:
    [good] = [path for path in files_of(tree) if path.endswith("0000.png")]
    (tmp_path / "list").write_text(f"s3://nowhere/a.png\n{tree}/{good}\n")
    code, printed, told = command(
        "compress", "--files-from", tmp_path / "list", "-o", tmp_path / "out"
    )
    assert code == 1
    assert "s3://nowhere/a.png: there is no bucket nowhere" in told
    assert "1 file written" in printed
