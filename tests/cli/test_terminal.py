"""What the commands print: names as they are, notices that begin as errors do, a bar that breaks no
line, JSON for everyone.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

import latentpress
from helpers.commands import fails, run
from helpers.paths import ROOT
from latentpress.cli import terminal
from latentpress.cli.app import app
from latentpress.cli.json_output import to_json

NAMES = ("[edited] a.png", "[red]b[/red] :art:.png", "[/] c.png")


@pytest.fixture
def folder(tmp_path: Path, small: NDArray[np.uint8]) -> Path:
    """Pictures whose names hold what rich takes for markup, one of them in a folder of its own."""
    if sys.platform == "win32":
        pytest.skip("names that are not allowed there")
    (tmp_path / "in").mkdir()
    for name in NAMES:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small).save(tmp_path / "in" / name)
    return tmp_path


def test_names_are_shown_as_they_are(folder: Path) -> None:
    files = [str(path) for path in sorted((folder / "in").rglob("*.png"))]
    assert len(files) == len(NAMES)
    for file in files:
        done = run("compress", file, "-o", "pressed/", cwd=folder)
        assert Path(file).stem in done.stdout
        stem = Path(file).stem
        ltp = folder / "pressed" / f"{stem}.ltp"
        assert stem in run("decompress", ltp, "-o", "out/", "--overwrite", cwd=folder).stdout
        for words in (("assess", file, ltp, "--metrics", "mse"), ("compare", file, ltp)):
            done = run(*words)
            assert f"{stem}.ltp against " in done.stdout
        assert (
            f"of {stem}.ltp" in run("assess", file, ltp, "--metrics", "mse", COLUMNS="200").stdout
        )
        assert stem in run("info", ltp, ltp).stdout
        assert stem in fails(1, "info", folder / f"{stem}.missing")
    flat = folder / "flat"
    flat.mkdir()
    for file in files:
        os.link(file, flat / Path(file).name)
    shown = run("assess", flat, folder / "pressed", "--metrics", "mse").stdout
    assert all(Path(file).stem in shown for file in files)


def test_every_console_is_made_in_one_place() -> None:
    for path in (ROOT / "src" / "latentpress").rglob("*.py"):
        if path.name != "terminal.py":
            assert not re.search(r"\bConsole\(", path.read_text(encoding="utf-8")), path
    progress = [
        p
        for p in (ROOT / "src" / "latentpress").rglob("*.py")
        if "TextColumn(" in p.read_text(encoding="utf-8")
    ]
    assert progress
    for path in progress:
        for column in re.findall(r"TextColumn\([^)]*\)", path.read_text(encoding="utf-8")):
            assert "markup=False" in column, path


def test_what_to_install_is_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from latentpress.cli import metrics as metrics_command
    from latentpress.errors import WeightsError
    from latentpress.transforms import hub

    def missing(name: str) -> None:
        raise WeightsError(hub.EXTRA)

    monkeypatch.setattr(hub, "cached", missing)
    shown = CliRunner().invoke(app, ["models"]).stdout
    assert "with pip install 'latentpress[sd]'" in shown
    rows = metrics_command.listing()
    monkeypatch.setattr(metrics_command, "listing", lambda: [rows[0] | {"missing": hub.EXTRA}])
    assert "pip install 'latentpress[sd]'" in CliRunner().invoke(app, ["metrics"]).stdout


def test_an_id_that_one_types_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    from latentpress.transforms.hub import MODELS

    plain = terminal.console
    monkeypatch.setattr("latentpress.cli.listing.console", lambda: plain(60))
    shown = CliRunner().invoke(app, ["models"]).stdout
    assert all(model.name in shown for model in MODELS)


def test_notices_begin_as_errors_do(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, 20), np.uint8)).convert("CMYK").save(tmp_path / "a.tif")
    done = run("compress", "a.tif", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("latentpress: a.tif: ")
    for words in (("--quiet", "compress", "a.tif"), ("compress", "a.tif", "--quiet")):
        quiet = run(*words, "--overwrite", cwd=tmp_path)
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert "exists already" in fails(1, "compress", "a.tif", "--quiet", cwd=tmp_path)
    listed = run("compress", "a.tif", "--quiet", "--json", "--overwrite", cwd=tmp_path)
    assert json.loads(listed.stdout)[0]["source"] == "a.tif"
    told = run("compress", "a.tif", "--verbose", "--overwrite", "--content", "photo", cwd=tmp_path)
    assert re.search(
        r"latentpress: a\.tif: 20 x 20 pixels, space lp1, model \w{8}, quality 50, "
        r"latent \d+ bytes",
        told.stderr,
    )


BAR = """
import sys, time
from pathlib import Path
from latentpress.cli import batch
batch.PROGRESS_AFTER_SECONDS = 0.05
def work(source, target):
    time.sleep(0.3)
    return {"line": f"{source} " + 200 * "x", "notices": ["told"]}
