"""What the command line says when something is wrong names what is wrong, in the words of the
command line.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.attacks import rebuilt
from helpers.commands import fails, run
from latentpress.container import pack, unpack
from latentpress.errors import UsageError
from latentpress.spaces import space_of_codec
from latentpress.system import environment
from latentpress.transforms import hub


@pytest.fixture
def folder(tmp_path: Path, small: NDArray[np.uint8]) -> Path:
    """p.png and p.ltp."""
    Image.fromarray(small).save(tmp_path / "p.png")
    (tmp_path / "p.ltp").write_bytes(latentpress.compress(small, quality=30))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["compress", "p.ltp"], "p.ltp is already an .ltp file: `latentpress decompress`"),
        (
            ["compress", "p.png", "out.ltp"],
            "out.ltp is not there: if it is the output's name, write -o out.ltp",
        ),
        (["compress", "p.png", "p.ltp"], "write -o p.ltp --overwrite"),
        (["decompress", "p.ltp", "out.png"], "write -o out.png"),
        (["decompress", "p.png"], "p.png is no .ltp file"),
        (
            ["compress", "p.png", "sub"],
            "sub is a folder: if it is where the outputs go, write -o sub",
        ),
        (["compress", "p.png", "-o", ""], "the name of the output is empty"),
    ],
)
def test_a_forgotten_option_and_a_wrong_file_are_named(
    folder: Path, arguments: list[str], part: str
) -> None:
    (folder / "sub").mkdir()
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    assert part in fails(2, *arguments, cwd=folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_an_empty_name_is_not_the_folder_one_is_in(folder: Path) -> None:
    for words in (
        ("compress", ""),
        ("decompress", ""),
        ("info", ""),
        ("latent", ""),
        ("compare", "p.png", ""),
        ("assess", "", "p.png"),
        ("report", ""),
        ("latents", "info", ""),
    ):
        done = run(*words, cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert "the name of the file is empty" in done.stderr


def test_a_wrong_environment_variable_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("LATENTPRESS_THREADS", "many"),
        ("LATENTPRESS_THREADS", "9" * 20),
        ("LATENTPRESS_MAX_PIXELS", "1e9"),
    ):
        for arguments in (
            ["compress", "p.png", "-o", "x.ltp"],
            ["decompress", "p.ltp", "-o", "x.png"],
        ):
            done = run(*arguments, cwd=folder, **{name: value})
            assert done.returncode == 2
            assert done.stderr.startswith(f"latentpress: the environment variable {name} ")
            assert "onnx" not in done.stderr
    done = run(
        "assess", "p.png", "p.ltp", cwd=folder, LATENTPRESS_METRIC_WEIGHTS=str(folder / "none")
    )
    assert (done.returncode, "LATENTPRESS_METRIC_WEIGHTS names" in done.stderr) == (2, True)
    monkeypatch.setenv("LATENTPRESS_X", str(folder))
    assert environment.folder("LATENTPRESS_X") == folder
    monkeypatch.setenv("LATENTPRESS_X", str(folder / "p.png"))
    with pytest.raises(UsageError, match=r"LATENTPRESS_X names .*which is no folder"):
        environment.folder("LATENTPRESS_X")


def test_latents_pack_speaks_of_its_options_and_of_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 8, 8), np.float32))
    assert "--max-error, --rmse, -q (--quality) or --lossless" in fails(
        2, "latents", "pack", "a.npy", "-o", "s.ltps", cwd=tmp_path
    )
    both = fails(
        2, "latents", "pack", "a.npy", "-o", "s.ltps", "--rmse", 1, "--lossless", cwd=tmp_path
    )
    assert "--rmse and --lossless" in both
    below = fails(2, "latents", "pack", "a.npy", "-o", "s.ltps", "--max-error", -1, cwd=tmp_path)
    assert "--max-error is a number above 0, not -1" in below
    done = run("latents", "pack", "a.npy", "-o", "s.ltps", "--lossless", cwd=tmp_path)
    assert f"{(tmp_path / 's.ltps').stat().st_size:,} bytes" in done.stdout
    assert "latents info" in fails(1, "info", "s.ltps", cwd=tmp_path)
    for name, content, part in (
        ("a.ltp", b"LTP\1" + bytes(40), "`latentpress info` reads it"),
        ("b.ltps", b"x", "not an .ltps file"),
    ):
        (tmp_path / name).write_bytes(content)
        assert part in fails(1, "latents", "info", name, cwd=tmp_path)
    for content, part in (
        (b"", "the file is empty"),
        (b"LT", "cut off within its header"),
        (b"GIF89a" + bytes(30), "not an .ltp file"),
    ):
        (tmp_path / "c.ltp").write_bytes(content)
        assert fails(1, "info", "c.ltp", cwd=tmp_path).endswith(part)


def file_of(model_hash: str) -> bytes:
    """A file of space sd15 by an encoder of this hash; its latent is none."""
    _, chunks = unpack(latentpress.compress(np.zeros((16, 16, 3), np.uint8)))
    [body] = chunks.values()
    return pack(space_of_codec("sd15"), bytes.fromhex(model_hash), 16, 16, 50, {0x03: body})


def test_info_says_which_model_a_hash_is(folder: Path) -> None:
    taesd = hub.find_known("taesd")
    assert taesd is not None
    assert taesd.hub_sha256 is not None
    for known in (taesd.hub_sha256, *taesd.also_good):
        (folder / "sd.ltp").write_bytes(file_of(known[:8]))
        shown = run("info", "sd.ltp", cwd=folder).stdout
        assert (
            f"{known[:8]} (madebyollin/taesd: `latentpress models fetch madebyollin/taesd`)"
            in shown
        )
    assert (
        json.loads(run("info", "sd.ltp", "--json", cwd=folder).stdout)["model"]
        == "madebyollin/taesd"
    )
    (folder / "sd.ltp").write_bytes(file_of("01234567"))
    assert "no published one" in run("info", "sd.ltp", cwd=folder).stdout
    assert "built-in model" in run("info", "p.ltp", cwd=folder).stdout


def test_info_says_that_another_lp1_model_is_none_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "a.ltp"
    data = latentpress.compress(np.zeros((16, 16, 3), np.uint8), content="photo")
    file.write_bytes(rebuilt(data, model_hash=bytes(4)))
    shown = run("info", file).stdout
    assert "00000000 (of another lp1 model: this latentpress has d8af0931, and cannot" in shown
    assert json.loads(run("info", file, "--json").stdout)["model"] is None
    layer = latentpress.compress(np.zeros((16, 16, 3), np.uint8), content="screen")
    file.write_bytes(rebuilt(layer, model_hash=bytes(4)))
    assert "00000000 (of another lp1 model, which a screen layer" in run("info", file).stdout


def test_decompress_asks_for_the_encoder_s_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from latentpress.parts import parts_of

    space = space_of_codec("sd15")
    taesd = hub.find_known("taesd")
    assert taesd is not None
    assert taesd.hub_sha256 is not None
    header = latentpress.read_header(file_of(taesd.hub_sha256[:8]))
    here: set[str] = set()
    monkeypatch.setattr(hub, "cached", lambda name: name if name in here else None)
    assert parts_of(space).decoding_model(header) == taesd.name
    here.add(space.default_model)
    assert parts_of(space).decoding_model(header) is None  # which is here
    here.add(taesd.name)
    assert parts_of(space).decoding_model(header) == taesd.name
    assert parts_of(space).decoding_model(latentpress.read_header(file_of("01234567"))) is None
