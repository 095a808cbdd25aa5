"""`latents pack --shard-size`: a run that was ended goes on, and packs nothing twice."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from helpers.shards import shard
from latentpress import latents
from latentpress.cli.app import app
from latentpress.collection.manifest import LocalManifest
from latentpress.errors import LatentpressError, OutputError

MANY = 24
ASKED = ("-o", "out", "--lossless", "--shard-size", "2kB")


def npy(number: int) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.random.default_rng(number).standard_normal((4, 8, 8), np.float32))
    return stream.getvalue()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with MANY latents: half in files, half in a shard."""
    monkeypatch.chdir(tmp_path)
    Path("in/files").mkdir(parents=True)
    for number in range(MANY // 2):
        Path(f"in/files/{number:02}.npy").write_bytes(npy(number))
    inside = [(f"{number:02}.npy", npy(number)) for number in range(MANY // 2, MANY)]
    Path("in/z.tar").write_bytes(shard(inside))
    return tmp_path


def pack(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["latents", "pack", "in", *ASKED, *arguments])
    if isinstance(result.exception, LatentpressError):
        assert code == 1, result.exception
        return str(result.exception)
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def names(folder: str = "out") -> list[str]:
    """Of all latents in the shards, in their order."""
    found = []
    for path in sorted(Path(folder).glob("*.ltps")):
        with latents.Reader(path) as reader:
            for number in range(len(reader)):
                latent, info = reader.read(number)
                index = int(info.name.rpartition("/")[2])
                assert np.array_equal(latent, np.load(io.BytesIO(npy(index))))
                found.append(info.name)
    return found


def test_the_same_command_again_packs_what_came(here: Path) -> None:
    assert f", {MANY} latents, " in pack()
    first = {path.name: path.read_bytes() for path in Path("out").glob("*.ltps")}
    assert len(first) > 4
    told = pack()
    assert f"{len(first)} shards, 0 latents, " in told
    assert f", {MANY} latents packed before" in told
    Path("in/files/99.npy").write_bytes(npy(99))
    assert ", 1 latent, " in pack()
    for name, data in first.items():
        assert Path("out", name).read_bytes() == data
    assert len(names()) == len(set(names())) == MANY + 1
    result = CliRunner().invoke(app, ["report", "out", "-o", "page.html"])
    assert result.exit_code == 0, (result.output, result.exception)


@pytest.mark.parametrize("lines", [3, 8, 15, 30, 40])
def test_a_run_goes_on_after_any_line(here: Path, lines: int) -> None:
    """As if the run had been killed when so many lines of its manifest, and a torn one, were there,
    and one more file than they tell of.
    """
    pack()
    expected = names()
    shutil.move("out", "whole")
    Path("out").mkdir()
    text = Path("whole/manifest.jsonl").read_text().splitlines(keepends=True)
    kept = text[:lines]
    Path("out/manifest.jsonl").write_text("".join(kept) + text[lines][:20])
    begun = [json.loads(line)["begun"] for line in kept if "begun" in json.loads(line)]
    for name in begun:
        shutil.copy(f"whole/{name}", "out")
    pack()
    assert sorted(names()) == sorted(expected)
    for path in Path("whole").glob("*.ltps"):
        assert Path("out", path.name).read_bytes() == path.read_bytes()


def test_a_run_that_is_ended_as_a_shard_of_one_latent_is_there_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(self: LocalManifest, lines: Iterable[Mapping[str, Any]]) -> None:
        told = list(lines)
        if any("shard" in line for line in told) or Path("out/000000.ltps").exists():
            raise OutputError("ended")
        append(self, told)

    append = LocalManifest.append
    one = ("--shard-size", "1")
    with monkeypatch.context() as patch:
        patch.setattr(LocalManifest, "append", ended)
        assert pack(*one, code=1) == "ended"
    assert Path("out/000000.ltps").exists()
    assert f"{MANY} shards, {MANY} latents, " in pack(*one)
    assert len(names()) == len(set(names())) == MANY


def pack_the_first_shard() -> None:
    """Leave what a run leaves that is ended behind its first shard."""
    pack()
    shards = sorted(Path("out").glob("*.ltps"))
    assert len(shards) > 1
    text = Path("out/manifest.jsonl").read_text().splitlines(keepends=True)
    first = next(n for n, line in enumerate(text) if "shard" in json.loads(line))
    Path("out/manifest.jsonl").write_text("".join(text[: first + 1]))
    for path in shards[1:]:
        path.unlink()


def test_members_of_one_name_are_told_apart(here: Path) -> None:
    """As in a table whose pictures are a/0.png and b/0.png, of which the last parts are names."""
    shutil.rmtree("in/files")
    Path("in/z.tar").write_bytes(shard([("0.npy", npy(number)) for number in range(6)]))
    pack_the_first_shard()
    pack()
    assert ", 0 latents, " in pack()
    held = [latents.load(path) for path in sorted(Path("out").glob("*.ltps"))]
    expected = [np.load(io.BytesIO(npy(number))) for number in range(6)]
    assert np.array_equal(np.concatenate(held), np.stack(expected))


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_run_that_is_killed_goes_on(here: Path) -> None:
    for number in range(100, 300):
        Path(f"in/files/{number}.npy").write_bytes(npy(number))
    command = [sys.executable, "-m", "latentpress", "latents", "pack", "in", *ASKED]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while len(list(Path("out").glob("*.ltps"))) < 5 and time.monotonic() < end:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the run was over before it could be killed"
    told = pack()
    assert " packed before" in told
    assert len(names()) == len(set(names())) == MANY + 200
    assert not [name for name in os.listdir("out") if name.startswith(".")]


def test_a_file_whose_last_latent_fills_a_shard_is_not_read_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacked = np.stack([np.load(io.BytesIO(npy(number))) for number in range(3)])
    np.save("in/many.npy", stacked)
    result = CliRunner().invoke(app, ["latents", "pack", "in", *ASKED[:-1], "1"])  # one a shard
    assert f"{MANY + 3} shards, {MANY + 3} latents, " in result.output
    monkeypatch.setattr("latentpress.latents.conversion.read", lambda *_: pytest.fail("read again"))
    result = CliRunner().invoke(app, ["latents", "pack", "in", *ASKED[:-1], "1"])
    assert f", {MANY + 3} latents packed before" in result.output


def test_a_file_of_many_latents_that_ends_in_another_shard(here: Path) -> None:
    stacked = np.stack([np.load(io.BytesIO(npy(number))) for number in range(6)])
    shutil.rmtree("in")
    Path("in").mkdir()
    np.save("in/many.npy", stacked)
    pack_the_first_shard()
    told = pack()
    assert " packed before" in told
    held = []
    for path in sorted(Path("out").glob("*.ltps")):
        with latents.Reader(path) as reader:
            held += [reader[n] for n in range(len(reader))]
    assert np.array_equal(np.stack(held), stacked)


def test_what_cannot_go_on_is_told_and_may_begin_anew(here: Path) -> None:
    pack()
    before = names()
    Path("in/files/00.npy").write_bytes(npy(0) + b" ")
    assert "in/files/00.npy: was changed, or a file beside it, since" in pack(code=1)
    Path("in/files/00.npy").write_bytes(npy(0))
    assert "holds shards that were asked for otherwise" in pack("--space", "sd15", code=1)
    pack("--overwrite")
    assert names() == before
    Path("out/000001.ltps").write_bytes(b"other")
    assert "000001.ltps: is not there as the manifest has it" in pack(code=1)
    pack("--overwrite")
    assert names() == before
    Path("out/manifest.jsonl").unlink()
    assert "000000.ltps: exists already" in pack(code=1)


def test_a_broken_file_is_tried_again(here: Path) -> None:
    Path("in/files/03.npy").write_bytes(b"broken")
    assert "03.npy: cannot be read as npy" in pack(code=1)
    assert "03.npy: cannot be read as npy" in pack(code=1)
    Path("in/files/03.npy").write_bytes(npy(3))
    assert ", 1 latent, " in pack()
    assert len(names()) == len(set(names())) == MANY


def test_what_is_no_latent_makes_no_file(here: Path) -> None:
    pack()
    before = sorted(os.listdir("out"))
    Path("in/files/aa.npy").write_bytes(npy(0).replace(b"<f4", b"<i4"))
    for _ in range(2):
        assert "aa.npy: latents are float32, float16" in pack(code=1)
        assert sorted(os.listdir("out")) == before
    assert len(names()) == MANY
    shutil.rmtree("in/files")
    shutil.rmtree("out")
    Path("in/files").mkdir()
    Path("in/files/aa.npy").write_bytes(npy(0).replace(b"<f4", b"<i4"))
    Path("in/z.tar").unlink()
    assert "0 shards, 0 latents, 0 bytes" in pack(code=1)
    assert os.listdir("out") == ["manifest.jsonl"]


def test_beginning_anew_leaves_no_file_of_the_run_before(here: Path) -> None:
    pack()
    assert len(os.listdir("out")) > 3
    Path("out/000777.ltps").write_bytes(b"another's")
    pack("--overwrite", "--shard-size", "1MB")
    assert sorted(os.listdir("out")) == ["000000.ltps", "000777.ltps", "manifest.jsonl"]
    Path("out/000777.ltps").unlink()
    assert sorted(names()) == sorted(set(names()))
    assert len(names()) == MANY


def test_a_run_killed_while_it_begins_anew_leaves_none_either(here: Path) -> None:
    pack()
    manifest = Path("out/manifest.jsonl")
    before = manifest.read_text()
    pack("--overwrite", "--shard-size", "1MB")
    begun = manifest.read_text()[len(before) :].splitlines(keepends=True)[:2]
    shutil.rmtree("out")
    pack()
    manifest.write_text(before + "".join(begun))
    pack("--shard-size", "1MB")
    assert sorted(os.listdir("out")) == ["000000.ltps", "manifest.jsonl"]
    assert len(names()) == MANY