batch.run([Path("[a]"), Path("[b]")], [Path("c"), Path("d")], work, False)
"""


def test_the_bar_breaks_no_line() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", BAR],
        stdout=theirs,
        stderr=theirs,
        timeout=60,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "2 files" in shown  # the bar was there
    for name in ("[a]", "[b]"):
        assert f"{name} {200 * 'x'}\r\n" in shown
        assert f"latentpress: {name}: told\r\n" in shown
    # each begins where the bar was wiped out
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r\n", "\n").split("\n")
    assert "latentpress: [a]: told" in [line.rpartition("\r")[2] for line in lines]


def test_json_is_valid_whatever_the_names(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    assert json.loads(to_json({"a\udcff": ["\ud800", "é", ("😀",)]})) == {
        "a\\xff": ["\\ud800", "é", ["😀"]]
    }
    name = b"a\xff.png"
    try:
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as stream:
            Image.fromarray(small).save(stream, "PNG")
    except OSError:
        pytest.skip("this file system takes only names that are text")
    done = subprocess.run(
        [sys.executable, "-m", "latentpress", "compress", name, "--json"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert b"\\ud" not in done.stdout
    [result] = json.loads(done.stdout.decode("utf-8", "strict"))
    assert (result["source"], result["output"]) == ("a\\xff.png", "a\\xff.ltp")


def test_info_takes_many_files(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    for quality in (10, 20):
        (tmp_path / f"{quality}.ltp").write_bytes(latentpress.compress(small, quality=quality))
    done = run("info", "10.ltp", "20.ltp", cwd=tmp_path)
    assert [line for line in done.stdout.splitlines() if line.endswith(".ltp")] == [
        "10.ltp",
        "20.ltp",
    ]
    assert [line.split()[1] for line in done.stdout.splitlines() if "quality" in line] == [
        "10",
        "20",
    ]
    done = run("info", "10.ltp", "none.ltp", "20.ltp", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "latentpress: 1 of 3 failed"
    first, failed, last = json.loads(done.stdout)
    assert (first["quality"], failed["error"], last["quality"]) == (
        10,
        "none.ltp: no such file",
        20,
    )


def test_help_says_what_may_be_typed() -> None:
    runner = CliRunner()
    short, long = (runner.invoke(app, ["compress", flag]).output for flag in ("-h", "--help"))
    assert short == long
    assert all(
        part in long
        for part in ("[builtin|sd15|sdxl|sd3|flux1]", "[auto|cpu|cuda|mps]", "[mse|perceptual]")
    )
    assert all(part in long for part in ("--tell-larger", "--quiet", "--verbose", "0..100"))
    assert "max-no-gain" not in long
    root = runner.invoke(app, ["-h"]).output
    for name in ("THREADS", "MAX_PIXELS", "MAX_NUMBERS", "METRIC_WEIGHTS", "DATA"):
        assert f"  LATENTPRESS_{name} " in root
    assert "--install-completion" in root
    assert runner.invoke(app, ["models", "fetch", "-h"]).exit_code == 0


def test_shell_completion() -> None:
    done = run(
        _LATENTPRESS_COMPLETE="complete_bash",
        COMP_WORDS="latentpress compress --codec s",
        COMP_CWORD="3",
    )
    assert done.stdout.split() == ["sd15", "sdxl", "sd3"]


def test_larger_files_and_wrong_suffixes(tmp_path: Path) -> None:
    told = "more than the input's"
    noise = np.random.default_rng(0).integers(0, 2, (64, 64), np.uint8) * 255
    Image.fromarray(noise).convert("1").save(tmp_path / "n.png")
    assert told in run("compress", "n.png", "-q", 100, "--content", "photo", cwd=tmp_path).stderr
    for old in ("--no-tell-larger", "--no-max-no-gain"):
        assert (
            told
            not in run(
                "compress",
                "n.png",
                "-q",
                100,
                old,
                "--overwrite",
                "--content",
                "photo",
                cwd=tmp_path,
            ).stderr
        )
    for suffix in (".webp", ".png", ".JPG"):
        assert "name it x.ltp" in fails(2, "compress", "n.png", "-o", f"x{suffix}", cwd=tmp_path)
    assert run("compress", "n.png", "-o", "x.bin", cwd=tmp_path).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="other permissions there")
def test_outputs_are_no_more_open_than_their_inputs(
    tmp_path: Path, small: NDArray[np.uint8]
) -> None:
    mode = lambda name: (tmp_path / name).stat().st_mode & 0o777
    before = os.umask(0o022)
    try:
        for given, expected in (
            (0o600, 0o600),
            (0o640, 0o640),
            (0o644, 0o644),
            (0o666, 0o644),
            (0o400, 0o600),
        ):
            Image.fromarray(small).save(tmp_path / "a.png")
            (tmp_path / "a.png").chmod(given)
            assert run("compress", "a.png", cwd=tmp_path).returncode == 0
            assert mode("a.ltp") == expected
            (tmp_path / "a.ltp").chmod(given)
            assert run("decompress", "a.ltp", "-o", "b.png", cwd=tmp_path).returncode == 0
            assert mode("b.png") == expected
            (tmp_path / "b.png").chmod(0o644)
            assert run("latent", "a.ltp", "-o", "l.png", cwd=tmp_path).returncode == 0
            assert run("compare", "b.png", "a.ltp", "-o", "c.png", cwd=tmp_path).returncode == 0
            assert [mode("l.png"), mode("c.png")] == [expected] * 2
            for name in ("a.png", "a.ltp", "b.png", "l.png", "c.png"):
                (tmp_path / name).unlink()
    finally:
        os.umask(before)


def test_a_name_gives_the_terminal_no_commands(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    if sys.platform == "win32":
        pytest.skip("names that are not allowed there")
    odd = "a\x1b[31m\nb.png"
    Image.fromarray(small).save(tmp_path / odd)
    (tmp_path / "none\x1b[2J.png").write_bytes(b"no picture")
    done = run("compress", odd, "none\x1b[2J.png", cwd=tmp_path)
    assert "\x1b" not in done.stdout + done.stderr
    [line] = done.stdout.splitlines()
    assert line.startswith(r"a\x1b[31m\nb.ltp: ")
    assert r"none\x1b[2J.png: not an image" in done.stderr
    ltp = odd.replace(".png", ".ltp")
    shown = run("info", ltp, ltp, cwd=tmp_path).stdout
    shown += run("compare", odd, ltp, cwd=tmp_path).stdout
    assert "\x1b" not in shown
    assert shown.count(r"a\x1b[31m\nb.ltp") == 3


@pytest.fixture
def odd(tmp_path: Path, small: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a picture in the current folder that would give the terminal commands."""
    if sys.platform == "win32":
        pytest.skip("names that are not allowed there")
    monkeypatch.chdir(tmp_path)
    name = "a\x1b[31m\nb.png"
    Image.fromarray(small).save(name)
    return name


