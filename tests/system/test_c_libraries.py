"""The C libraries: how they are made, and when they are not used."""

import ctypes
import importlib.util
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from packaging import tags

from latentpress.entropy import native as coding
from latentpress.runtimes import native as convolutions
from latentpress.system import c_libraries

FUNCTIONS = {"entropy/native": "built_of", "runtimes/native": "convolutions_built_of"}


@pytest.mark.parametrize("folder", c_libraries.LIBRARIES)
def test_a_library_is_made_of_the_sources_of_its_folder(folder: str, tmp_path: Path) -> None:
    target = tmp_path / c_libraries.LIBRARIES[folder]
    if said := c_libraries.build(target, c_libraries.PACKAGE / folder):
        pytest.skip(f"no C compiler: {said}")
    function = ctypes.CDLL(str(target))[FUNCTIONS[folder]]
    function.restype = ctypes.c_uint32
    assert function() == c_libraries.source_crc(c_libraries.PACKAGE / folder)


def test_a_change_of_any_source_is_another_crc(tmp_path: Path) -> None:
    folder = shutil.copytree(c_libraries.PACKAGE / "runtimes" / "native", tmp_path / "native")
    before = c_libraries.source_crc(folder)
    for path in [*folder.glob("*.c"), *folder.glob("*.h")]:
        text = path.read_bytes()
        path.write_bytes(text.replace(b"\n", b"\r\n"))  # as Git checks out on Windows
        assert c_libraries.source_crc(folder) == before
        path.write_bytes(text + b"\n")
        assert c_libraries.source_crc(folder) != before
        path.write_bytes(text)


def test_a_library_of_other_sources_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c_libraries, "source_crc", lambda folder: 1)
    assert coding.library.__wrapped__() is None
    assert convolutions.built.__wrapped__() is None


def test_the_environment_turns_both_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(c_libraries.VARIABLE, "0")
    assert coding.library.__wrapped__() is None
    assert convolutions.built.__wrapped__() is None


def test_a_library_that_is_not_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(c_libraries.LIBRARIES, "entropy/native", "no-such-library.so")
    assert c_libraries.load("entropy/native", "built_of") is None


def test_building_without_a_compiler_says_what_was_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        c_libraries,
        "commands",
        lambda *_: iter([["no-such-compiler"], [sys.executable, "-c", "raise SystemExit(1)"]]),
    )
    said = c_libraries.build(tmp_path / "library.so", tmp_path)
    assert [line.split(":")[0] for line in said] == ["no-such-compiler", sys.executable]
    assert not list(tmp_path.iterdir())


def test_a_compiler_on_windows_is_named_by_its_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CC", r'"C:\Program Files\LLVM\clang.exe" -m64')
    monkeypatch.setenv("CFLAGS", r"-IC:\include")
    monkeypatch.setattr(sys, "platform", "win32")
    first, *_, cl = c_libraries.commands(tmp_path / "library.dll", tmp_path)
    assert first[:2] == [r"C:\Program Files\LLVM\clang.exe", "-m64"]
    assert r"-IC:\include" in first
    assert "-fPIC" not in first  # by which clang ends there
    assert cl[0] == "cl"
    monkeypatch.setattr(sys, "platform", "linux")
    assert "-fPIC" in next(c_libraries.commands(tmp_path / "library.so", tmp_path))


def test_on_windows_comes_first_what_makes_the_convolutions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "ziglang" or None)

    def compilers(system: str) -> list[str]:
        monkeypatch.setattr(sys, "platform", system)
        return [
            "zig" if "ziglang" in command else command[0]
            for command in c_libraries.commands(tmp_path / "library", tmp_path)
        ]

    assert compilers("win32") == ["clang", "zig", "cc", "gcc", "cl"]
    assert compilers("linux") == ["cc", "gcc", "clang", "zig"]


def test_a_compiler_may_speak_another_encoding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = r"import sys; sys.stderr.buffer.write(b'f\x81r x64'); sys.exit(1)"
    monkeypatch.setattr(c_libraries, "commands", lambda *_: iter([[sys.executable, "-c", script]]))
    (said,) = c_libraries.build(tmp_path / "library.so", tmp_path)
    assert said.endswith("r x64")


def test_a_build_of_wheels_needs_the_one_file_alone() -> None:
    """hatch_build.py runs it where neither the package nor anything that it needs is installed."""
    script = (
        "import runpy, sys\n"
        "found = runpy.run_path(sys.argv[1])\n"
        "list(found['commands'](found['PACKAGE'] / 'x.so', found['PACKAGE'] / 'entropy/native'))\n"
        "print(*found['LIBRARIES'], [m for m in sys.modules if m.startswith('latentpress')])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, c_libraries.__file__],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "entropy/native runtimes/native []\n"


@pytest.mark.parametrize(
    ("python", "machine", "tag"),
    [
        ("macosx-10.13-universal2", "arm64", "macosx_11_0_arm64"),  # of python.org
        ("macosx-10.13-universal2", "x86_64", "macosx_10_13_x86_64"),
        ("macosx-14.5-arm64", "arm64", "macosx_14_0_arm64"),  # built on macOS 14.5
        ("macosx-11-arm64", "arm64", "macosx_11_0_arm64"),
        ("linux-x86_64", "x86_64", "linux_x86_64"),
        ("win-amd64", "AMD64", "win_amd64"),
    ],
)
def test_pip_takes_the_platform_of_a_wheel(
    monkeypatch: pytest.MonkeyPatch, python: str, machine: str, tag: str
) -> None:
    monkeypatch.setattr(sysconfig, "get_platform", lambda: python)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert c_libraries.platform_tag() == tag
    if python.startswith("macosx"):
        assert tag in tags.mac_platforms((15, 0), machine)
