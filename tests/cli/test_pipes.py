"""`-`: one picture through pipes. What is on standard output is a file, to the byte."""

import io
import json
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from latentpress.cli import pipes
from latentpress.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path, small: NDArray[np.uint8]) -> Path:
    """a.png and its a.ltp, as the API makes it."""
    Image.fromarray(small).save(tmp_path / "a.png")
    (tmp_path / "a.ltp").write_bytes(latentpress.compress(tmp_path / "a.png"))
    return tmp_path


def piped(folder: Path, given: str | None, *arguments: str, code: int = 0) -> tuple[bytes, str]:
    """Run a command with a file at its standard input; what it wrote: bytes, and words."""
    data = (folder / given).read_bytes() if given else b""
    command = [sys.executable, "-m", "latentpress", *arguments]
    done = subprocess.run(command, cwd=folder, input=data, capture_output=True, timeout=120)
    words = done.stderr.decode()
    assert done.returncode == code, words
    assert "Traceback" not in words, words
    return done.stdout, words


def picture(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("output", [[], ["-o", "-"], ["-o", "/dev/stdout"]])
def test_compress_writes_the_bytes_of_a_file_and_nothing_else(
    folder: Path, output: list[str]
) -> None:
    data, words = piped(folder, "a.png", "compress", "-", *output)
    assert data == (folder / "a.ltp").read_bytes()
    assert words.startswith(f"standard output: {len(data):,} bytes, ")
    assert words.endswith("smaller than standard input\n")
    assert sorted(p.name for p in folder.iterdir()) == ["a.ltp", "a.png"]  # none is called "-"


def test_json_of_a_picture_that_is_piped_out_is_on_standard_error(folder: Path) -> None:
    data, words = piped(folder, None, "compress", "a.png", "-o", "-", "--json")
    assert data == (folder / "a.ltp").read_bytes()
    assert words.startswith("[")
    assert '"output": "standard output"' in words


def test_decompress_writes_the_format_that_is_asked_for(folder: Path) -> None:
    decoded = np.asarray(latentpress.decompress(folder / "a.ltp"))
    data, words = piped(folder, "a.ltp", "decompress", "-")
    assert picture(data).format == "PNG"
    assert np.array_equal(np.asarray(picture(data)), decoded)
    assert words == "standard output: 109 x 75 pixels\n"
    data, _ = piped(folder, "a.ltp", "decompress", "-", "-o", "-", "--format", "webp")
    assert picture(data).format == "WEBP"
    assert np.array_equal(np.asarray(picture(data)), decoded)
    data, words = piped(folder, "a.ltp", "decompress", "-", "-o", "b.tif")
    assert (data, words) == (b"b.tif: 109 x 75 pixels\n".replace(b"\n", os.linesep.encode()), "")


def test_thumbnail_latent_and_share_go_from_pipe_to_pipe(folder: Path) -> None:
    small, words = piped(folder, "a.ltp", "thumbnail", "-", "-s", "64")
    assert (picture(small).size, words) == ((64, 44), "standard output: 64 x 44 pixels\n")
    panels, words = piped(folder, "a.ltp", "latent", "-")
    assert picture(panels).mode == "L"
    assert words.startswith("standard output: quantized latent")
    page, words = piped(folder, "a.ltp", "share", "-", "--title", "A")
    assert page.startswith(b"<!doctype html>")
    assert page.rstrip().endswith(b"</html>")
    assert words == f"standard output: {len(page):,} bytes, opens in a browser\n"


def test_info_compare_and_assess_read_a_pipe(folder: Path) -> None:
    from_file, _ = piped(folder, None, "info", "a.ltp")
    assert piped(folder, "a.ltp", "info", "-") == (from_file, "")
    size = (folder / "a.ltp").stat().st_size
    table, _ = piped(folder, "a.ltp", "compare", "a.png", "-")
    assert f"{size:,} bytes" in table.decode()
    beside, words = piped(folder, "a.ltp", "compare", "a.png", "-", "-o", "-")
    assert picture(beside).width > 3 * 109
    assert "PSNR" in words
    rows, words = piped(folder, "a.ltp", "assess", "a.png", "-", "--metrics", "psnr", "-o", "-")
    head, row = rows.decode().splitlines()
    assert (head, row.split(",")[3]) == ("image,width,height,bytes,bpp,psnr", str(size))
    assert words == "standard output: 1 picture, 1 metric\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names there")
