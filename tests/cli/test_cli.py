"""The command line, in processes of its own: what it prints, what it writes, its exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.commands import fails, run
from latentpress.spaces import LP1
from latentpress.system.signals import SIGNALS

CHANNELS = LP1.channels
COMMANDS = ("compress", "decompress", "info", "latent", "compare", "models", "assess", "metrics")


@pytest.fixture
def folder(tmp_path: Path, small: NDArray[np.uint8]) -> Path:
    """a.png, b.jpg and a file a.ltp made by the API."""
    Image.fromarray(small).save(tmp_path / "a.png")
    Image.fromarray(small).save(tmp_path / "b.jpg")
    (tmp_path / "pressed").mkdir()
    (tmp_path / "pressed" / "a.ltp").write_bytes(latentpress.compress(small, quality=30))
    return tmp_path


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_compress_and_decompress_agree_with_the_api(folder: Path) -> None:
    done = run("compress", "a.png", "b.jpg", "-o", "out", "-q", 30, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = json.loads(done.stdout)
    data = (folder / "out" / "a.ltp").read_bytes()
    assert data == latentpress.compress(folder / "a.png", quality=30)
    assert (folder / "out" / "b.ltp").read_bytes() == latentpress.compress(
        folder / "b.jpg", quality=30
    )
    assert (first["source"], first["output"], first["bytes"]) == (
        "a.png",
        str(Path("out/a.ltp")),
        len(data),
    )
    assert first["bpp"] == pytest.approx(latentpress.read_header(data).bpp, abs=1e-5)
    assert (second["width"], second["height"], second["notices"]) == (109, 75, [])

    done = run("decompress", "out/a.ltp", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert np.array_equal(
        np.asarray(Image.open(folder / "out" / "a.png")), np.asarray(latentpress.decompress(data))
    )
    assert names(folder / "out") == {"a.ltp", "b.ltp", "a.png"}


def test_info_needs_no_weights_and_no_runtime(folder: Path, tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.mkdir()
    for name in ("onnxruntime", "numpy", "PIL"):
        (stub / f"{name}.py").write_text("raise ImportError('not here')")
    file = folder / "pressed" / "a.ltp"
    done = run("info", file, "--json", PYTHONPATH=str(stub))
    header = latentpress.read_header(file.read_bytes())
    shown = json.loads(done.stdout)
    assert (done.returncode, shown["file"], shown["codec"]) == (0, str(file), "builtin")
    assert {key: shown[key] for key in ("width", "height", "quality", "size", "bpp", "space")} == {
        key: getattr(header, key) for key in ("width", "height", "quality", "size", "bpp", "space")
    }
    assert shown["chunks"][0]["name"] == "latent"
    text = run("info", file).stdout
    assert all(part in text for part in ("109 x 75", "builtin", header.model_hash, "30", "latent"))


def test_latent_of_a_photograph_and_of_a_file(folder: Path) -> None:
    done = run("latent", "a.png", "-o", "y.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f"{CHANNELS} channels of 7 x 5" in done.stdout
    assert size_of(folder / "y.png")[0] > 7
    done = run("latent", "pressed/a.ltp", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "quantized" in done.stdout
    assert names(folder / "pressed") == {"a.ltp", "a.latent.png"}


def test_compare_measures_what_the_api_measures(folder: Path, small: NDArray[np.uint8]) -> None:
    from latentpress.metrics import mse

    file = folder / "pressed" / "a.ltp"
    done = run("compare", "a.png", file, "-o", "both.png", "--json", cwd=folder)
    result = json.loads(done.stdout)
    assert result["mse"] == mse(small, np.asarray(latentpress.decompress(file.read_bytes())))
    assert result["bytes"] == file.stat().st_size
    assert size_of(folder / "both.png")[0] > 3 * 109
    assert "PSNR" in run("compare", "a.png", "b.jpg", cwd=folder).stdout
    assert "both.png" in fails(1, "compare", "a.png", file, "-o", "both.png", cwd=folder)
    same = json.loads(run("compare", "a.png", "a.png", "--json", cwd=folder).stdout)
    assert (same["identical"], same["psnr"]) == (True, "inf")


def test_models_are_listed_and_the_shipped_one_verifies() -> None:
    rows = json.loads(run("models", "--json").stdout)
    assert rows[0]["status"] == "shipped"
    assert "ok" in run("models", "verify", "builtin").stdout


def test_one_bad_file_does_not_stop_the_others(folder: Path, small: NDArray[np.uint8]) -> None:
    (folder / "text.jpg").write_text("not an image")
    (folder / "cut.jpg").write_bytes((folder / "b.jpg").read_bytes()[:900])
    (folder / "sub.png").mkdir()
    os.symlink("a.png", folder / "link.png")
    (folder / "taken.ltp").write_text("mine")
    Image.fromarray(small).save(folder / "taken.png")
    bad = ["text.jpg", "cut.jpg", "sub.png", "missing.png", "taken.png"]
    done = run("compress", *bad, "a.png", "link.png", "--json", cwd=folder)
    assert done.returncode == 1
    *lines, last = done.stderr.splitlines()
    assert last == "latentpress: 5 of 7 failed"
    assert len(lines) == len(bad)
    for line, part in zip(
        lines,
        ("not an image", "cut.jpg", "is a folder", "no such file", "taken.ltp: exists already"),
        strict=True,
    ):
        assert line.startswith("latentpress: ")
        assert part in line
    results = json.loads(done.stdout)
    assert [r["source"] for r in results if "error" in r] == bad
    assert (folder / "taken.ltp").read_text() == "mine"
    assert (folder / "a.ltp").read_bytes() == (folder / "link.ltp").read_bytes()
    assert names(folder) == {
        *bad,
        "a.png",
        "b.jpg",
        "pressed",
        "link.png",
        "taken.ltp",
        "a.ltp",
        "link.ltp",
    } - {"missing.png"}

    done = run("compress", "taken.png", "--overwrite", cwd=folder)
    assert done.returncode == 0
    assert latentpress.read_header((folder / "taken.ltp").read_bytes()).width == 109


def test_damaged_and_foreign_files_are_named_when_decompressed(folder: Path) -> None:
    data = (folder / "pressed" / "a.ltp").read_bytes()
    (folder / "cut.ltp").write_bytes(data[:-9])
    (folder / "altered.ltp").write_bytes(data[:-9] + b"\0" + data[-8:])
    (folder / "empty.ltp").write_bytes(b"")
    bad = ["cut.ltp", "altered.ltp", "empty.ltp", "b.jpg", "missing.ltp"]
    done = run("decompress", *bad, "pressed/a.ltp", "-o", "out/", cwd=folder)
    assert done.returncode == 1
    *lines, last = done.stderr.splitlines()
    assert last == "latentpress: 5 of 6 failed"
    assert [line.split(":")[1].strip() for line in lines] == bad
    assert names(folder / "out") == {"a.png"}
    assert "cut off" in fails(1, "info", "cut.ltp", cwd=folder)
    assert "altered.ltp" in fails(1, "latent", "altered.ltp", cwd=folder)
    assert "altered.ltp" in fails(1, "compare", "a.png", "altered.ltp", cwd=folder)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["a.png", "-q", "150"], "0..100"),
        (["a.png", "-q", "nan"], "0..100"),
        (["missing.png", "--codec", "jpeg"], "unknown codec"),
        (["a.png", "--device", "tpu"], "unknown device"),
        (["a.png", "--model", "x/y"], "--model"),
        (["a.png", "pressed/../a.jpg"], "two inputs"),
        (["a.png", "b.jpg", "-o", "b.jpg"], "is a file"),
        (["a.png", "b.jpg", "-o", "new.ltp"], "looks like a file"),
        (["a.png", "-o", "a.png", "--overwrite"], "over itself"),
        ([".."], "is a folder"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_nothing_is_written(
    folder: Path, arguments: list[str], part: str
) -> None:
    before = names(folder)
    if "pressed/../a.jpg" in arguments:
        arguments = [str(folder / "a.png"), str(folder / "a.jpg")]
    assert part in fails(2, "compress", *arguments, cwd=folder)
    assert names(folder) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "a.png", "--bogus"],
        ["compress"],
        ["compress", "a.png", "-q", "high"],
        ["frobnicate"],
        ["compare", "a.png"],
    ],
)
def test_the_parser_s_own_complaints_are_exit_code_2(folder: Path, arguments: list[str]) -> None:
    done = run(*arguments, cwd=folder)
    assert done.returncode == 2
    assert "Usage" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("output", "part"),
    [
        ("a.png/out.ltp", "not a folder"),
        ("none/out.ltp", "does not exist"),
        ("/proc/out.ltp", "/proc"),
        ("/dev/full", "device"),
        ("n" * 300, "too long"),
    ],
)
def test_outputs_that_cannot_be(folder: Path, output: str, part: str) -> None:
    if output.startswith("/") and not Path(output).parent.exists():
        pytest.skip("not on this system")
    assert part in fails(1, "compress", "a.png", "-o", output, cwd=folder)


def test_decompress_refuses_before_it_works(folder: Path) -> None:
    for output, part in (("out.xyz", "suffix .xyz"), ("a.png", "exists already")):
        before = (folder / "a.png").read_bytes()
        assert part in fails(1, "decompress", "pressed/a.ltp", "-o", output, cwd=folder)
        assert (folder / "a.png").read_bytes() == before
    assert "unknown format" in fails(
        2, "decompress", "pressed/a.ltp", "--format", "a/b", cwd=folder
    )


def test_a_full_disk_behind_standard_output_is_one_sentence(folder: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "latentpress", "info", folder / "pressed" / "a.ltp"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert subprocess.run([*command, "none.ltp"], stderr=full, env=environment).returncode == 1
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["latentpress: standard output: No space left on device"]


def test_a_full_disk_behind_standard_error_changes_no_exit_code(folder: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "latentpress", "compress", folder / "a.png", "-q", "400"]
        assert subprocess.run(command, stderr=full).returncode == 2


def test_names_with_spaces_marks_and_bytes_that_are_no_text(folder: Path) -> None:
    odd = ["with space.png", "löwe 🦁 [bold].png", "-dash.png", os.fsdecode(b"\xff\xfe.png")]
    for name in odd:
        try:
            (folder / name).write_bytes((folder / "a.png").read_bytes())
        except OSError:
            pytest.skip("the file system refuses such a name")
    done = run("compress", "-q", 10, "--", *odd, cwd=folder, PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert all((folder / name).with_suffix(".ltp").exists() for name in odd)


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_run_keeps_what_is_finished_and_leaves_nothing_else(
    folder: Path, number: int
) -> None:
    sources = [folder / f"{i}.png" for i in range(200)]
    for source in sources:
        os.link(folder / "a.png", source)
    command = [sys.executable, "-m", "latentpress", "compress", *sources, "-o", folder / "out"]
    # a job in the background starts with SIGINT ignored
    heard = lambda: signal.signal(number, signal.SIG_DFL)
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=heard
    )
    end = time.monotonic() + 60
    while time.monotonic() < end and not (folder / "out" / "1.ltp").exists():
        time.sleep(0.01)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert stderr.splitlines() == ["latentpress: interrupted; finished files are kept"]
    done = sorted((folder / "out").iterdir())
    assert 1 <= len(done) < len(sources)
    assert {p.suffix for p in done} == {".ltp"}
    assert len({p.read_bytes() for p in done}) == 1


def test_help_shows_an_example_of_every_command() -> None:
    from typer.testing import CliRunner

    from latentpress.cli.app import app

    for command in (
        [],
        *([c] for c in COMMANDS),
        ["models", "fetch"],
        ["models", "verify"],
        ["metrics", "fetch"],
    ):
        result = CliRunner().invoke(app, [*command, "--help"])
        assert result.exit_code == 0
        assert "Example" in result.output
        assert "latentpress " + " ".join(command) in result.output


def test_help_and_info_import_nothing_heavy(folder: Path) -> None:
    script = (
        "import sys\nfrom latentpress.__main__ import main\ntry:\n    main()\n"
        "except SystemExit: pass\n"
        "large = ('numpy', 'PIL', 'onnxruntime', 'torch', 'constriction', 'rich.progress')\n"
        "print([m for m in large if m in sys.modules])"
    )
    for arguments in (
        ["--help"],
        ["compress", "--help"],
        ["info", str(folder / "pressed" / "a.ltp")],
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_version() -> None:
    assert run("--version").stdout == f"latentpress {latentpress.__version__}\n"


def test_compress_meets_a_target(folder: Path) -> None:
    whole = run("compress", "a.png", "-o", "q.ltp", "--json", cwd=folder)
    size = json.loads(whole.stdout)[0]["bytes"]
    done = run("compress", "a.png", "--target-size", f"{size}B", "--json", cwd=folder)
    assert 0.98 * size <= json.loads(done.stdout)[0]["bytes"] <= size
    assert (folder / "a.ltp").stat().st_size <= size
    bpp = json.loads(whole.stdout)[0]["bpp"]
    assert (
        json.loads(
            run(
                "compress", "a.png", "-o", "r.ltp", "--target-bpp", bpp, "--json", cwd=folder
            ).stdout
        )[0]["bpp"]
        <= bpp + 1e-5
    )
    reached = run("compress", "a.png", "-o", "s.ltp", "--target", "psnr=20", cwd=folder)
    assert reached.returncode == 0
    shown = json.loads(run("compare", "a.png", "s.ltp", "--json", cwd=folder).stdout)
    assert shown["psnr"] >= 20


def test_efforts_and_what_they_optimize_for(folder: Path) -> None:
    pytest.importorskip("torch")
    done = run(
        "compress", folder / "a.png", "--effort", 7, "--optimize-for", "mse", "-q", 30, "--json"
    )
    assert done.returncode == 0, done.stderr
    [result] = json.loads(done.stdout)
    assert latentpress.decompress(Path(result["output"]).read_bytes()).size == size_of(
        folder / "a.png"
    )
    assert "mse" in fails(
        2, "compress", folder / "b.jpg", "--effort", 7, "--optimize-for", "beauty", "--overwrite"
    )


def test_one_budget_for_all_images(folder: Path) -> None:
    done = run(
        "compress", "a.png", "b.jpg", "-o", "all", "--total-size", "3kB", "--json", cwd=folder
    )
    results = json.loads(done.stdout)
    assert sum(r["bytes"] for r in results) <= 3000
    assert results[0]["quality"] == results[1]["quality"]


def test_a_target_out_of_reach_writes_nothing_unless_best_effort(folder: Path) -> None:
    assert "the least, at quality 0" in fails(
        1, "compress", "a.png", "--target-size", "30", cwd=folder
    )
    assert "the best, at" in fails(1, "compress", "a.png", "--target", "psnr=70", cwd=folder)
    assert not (folder / "a.ltp").exists()
    done = run("compress", "a.png", "--target-size", "30", "--best-effort", cwd=folder)
    assert (done.returncode, "the least" in done.stderr) == (0, True)
    assert (folder / "a.ltp").exists()
    assert "do not fit" in fails(
        1, "compress", "a.png", "b.jpg", "-o", "all", "--total-size", "30", cwd=folder
    )
    done = run(
        "compress", "a.png", "b.jpg", "-o", "all", "--total-size", "30", "--best-effort", cwd=folder
    )
    assert (done.returncode, "do not fit" in done.stderr) == (0, True)
    assert len(list((folder / "all").glob("*.ltp"))) == 2


def test_best_effort_writes_no_file_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from latentpress.cli.request import Asked
    from latentpress.options import EncodeOptions
    from latentpress.targets import Analyzed

    steps: list[int] = []
    write = Analyzed.write
    monkeypatch.setattr(
        Analyzed, "write", lambda self, step: steps.append(step) or write(self, step)
    )
    result = Asked.of(None, None, None, "psnr=70", None, True).one(
        folder / "a.png", EncodeOptions()
    )
    assert "the best, at" in result.notices[0]
    assert len(set(steps[-2:])) == 2  # the last probes are kept and no search begins again
    assert steps.count(steps[0]) == 1


def test_a_picture_from_a_pipe_is_not_compared(folder: Path) -> None:
    if not Path("/dev/stdin").exists():
        pytest.skip("no /dev/stdin")
    command = [
        sys.executable,
        "-m",
        "latentpress",
        "compress",
        "/dev/stdin",
        "-o",
        "pipe.ltp",
        "--skip-larger",
        "--json",
    ]
    done = subprocess.run(
        command, cwd=folder, input=(folder / "a.png").read_bytes(), capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    [result] = json.loads(done.stdout)
    assert (result["source_bytes"], result["skipped"], result["notices"]) == (None, False, [])
    assert (folder / "pipe.ltp").read_bytes() == latentpress.compress(folder / "a.png")
    command[-2:] = ["--overwrite"]
    done = subprocess.run(
        command, cwd=folder, input=(folder / "a.png").read_bytes(), capture_output=True
    )
    assert done.stdout.rstrip().endswith(b" bpp")


def test_contradicting_and_meaningless_targets(folder: Path) -> None:
    assert "-q and --target-size" in fails(
        2, "compress", "a.png", "-q", 3, "--target-size", "2kB", cwd=folder
    )
    for wrong in (
        ("--target-size", "20 elephants"),
        ("--target-size", "0"),
        ("--target-bpp", "-1"),
        ("--target", "psnr"),
        ("--target", "beauty=3"),
        ("--total-size", "x"),
    ):
        fails(2, "compress", "a.png", *wrong, cwd=folder)
    for quality in ((), ("-q", 30)):
        assert "--target-bpp" in fails(
            2, "compress", "a.png", "--best-effort", *quality, cwd=folder
        )


def test_a_file_larger_than_its_input_is_told_and_can_be_skipped(folder: Path) -> None:
    # nothing for a PNG, much for a codec of photographs
    stripes = np.tile(np.array([[0, 255]], np.uint8), (256, 128))
    Image.fromarray(stripes).save(folder / "stripes.png")
    done = run(
        "compress", "stripes.png", "-q", 100, "--content", "photo", "-o", "kept.ltp", cwd=folder
    )
    assert (folder / "kept.ltp").stat().st_size > (folder / "stripes.png").stat().st_size
    assert "more than the input's" in done.stderr
    done = run(
        "compress",
        "stripes.png",
        "-q",
        100,
        "--content",
        "photo",
        "--skip-larger",
        "--json",
        cwd=folder,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["skipped"] is True
    assert not (folder / "stripes.ltp").exists()
    assert "not written" in done.stderr


def test_a_command_imports_no_other() -> None:
    script = (
        "import sys\nfrom latentpress.__main__ import main\ntry:\n    main()\n"
        "except SystemExit: pass\n"
        "print(*(m.split('.')[2] for m in sys.modules if m.startswith('latentpress.cli.')))"
    )
    others = set(COMMANDS) - {"compress", "decompress"}
    for command, imported in (
        ("decompress", set()),
        ("--verbose decompress", set()),
        ("--help decompress", others),
    ):
        words = [*command.split(), "--help"]
        done = subprocess.run(
            [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True
        )
        assert others & set(done.stdout.splitlines()[-1].split()) == imported


def test_which_command_a_line_names() -> None:
    from latentpress.cli.app import wanted_command

    assert wanted_command(["compress", "info"]) == "compress"
    assert wanted_command(["--quiet", "--verbose", "models", "verify"]) == "models"
    for line in (
        [],
        ["--help"],
        ["--help", "compress"],
        ["comprss"],
        ["--install-completion"],
        ["-h", "info"],
    ):
        assert wanted_command(line) is None
