"""`latentpress latents pack`, `unpack`, `info` in fresh processes."""

import importlib.util
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from helpers.latent_files import smooth
from helpers.paths import WEIGHTS
from latentpress import container
from latentpress.codec import decode_latent
from latentpress.container import LATENT_FACTORIZED
from latentpress.entropy.factorized import FactorizedCoder
from latentpress.latents import load
from latentpress.spaces import space_of_codec


def run(*arguments: object, fails: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "latentpress", "latents", *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode != 0) == fails, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    (root / "deep").mkdir(parents=True)
    np.save(root / "a.npy", smooth(4, 8, 9, 1))
    (root / "a.json").write_text('{"caption": "ein Eichhörnchen"}', encoding="utf-8")
    np.save(
        root / "deep/many.npy",
        np.stack([smooth(4, 8, 8, seed) for seed in (2, 3)]).astype(np.float16),
    )
    return root


def test_there_and_back(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "set.ltps"
    assert "3 latents" in run("pack", folder, "-o", file, "--space", "sd15", "--lossless")
    shown = json.loads(run("info", file, "--json"))
    assert shown["space"] == "sd15"
    assert [row["name"] for row in shown["latents"]] == ["a", "deep/many/0", "deep/many/1"]
    assert shown["latents"][0]["metadata"] == {"caption": "ein Eichhörnchen"}
    assert "float16 (2), float32 (1)" in run("info", file)
    run("unpack", file, "-o", tmp_path / "out")
    assert (np.load(tmp_path / "out/a.npy") == np.load(folder / "a.npy")).all()
    assert (np.load(tmp_path / "out/deep/many/1.npy") == np.load(folder / "deep/many.npy")[1]).all()
    assert json.loads((tmp_path / "out/a.json").read_text(encoding="utf-8")) == {
        "caption": "ein Eichhörnchen"
    }
    assert "exists" in run("unpack", file, "-o", tmp_path / "out", fails=True)


def test_what_was_appended_is_told_and_not_the_whole_file(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "set.ltps"
    first = run("pack", folder, "-o", file, "--lossless")
    second = run("pack", folder, "-o", file, "--lossless", "--append")
    assert "bytes more, " in second
    rates = [float(told.split(", ")[-1].split()[0]) for told in (first, second)]
    assert rates[1] == pytest.approx(rates[0], rel=0.1)
    assert run("pack", folder, "-o", file, "--lossless", "--append", "--quiet") == ""
    assert ": 1 latent, " in run("pack", folder / "a.npy", "-o", tmp_path / "b.ltps", "--lossless")


@pytest.mark.parametrize(
    ("output", "options", "sentence"),
    [
        ("set.ltps", ["--append", "--overwrite"], "--append keeps what --overwrite"),
        ("packed", ["--append"], "--append puts latents behind those of one .ltps file"),
        ("packed", ["--append", "--shard-size", "1kB"], "--append puts latents behind"),
        ("packed", ["--verify", "--shard-size", "1kB"], "--skip-existing and --verify are of"),
        ("set.ltps", ["--verify"], "--skip-existing and --verify are of folders"),
        ("set.ltps", ["--skip-existing"], "--skip-existing and --verify are of folders"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    folder: Path, tmp_path: Path, output: str, options: list[str], sentence: str
) -> None:
    told = run("pack", folder, "-o", tmp_path / output, "--lossless", *options, fails=True)
    assert sentence in told
    assert not (tmp_path / output).exists()


def test_what_holds_no_latent_to_pack_is_named(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "set.ltps"
    run("pack", folder, "-o", file, "--lossless")
    again = run("pack", file, "-o", tmp_path / "again.ltps", "--lossless", fails=True)
    assert "packed already: `latentpress latents unpack`" in again
    assert "name a folder with -o" in run("unpack", file, "-o", "-", fails=True)
    (tmp_path / "list").touch()
    told = run("pack", "--files-from", tmp_path / "list", "-o", file, "--lossless", fails=True)
    assert "the list holds no .npy, .safetensors, .pt, .ltp file" in told


@pytest.mark.parametrize("output", ["out", "out/"])
def test_one_file_goes_into_a_folder_as_many_do(folder: Path, tmp_path: Path, output: str) -> None:
    told = run("pack", folder / "a.npy", "-o", f"{tmp_path}/{output}", "--lossless")
    assert ": 1 file written, " in told
    assert np.array_equal(load(tmp_path / "out" / "a.ltps")[0], np.load(folder / "a.npy"))


def test_append_and_precision(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "set.ltps"
    run("pack", folder / "a.npy", "-o", file, "--max-error", "0.01")
    assert "exists" in run("pack", folder / "a.npy", "-o", file, "--max-error", "0.01", fails=True)
    run("pack", folder / "a.npy", "-o", file, "--rmse", "0.1", "--append")
    found = load(file)
    assert np.abs(found[0] - np.load(folder / "a.npy")).max() <= 0.01
    assert 0.01 < np.abs(found[1] - np.load(folder / "a.npy")).max() < 0.5


def test_tensors(tmp_path: Path) -> None:
    torch, safetensors = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    y = torch.from_numpy(smooth(4, 6, 6)).bfloat16()
    (tmp_path / "in").mkdir()
    safetensors.save_file({"x": y, "y": y + 1}, tmp_path / "in/s.safetensors")
    torch.save(y, tmp_path / "in/t.pt")
    run("pack", tmp_path / "in", "-o", tmp_path / "a.ltps", "--space", "sd15", "--lossless")
    for form in ("safetensors", "pt"):
        run("unpack", tmp_path / "a.ltps", "-o", tmp_path / form, "--format", form)
    assert torch.equal(
        safetensors.load_file(tmp_path / "safetensors/s/y.safetensors")["latent"], y + 1
    )
    assert torch.equal(torch.load(tmp_path / "pt/t.pt", weights_only=True), y)


def test_what_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.ltps"
    assert "say how exact" in run("pack", folder, "-o", out, fails=True)
    assert "no .npy" in run("pack", _made(tmp_path / "empty"), "-o", out, "--lossless", fails=True)
    assert "does not exist" in run(
        "pack", tmp_path / "nothing", "-o", out, "--lossless", fails=True
    )
    np.save(folder / "z.npy", smooth(3, 4, 4))
    assert "z.npy" in run("pack", folder, "-o", out, "--space", "sd15", "--lossless", fails=True)
    (folder / "z.npy").write_bytes(b"no array")
    assert "z.npy" in run("pack", folder, "-o", out, "--lossless", fails=True)
    assert "not an .ltps" in run("info", folder / "z.npy", fails=True)
    (folder / "z.npy").unlink()
    Image.new("RGB", (16, 16)).save(folder / "z.png")
    assert "--codec" in run("pack", folder, "-o", out, "--lossless", fails=True)
    assert not out.exists()


@pytest.fixture
def in_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs `latents` in this process: (exit code, the sentence). For many small failures, and for
    modules that are not there.
    """
    from latentpress.cli.app import main

    monkeypatch.setattr("signal.signal", lambda *_: None)

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["latentpress", "latents", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().err

    return call


def test_damaged_files_are_one_sentence(
    tmp_path: Path, in_process: Callable[..., tuple[int, str]]
) -> None:
    out, y = tmp_path / "a.ltps", smooth(3, 4, 4)
    np.savez(tmp_path / "arrays.npz", y=y, z=y)
    (tmp_path / "arrays.npz").rename(tmp_path / "arrays.npy")
    np.save(tmp_path / "none.npy", np.empty((0, 3, 4, 4), np.float32))
    cases: dict[str, tuple[bytes, str]] = {
        "x.npy": (b"", "x.npy"),
        "y.npy": ((tmp_path / "arrays.npy").read_bytes(), "several arrays"),
        "n.npy": ((tmp_path / "none.npy").read_bytes(), "holds no latent"),
        "o.npy": (b"\x93NUMPY\x01\x00" + b"\xff" * 40, "cannot be read as npy"),
    }
    if importlib.util.find_spec("torch") and importlib.util.find_spec("safetensors"):
        cases["s.safetensors"] = (b"\x10\0\0\0\0\0\0\0no header", "cannot be read as safetensors")
        cases["t.pt"] = (pickle.dumps(Path("x")), "cannot be read as pt")
        import torch

        of_torch: list[tuple[str, Any, str]] = [
            ("objects.pt", Path("x"), "holds other objects than tensors"),
            ("nothing.pt", {}, "holds no latent"),
            ("sparse.pt", torch.zeros(3, 4, 4).to_sparse(), "not torch.float32 torch.sparse_coo"),
        ]
        for name, value, said in of_torch:
            torch.save(value, tmp_path / name)
            cases[name] = ((tmp_path / name).read_bytes(), said)
    for name, (data, said) in cases.items():
        (tmp_path / name).write_bytes(data)
        code, sentence = in_process("pack", tmp_path / name, "-o", out, "--lossless")
        assert (code, name in sentence, said in sentence, sentence.count("\n")) == (
            1,
            True,
            True,
            1,
        ), sentence
    assert not out.exists()


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    try:
        np.save(tmp_path / "\udcff.npy", smooth(3, 4, 4))
    except OSError:
        pytest.skip("this file system takes no such name")
    assert "must be text" in run(
        "pack", tmp_path, "-o", tmp_path / "a.ltps", "--lossless", fails=True
    )


def test_what_is_asked_for_wrongly_is_usage(
    folder: Path,
    tmp_path: Path,
    in_process: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "z.png")
    code, sentence = in_process("pack", tmp_path / "z.png", "-o", tmp_path / "a.ltps", "--lossless")
    assert (code, "--codec" in sentence) == (2, True), sentence
    run("pack", folder, "-o", tmp_path / "a.ltps", "--lossless")
    for module in ("torch", "safetensors.torch"):
        monkeypatch.setitem(sys.modules, module, None)
    for form in ("pt", "safetensors"):
        code, sentence = in_process(
            "unpack", tmp_path / "a.ltps", "-o", tmp_path / "out", "--format", form
        )
        assert (code, "pip install" in sentence) == (2, True), sentence


def test_names_stay_below_the_folder(tmp_path: Path) -> None:
    from latentpress.latents.conversion import targets

    found = targets(["../../etc/passwd", "/root/x", "", "a\\..\\b", "C:/y"], tmp_path, "npy")
    assert all(tmp_path in f.parents for f in found)
    assert found[2] == tmp_path / "2.npy"


def test_a_photograph(tmp_path: Path) -> None:
    weights = WEIGHTS / "taesd"
    if not weights.exists():
        pytest.skip("the tiny autoencoders are not beside the project")
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8))
    folder = _made(tmp_path / "in")
    for name in ("p.png", "q.jp2"):
        photo.save(folder / name)
    run(
        "pack",
        folder,
        "-o",
        tmp_path / "a.ltps",
        "--codec",
        "sd15",
        "--model",
        weights,
        "--quality",
        60,
    )
    assert load(tmp_path / "a.ltps").shape == (2, 4, 5, 6)
    assert json.loads(run("info", tmp_path / "a.ltps", "--json"))["space"] == "sd15"


def ltp_file(file: Path, space: str) -> NDArray[np.float32]:
    """A .ltp file of a space; its y_hat."""
    where = space_of_codec(space)
    y = smooth(where.channels, 5, 6)
    file.write_bytes(
        container.pack(
            where, bytes(4), 48, 40, 60, {LATENT_FACTORIZED: FactorizedCoder(where, 60).encode([y])}
        )
    )
    return decode_latent(file.read_bytes())


def test_a_ltp_file_knows_its_space(tmp_path: Path) -> None:
    folder, out = _made(tmp_path / "in"), tmp_path / "a.ltps"
    y_hat = ltp_file(folder / "a.ltp", "sdxl")
    assert "space sdxl, not sd15" in run(
        "pack", folder, "-o", out, "--space", "sd15", "--lossless", fails=True
    )
    assert not out.exists()
    for asked, space in (((), "sdxl"), (("--space", "sdxl"), "sdxl"), (("--space", "raw"), "raw")):
        run("pack", folder, "-o", out, *asked, "--lossless", "--overwrite")
        assert json.loads(run("info", out, "--json"))["space"] == space
        assert (load(out)[0] == y_hat).all()
    ltp_file(folder / "b.ltp", "sd15")  # two spaces in one file are raw
    run("pack", folder, "-o", out, "--lossless", "--overwrite")
    assert json.loads(run("info", out, "--json"))["space"] == "raw"
    (folder / "b.ltp").write_bytes(b"LTP\x01")
    assert "b.ltp" in run("pack", folder, "-o", out, "--lossless", "--overwrite", fails=True)


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_ltp_files_in_an_archive_know_their_space(tmp_path: Path, form: str) -> None:
    folder, out = _made(tmp_path / "in"), tmp_path / "a.ltps"
    y_hat = ltp_file(folder / "a.ltp", "sdxl")
    for space in ("sdxl", "raw"):
        archive = shutil.make_archive(str(tmp_path / "in"), form, folder)
        run("pack", archive, "-o", out, "--lossless", "--overwrite")
        run("pack", archive, "-o", tmp_path / space, "--lossless", "--shard-size", "1MB")
        for file in (out, tmp_path / space / "000000.ltps"):
            assert json.loads(run("info", file, "--json"))["space"] == space
            assert (load(file)[0] == y_hat).all()
        ltp_file(folder / "b.ltp", "sd15")
    (folder / "c.ltp").write_bytes(b"LTP\x01")  # is told where it is packed, beside the others
    archive = shutil.make_archive(str(tmp_path / "in"), form, folder)
    sized = ("-o", tmp_path / "sized", "--lossless", "--shard-size", "1MB")
    assert "c.ltp: " in run("pack", archive, *sized, fails=True)
    assert len(load(tmp_path / "sized/000000.ltps")) == 2


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