@pytest.mark.parametrize("command", ["compare", "assess"])
def test_compare_and_assess_read_pipes_that_have_names(folder: Path, command: str) -> None:
    """Once, as of `<(...)`, and tell their bytes, of which the system says 0."""
    for name in ("a.png", "a.ltp"):
        pipe = folder / f"pipe-{name}"
        os.mkfifo(pipe)
        data = (folder / name).read_bytes()
        threading.Thread(target=pipe.write_bytes, args=[data], daemon=True).start()
    found, expected = (
        json.loads(piped(folder, None, command, *pair, "--json")[0])
        for pair in (("pipe-a.png", "pipe-a.ltp"), ("a.png", "a.ltp"))
    )
    differing = {key for key in found if found[key] != expected[key]}
    assert differing <= {"original", "other", "image"}
    assert found["bytes"] == (folder / "a.ltp").stat().st_size


def test_what_is_wrong_is_one_sentence_and_nothing_on_standard_output(folder: Path) -> None:
    for arguments, code, words in (
        (
            ["compress", "-", "a.png", "-o", "out"],
            2,
            "2 inputs, and a pipe holds one file: use - for one picture alone",
        ),
        (
            ["compress", "a.png", "a.png", "-o", "-"],
            2,
            "2 inputs, and a pipe holds one file: use - for one picture alone",
        ),
        (
            ["compress", "-", "-o", "out/"],
            2,
            "standard input has no name: name a file, not the folder out/",
        ),
        (
            ["compare", "-", "-"],
            2,
            "standard input can be read once: name a file for one of the two",
        ),
        (
            ["compress", "-"],
            1,
            "standard input: is already an .ltp file: "
            "`latentpress decompress` makes a picture of it",
        ),
    ):
        assert piped(folder, "a.ltp", *arguments, code=code) == (b"", f"latentpress: {words}\n")
    assert piped(folder, None, "compress", "-", code=1)[1] == (
        "latentpress: standard input: not an image, or of a kind that Pillow does not know\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_behind_the_pipe_and_a_reader_that_left_are_told(folder: Path) -> None:
    command = [sys.executable, "-m", "latentpress", "decompress", "a.ltp", "-o", "-"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, timeout=8
        )
    assert (done.returncode, done.stderr) == (1, "latentpress: standard output: the disk is full\n")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command, cwd=folder, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=8
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (
        1,
        "latentpress: standard output: nobody reads it any more\n",
    )


def test_a_reader_of_words_that_left_is_told_to_nobody_on_windows_either() -> None:
    script = (
        "import errno, io, sys\n"
        "from latentpress.cli import app\n"
        "class Closed(io.StringIO):\n"
        "    def write(self, text): raise OSError(errno.EINVAL, 'Invalid argument')\n"
        "sys.platform, sys.stdout, sys.argv[1:] = 'win32', Closed(), ['metrics', '--json']\n"
        "app.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_process_that_a_thread_forks_while_the_pipe_is_read_ends() -> None:
    script = (
        "import multiprocessing, threading, time\n"
        "from latentpress.cli import pipes\n"
        "def fork():\n"
        "    time.sleep(0.5)\n"
        "    multiprocessing.get_context('fork').Process(target=int).start()\n"
        "threading.Thread(target=fork).start()\n"
        "print(len(pipes.input_path('-').load()))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        threading.Timer(1.5, lambda: (process.stdin.write(b"123"), process.stdin.close())).start()
        try:
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
        assert process.stdout is not None
        assert process.stdout.read().strip() == b"3"


def test_a_terminal_is_not_shown_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(pipes, "claim", Terminal)
    with pytest.raises(UsageError, match="standard output is a terminal"):
        pipes.output_path("-", ".ltp").check(overwrite=False)  # type: ignore[attr-defined]
    assert pipes.output_path("-.ltp", ".ltp") == Path("-.ltp")


@pytest.mark.skipif(sys.platform == "win32", reason="no shell that closes a stream")
def test_a_standard_stream_that_is_closed(folder: Path) -> None:
    def shell(words: str) -> subprocess.CompletedProcess[str]:
        line = f"{shlex.quote(sys.executable)} -m latentpress {words}"
        return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True)

    expected = (folder / "a.ltp").read_bytes()
    for words in ("1.ltp >&-", "2.ltp 2>&-", "3.ltp <&- >&- 2>&-"):
        done = shell(f"compress a.png -o {words}")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert (folder / words.split()[0]).read_bytes() == expected
    assert shell("info a.ltp >&-").returncode == 0
    assert shell("info none.ltp 2>&-").returncode == 1
    for words, sentence in {
        "compress a.png -o - >&-": "standard output: Bad file descriptor",
        "compress - -o b.ltp <&-": "standard input is closed",
        "compress --files-from - -o out <&-": "-: Bad file descriptor",
    }.items():
        done = shell(words)
        assert done.returncode == 1
        assert done.stderr == f"latentpress: {sentence}\n"
