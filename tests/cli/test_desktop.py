"""`latentpress desktop`, with the tools of a freedesktop system where they are installed."""

import configparser
import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.commands import fails, run
from helpers.paths import ROOT
from latentpress.system import freedesktop
from latentpress.web.server import HOST, PORT

PACKAGES = {
    "update-mime-database": "shared-mime-info",
    "desktop-file-validate": "desktop-file-utils",
    "update-desktop-database": "desktop-file-utils",
    "gio": "libglib2.0-bin",
    "xdg-mime": "xdg-utils",
}
pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="no freedesktop system")


def need(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not here: apt-get install {PACKAGES[tool]}")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """XDG_DATA_HOME of a user with nothing in it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    return tmp_path / "data"


def said(*command: object) -> str:
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_install_and_uninstall_leave_nothing_of_theirs(home: Path) -> None:
    mine = home / "applications" / "mine.desktop"
    mine.parent.mkdir(parents=True)
    mine.write_text("[Desktop Entry]\nType=Application\nName=Mine\nExec=true\n")
    done = run("desktop", "install")
    assert done.returncode == 0, done.stderr
    written = {str(path) for path in freedesktop.files(["/bin/latentpress"])}
    assert written <= files_below(home)
    assert done.stdout.count("written: ") == 3
    assert run("desktop", "install").returncode == 0  # again
    done = run("desktop", "uninstall")
    assert done.stdout.count("deleted: ") == 3
    assert written & files_below(home) == set()
    assert mine.exists()
    for path in home.rglob("*"):
        assert path.is_dir() or b"latentpress" not in path.read_bytes(), path
    assert "nothing is installed" in run("desktop", "uninstall").stdout


def test_a_dry_run_does_nothing(home: Path) -> None:
    done = run("desktop", "install", "--dry-run")
    assert str(home / freedesktop.MIME_FILE) in done.stdout
    assert "LTP\\x01" in done.stdout
    assert not home.exists()
    run("desktop", "install")
    before = files_below(home)
    assert "would delete" in run("desktop", "uninstall", "--dry-run").stdout
    assert files_below(home) == before


def test_it_works_without_the_tools(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    done = run("desktop", "install")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(files_below(home)) == 3
    run("desktop", "uninstall")
    assert files_below(home) == set()


def test_a_folder_that_cannot_be_written_is_one_sentence(home: Path) -> None:
    home.write_text("a file")
    fails(1, "desktop", "install")


def test_a_relative_data_home_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "somewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert freedesktop.data_home() == tmp_path / ".local" / "share"


def test_the_tools_know_the_type_by_content_and_by_name(
    home: Path, tmp_path: Path, small: NDArray[np.uint8]
) -> None:
    need("update-mime-database", "gio")
    run("desktop", "install")
    data = latentpress.compress(small)
    (tmp_path / "no-name").write_bytes(data)
    (tmp_path / "broken.ltp").write_bytes(b"not one at all")
    (tmp_path / "latents").write_bytes(b"LTPS\x01" + bytes(40))
    (tmp_path / "later").write_bytes(b"LTPX" + bytes(40))
    kind = {
        name: said("gio", "info", "-a", "standard::content-type", tmp_path / name).split()[-1]
        for name in ("no-name", "broken.ltp", "latents", "later")
    }
    assert kind["no-name"] == kind["broken.ltp"] == "image/x-latentpress"
    assert kind["latents"] == "application/x-latentpress-latents"
    assert "latentpress" not in kind["later"]
    done = subprocess.run(
        ["update-mime-database", str(home / "mime")], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_entry_opens_the_type(home: Path) -> None:
    need("desktop-file-validate", "update-desktop-database", "xdg-mime", "gio")
    run("desktop", "install")
    assert said("desktop-file-validate", home / freedesktop.ENTRY_FILE) == ""
    assert said("xdg-mime", "query", "default", "image/x-latentpress") == "latentpress.desktop"
    assert "latentpress.desktop" in said("gio", "mime", "image/x-latentpress")


def test_the_exec_line_makes_a_thumbnail(
    home: Path, tmp_path: Path, photo: NDArray[np.uint8]
) -> None:
    run("desktop", "install")
    entry = configparser.RawConfigParser()
    entry.read(home / freedesktop.THUMBNAILER_FILE)
    section = entry["Thumbnailer Entry"]
    assert os.access(section["TryExec"], os.X_OK)
    assert section["MimeType"] == "image/x-latentpress;"
    picture, out = tmp_path / "a photo.ltp", tmp_path / "no suffix"
    picture.write_bytes(latentpress.compress(photo))
    out.touch()  # as GNOME's, which makes the file first
    values = {"%i": str(picture), "%o": str(out), "%s": "96"}
    said(*[values.get(word, word) for word in shlex.split(section["Exec"])])
    with Image.open(out) as image:
        assert (image.format, image.size) == ("PNG", (96, 72))


def test_the_page_that_the_menu_opens_ends_by_itself(
    tmp_path: Path, small: NDArray[np.uint8]
) -> None:
    picture = tmp_path / "a.ltp"
    picture.write_bytes(latentpress.compress(small))
    with socket.socket() as usual:  # which another page has
        with contextlib.suppress(OSError):
            usual.bind((HOST, PORT))
            usual.listen()
        done = run("web", "--no-open", "--idle", "0.5", picture)
    assert done.returncode == 0, done.stderr
    assert "after the last request" in done.stdout
    assert f":{PORT}/" not in done.stdout
    fails(2, "web", "--no-open", "--idle", "0", picture)


def test_the_words_of_an_exec_line_come_through() -> None:
    words = ['/opt/my programs/a$b`c"d\\e 50%/latentpress', "thumbnail"]
    line = freedesktop.command_line(words)
    # the escapes of a value and of a field code
    value = line.replace("\\\\", "\\").replace("%%", "%")
    assert said("sh", "-c", f"printf '%s\\n' {value}").splitlines() == words
    assert freedesktop.command_line(["/usr/bin/latentpress"]) == "/usr/bin/latentpress"


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_are_told_so(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from latentpress.cli import desktop

    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(latentpress.UsageError, match="Linux"):
        desktop.install()


def test_a_command_whose_place_is_no_text_is_refused(home: Path, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/odd\xff"
    script = folder + b"/latentpress"
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes no such name")
    with open(script, "w", encoding="utf-8") as text:
        # pip's way, for a first line ends the interpreter's name at a space
        text.write(f"#!/bin/sh\n'''exec' '{sys.executable}' \"$0\" \"$@\"\n' '''\n")
        text.write("from latentpress.__main__ import command\ncommand()\n")
    os.chmod(script, 0o755)
    for more in ([], ["--dry-run"]):
        done = subprocess.run(
            [script, "desktop", "install", *more], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert "odd\\xff/latentpress: the name of the command's place is no text" in line
    assert not home.exists()
