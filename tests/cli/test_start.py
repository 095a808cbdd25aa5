"""What a command on one picture does not wait for: imports that it does not need, and its end."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import latentpress
from latentpress import shipped
from latentpress.cli.info import encoder_model
from latentpress.errors import WeightsError
from latentpress.runtimes import choice, native

NOT_NEEDED = {
    "onnxruntime",
    "constriction",
    "latentpress.runtimes.streaming",
    "latentpress.collection.find",
    "latentpress.collection.run",
    "latentpress.collection.tasks",
    "latentpress.system.stores",
}


@pytest.mark.skipif(native.library() is None, reason="no library, or nothing for bytes")
def test_one_picture_needs_no_other_runtime_and_no_run_over_folders(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    environment = os.environ | {choice.RUNTIME_VARIABLE: "", choice.PRECISION_VARIABLE: ""}
    for words in (["compress", "a.png"], ["decompress", "a.ltp", "-o", "b.png"]):
        command = [sys.executable, "-X", "importtime", "-m", "latentpress", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
        assert "latentpress.codec" in imported
        assert not imported & NOT_NEEDED
    assert (tmp_path / "b.png").exists()


@pytest.mark.parametrize(("words", "code"), [("--version", 0), ("compress no-such.png", 1)])
def test_what_is_to_be_done_at_the_end_is_done(words: str, code: int, tmp_path: Path) -> None:
    script = (
        "import atexit, sys\n"
        "from latentpress.__main__ import command\n"
        "atexit.register(print, 'done')\n"
        "command()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words.split()], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == code
    assert done.stdout.endswith("done\n")


def test_info_needs_no_numpy_and_tells_of_a_broken_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (40, 24), (9, 99, 199)).save(tmp_path / "a.png")
    data = latentpress.compress(tmp_path / "a.png", content="photo")
    (tmp_path / "a.ltp").write_bytes(data)
    command = [sys.executable, "-X", "importtime", "-m", "latentpress", "info", "a.ltp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "(of the built-in model)" in done.stdout
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"numpy", "latentpress.models"}
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    shipped.manifest.cache_clear()
    with pytest.raises(WeightsError, match="missing or damaged: reinstall latentpress"):
        encoder_model(latentpress.read_header(data))


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_while_the_process_is_prepared_is_one() -> None:
    script = (
        "import os, signal, sys\n"
        "from latentpress.cli import app\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "app.prepare_process = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        "app.main()"
    )
    done = subprocess.run([sys.executable, "-c", script, "metrics"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "latentpress: interrupted; finished files are kept\n"