@pytest.mark.parametrize(
    "words",
    [
        "assess {name} {name} --metrics mse",
        "assess in in --metrics mse",
        "assess in in --metrics mse -o {name}.csv",
        "compare {name} {name} -o {name}.c.png",
        "latent {name} -o {name}.l.png",
        "compress in -o to{name}/",
        "latents pack y.npy -o {name}.ltps --lossless",
    ],
)
def test_no_line_or_table_gives_the_terminal_commands(odd: str, words: str) -> None:
    Path("in").mkdir()
    os.link(odd, f"in/{odd}")
    np.save("y.npy", np.zeros((4, 8, 8), np.float32))
    done = CliRunner().invoke(app, [word.format(name=odd) for word in words.split()], color=True)
    assert done.exit_code == 0, done.exception
    assert r"a\x1b[31m\nb" in done.output
    assert not re.search(r"\x1b\[31m|m\nb", done.output)


def test_quiet_says_nothing_of_what_was_written(odd: str) -> None:
    assert CliRunner().invoke(app, ["compress", odd, "-o", "a.ltp"]).exit_code == 0
    for words in (
        f"latent {odd} -o l.png",
        f"assess {odd} a.ltp --metrics mse -o t.csv",
    ):
        done = CliRunner().invoke(app, ["--quiet", *words.split(" ")])
        assert (done.exit_code, done.output) == (0, "")


def test_a_sign_that_an_encoding_lacks_is_a_word() -> None:
    assert terminal.sign("∞", "inf") == "∞"
    shown = run("metrics", PYTHONIOENCODING="ascii").stdout
    assert "0 to inf" in shown
    assert "\\u" not in shown
