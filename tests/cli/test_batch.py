"""The batch of the command line: where outputs go, its progress bar."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

import latentpress
from helpers.commands import fails
from latentpress.cli import app as command
from latentpress.cli import batch
from latentpress.cli.app import app
from latentpress.cli.arguments import each, with_home
from latentpress.collection.faults import naming
from latentpress.errors import TargetError, UsageError
from latentpress.system.places import as_path

BAR = """
import sys, time
from pathlib import Path
import latentpress
from latentpress.cli import batch
batch.PROGRESS_AFTER_SECONDS = 0.1
def work(source, target):
    time.sleep(0.5)
    return {"line": "done"}
batch.run([Path("a"), Path("b")], [Path("c"), Path("d")], work, False)
"""


def test_the_bar_is_for_terminals_and_takes_nothing_from_standard_output() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", BAR],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        timeout=60,
        env=environment,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "2 files" in shown
    assert done.stdout == "done\ndone\n"
    plain = subprocess.run([sys.executable, "-c", BAR], capture_output=True, text=True, timeout=60)
    assert (plain.stdout, plain.stderr) == ("done\ndone\n", "")


def test_a_slash_at_the_end_names_a_folder(tmp_path: Path) -> None:
    assert batch.outputs([Path("a.png")], f"{tmp_path}/new/", ".ltp") == [
        tmp_path / "new" / "a.ltp"
    ]
    assert (tmp_path / "new").is_dir()
    assert batch.outputs([Path("a.png")], f"{tmp_path}/new", ".ltp") == [tmp_path / "new" / "a.ltp"]


def test_a_name_without_a_suffix_is_a_folder_for_one_file_as_for_many(tmp_path: Path) -> None:
    for sources in ([Path("a.png")], [Path("a.png"), Path("b.png")]):
        out = tmp_path / str(len(sources))
        assert batch.outputs(sources, str(out), ".ltp") == [
            (out / s.name).with_suffix(".ltp") for s in sources
        ]
        assert out.is_dir()
    (tmp_path / "file").write_bytes(b"")
    assert batch.outputs([Path("a.png")], f"{tmp_path}/file", ".ltp") == [tmp_path / "file"]
    assert batch.outputs([Path("a.png")], f"{tmp_path}/new.ltp", ".ltp") == [tmp_path / "new.ltp"]


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_the_commands_pass_the_slash_on(tmp_path: Path, command: str) -> None:
    assert (
        CliRunner()
        .invoke(app, [command, str(tmp_path / "missing"), "-o", f"{tmp_path}/new/"])
        .exit_code
        == 1
    )
    assert (tmp_path / "new").is_dir()


def test_a_source_is_not_written_over_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(b"the original")
    Path("link.png").symlink_to("a.png")
    for source, output in (
        (tmp_path / "a.png", "a.png"),
        (Path("a.png"), f"../{tmp_path.name}/a.png"),
        (Path("a.png"), "link.png"),
    ):
        with pytest.raises(UsageError, match="over itself"):
            batch.outputs([source], output, ".ltp")
    assert batch.outputs([Path("a.png")], "b.png", ".ltp") == [Path("b.png")]


def test_two_spellings_of_one_output_collide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for sources in (
        [Path("a.png"), tmp_path / "a.jpg"],
        [Path("a.png"), Path("..") / tmp_path.name / "a.jpg"],
    ):
        with pytest.raises(UsageError, match="two inputs"):
            batch.outputs(sources, None, ".ltp")
    with monkeypatch.context() as on_a_mac:
        on_a_mac.setattr("os.path.normcase", str)
        on_a_mac.setattr("sys.platform", "linux")
        assert len(batch.outputs([Path("b.png"), Path("B.jpg")], None, ".ltp")) == 2
        on_a_mac.setattr("sys.platform", "darwin")
        with pytest.raises(UsageError, match="two inputs"):
            batch.outputs([Path("b.png"), Path("B.jpg")], None, ".ltp")
        with pytest.raises(UsageError, match="two inputs"):
            batch.outputs([Path("\xe9.png"), Path("e\u0301.jpg")], None, ".ltp")
    monkeypatch.setattr("os.path.normcase", str.lower)  # as on Windows
    with pytest.raises(UsageError, match="two inputs"):
        batch.outputs([Path("a.png"), Path("A.png")], None, ".ltp")


def test_each_error_names_its_picture_once(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    files = [str(tmp_path / name) for name in ("a.png", "b.png", "missing.png")]
    for file in files[:2]:
        Image.fromarray(small).save(file)
    result = CliRunner().invoke(app, ["compress", *files, "--target-size", "20"])
    assert result.exit_code == 1
    *lines, last = result.stderr.splitlines()
    assert last == "latentpress: 3 of 3 failed"
    assert [line.split(": ")[1] for line in lines] == files
    assert [line.count(str(tmp_path)) for line in lines] == [1, 1, 1]
    missing = CliRunner().invoke(app, ["compress", files[2], "--total-size", "1kB"])
    assert str(missing.exception) == f"{files[2]}: no such file"


def test_a_named_target_error_keeps_the_nearest_files() -> None:
    with pytest.raises(TargetError, match=r"^a\.png: too small$") as caught, naming(Path("a.png")):
        raise TargetError("too small", [b"nearest"])
    assert caught.value.nearest == [b"nearest"]


def test_a_damaged_exif_block_costs_no_picture(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    image = Image.fromarray(small)
    image.info["exif"] = b"Exif\0\0no TIFF header"
    (tmp_path / "a.ltp").write_bytes(latentpress.compress(image, quality=10))
    result = CliRunner().invoke(app, ["decompress", str(tmp_path / "a.ltp"), "--format", "avif"])
    assert (result.exit_code, (tmp_path / "a.avif").exists()) == (0, True)
    assert f"{tmp_path / 'a.ltp'}: EXIF left out: " in result.stderr


def test_no_command_writes_over_its_input(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    Image.fromarray(small).save(tmp_path / "a.png")
    (tmp_path / "a.ltp").write_bytes(latentpress.compress(small))
    (tmp_path / "p.html").write_bytes(latentpress.compress(small))
    (tmp_path / "t.csv").write_bytes((tmp_path / "a.png").read_bytes())
    np.save(tmp_path / "y.npy", np.zeros((4, 8, 8), np.float32))
    os.link(tmp_path / "a.png", tmp_path / "link.png")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for words in (
        "thumbnail a.ltp -o a.ltp",
        "latent a.png -o ./a.png",
        "latent a.ltp -o a.ltp",
        "compare a.png a.ltp -o link.png",
        "compare a.png a.ltp -o a.ltp",
        "share p.html",
        "assess t.csv a.ltp -o t.csv --metrics psnr",
        "latents pack y.npy -o y.npy --lossless",
    ):
        told = fails(2, *words.split(), "--overwrite", cwd=tmp_path)
        assert "would be written over itself: name another output with -o" in told, words
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_pattern_is_the_files_that_it_names_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.png", "a[1].png", "a1.png", "c.jpg"):
        Path(name).touch()
    given = [Path("?.png"), Path("a[1].png"), Path("*.bmp"), as_path("https://host/*.png")]
    assert each(given) == given  # here the shell has done that
    assert with_home(["~/a.png"]) == ["~/a.png"]
    monkeypatch.setattr(sys, "platform", "win32")
    assert each(given) == [Path("a.png"), Path("b.png"), *given[1:]]
    assert with_home(["~/a.png", "~a.png"]) == [os.path.expanduser("~/a.png"), "~a.png"]


def test_a_pattern_of_an_option_stays_one_on_windows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    small: NDArray[np.uint8],
) -> None:
    class Windows:
        name = "nt"

        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name in ("a.png", "b.png", "photos/c.png", "photos/d.jpg"):
        Image.fromarray(small).save(name)
    monkeypatch.setattr(typer.core, "os", Windows())
    monkeypatch.setattr("signal.signal", lambda *_: None)  # those of the tests stay
    words = ["latentpress", "compress", "photos", "--include", "*.png", "-o", "out"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as end:
        command.main()
    assert (end.value.code, capsys.readouterr().err) == (0, "latentpress: 1 other file skipped\n")
    assert [path.name for path in Path("out").glob("*.ltp")] == ["c.ltp"]
