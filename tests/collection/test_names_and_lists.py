"""What people type that is nearly right: patterns, lists, pipes where a folder is needed; and what
they expect of a second run."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from helpers.trees import agrees, files_of, rows_of
from latentpress.cli.app import app
from latentpress.collection.find import Selection, without_collisions
from latentpress.collection.unit import Unit
from latentpress.errors import LatentpressError, UsageError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a tree: a.png, deep/b.png, deep/more/c.png."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    for name in ("a", "deep/b", "deep/more/c"):
        path = Path("photos", f"{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(path)
    return tmp_path


def lp(*arguments: str, code: int = 0) -> str:
    """What a command printed and told; its sentence where it ends with one."""
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, LatentpressError):
        assert code == (2 if isinstance(result.exception, UsageError) else 1), result.exception
        return str(result.exception)
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("deep", {"a"}),
        ("deep/", {"a"}),
        ("./deep", {"a"}),
        ("deep/more", {"a", "deep/b"}),
        ("DEEP/More/", {"a", "deep/b"}),
        ("*/more", {"a", "deep/b"}),
        ("more", {"a", "deep/b"}),
        ("dee", {"a", "deep/b", "deep/more/c"}),
    ],
)
def test_a_folder_is_excluded_however_it_is_written(pattern: str, taken: set[str]) -> None:
    selection = Selection(frozenset({".png"}), exclude=(pattern,))
    names = ("a", "deep/b", "deep/more/c")
    assert {name for name in names if selection.takes(f"{name}.png")} == taken


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("deep/", {"deep/b", "deep/more/c"}),
        ("./deep/b.png", {"deep/b"}),
        ("deep/more/", {"deep/more/c"}),
        ("b.*", {"deep/b"}),
    ],
)
def test_a_folder_is_included_by_its_slash(pattern: str, taken: set[str]) -> None:
    selection = Selection(frozenset({".png"}), include=(pattern,))
    names = ("a", "deep/b", "deep/more/c")
    assert {name for name in names if selection.takes(f"{name}.png")} == taken


def test_accents_of_macos_are_those_that_one_types() -> None:
    apart, together = "cafe\u0301.png", "caf\xe9.png"
    for name, pattern in ((apart, together), (together, apart)):
        assert Selection(frozenset(), include=(pattern,)).takes(f"deep/{name}")
        assert not Selection(frozenset({".png"}), exclude=(pattern,)).takes(f"deep/{name}")


def test_two_spellings_of_one_output_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("caf\xe9", "cafe\u0301", "CAF\xc9")
    found = [Unit("in", f"{n}.png", f"{n}.ltp", "", 0) for n in names]
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.path.normcase", str)
    assert list(without_collisions(found)) == found
    monkeypatch.setattr("sys.platform", "darwin")
    assert [isinstance(item, Unit) for item in without_collisions(found)] == [True, False, False]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names there")
def test_a_pipe_in_a_tree_is_counted_and_one_in_a_list_is_told(here: Path) -> None:
    os.mkfifo("photos/pipe.png")
    told = lp("compress", "photos", "-o", "out")
    assert "1 other file skipped" in told
    Path("list").write_text("photos/pipe.png\nphotos/deep\nphotos/none.png\nphotos/a.png\n")
    told = lp("compress", "--files-from", "list", "-o", "listed", code=1)
    assert "photos/pipe.png: is a device or a pipe, not a file" in told
    assert "photos/deep: is a folder, not a file" in told
    assert "photos/none.png: no such file" in told
    assert files_of(here / "listed").keys() == {"photos/a.ltp"}


def test_a_list_with_null_characters_and_a_name_with_a_line_break(here: Path) -> None:
    os.rename("photos/a.png", "photos/two\nlines.png")
    names = [f"photos/{name}" for name in ("two\nlines.png", "deep/b.png")] * 2
    Path("list").write_bytes(b"\0".join(map(os.fsencode, names)) + b"\0")
    lp("compress", "--files-from", "list", "-o", "out")
    assert files_of(here / "out").keys() == {"photos/two\nlines.ltp", "photos/deep/b.ltp"}


def test_a_name_that_is_listed_twice_is_taken_once(here: Path) -> None:
    many = "photos/a.png\r\n" * 2000 + "photos/deep/b.png"  # longer than what is read at a time
    Path("list").write_text(many, newline="")
    told = lp("compress", "--files-from", "list", "-o", "out")
    assert told.startswith("out: 2 files written")
    assert agrees(here / "out") == (2, 0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("photos", "-o", "-"), "standard output holds one file"),
        (("photos", "-o", "/dev/stdout"), "standard output holds one file"),
        (("photos", "-", "-o", "out"), "standard input holds one picture"),
        (("-", "--keep-suffix", "-o", "out"), "standard input holds one picture"),
        (("-", "--metrics", "psnr", "-o", "out"), "standard input holds one picture"),
    ],
)
def test_a_pipe_is_no_folder(here: Path, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in lp("compress", *arguments, code=2)
    assert not Path("-").exists()
    assert not Path("out").exists()


def test_an_empty_output_is_made_again_and_another_one_is_not(here: Path) -> None:
    lp("compress", "photos", "-o", "out")
    before = files_of(here / "out")
    Path("out/a.ltp").write_bytes(b"")  # as a machine may leave it that lost its power
    Path("out/deep/b.ltp").write_bytes(b"mine")
    told = lp("compress", "photos", "-o", "out", code=1)
    assert "b.ltp: exists already, and is not what an earlier run wrote" in told
    assert Path("out/deep/b.ltp").read_bytes() == b"mine"
    assert Path("out/a.ltp").read_bytes() == before["a.ltp"]


def test_verify_finds_a_source_that_was_changed_within_its_size_and_time(here: Path) -> None:
    lp("compress", "photos", "-o", "out")
    before = files_of(here / "out")
    source = Path("photos/a.png")
    status = source.stat()
    data = source.read_bytes()
    other = np.random.default_rng(9).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(other).save(source)
    assert source.stat().st_size == len(data)  # noise, which does not get smaller
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "3 done before" in lp("compress", "photos", "-o", "out")
    told = lp("compress", "photos", "-o", "out", "--verify", "--verbose")
    assert "photos/a.png was changed: made anew" in told
    after = files_of(here / "out")
    assert {name for name in before if before[name] != after[name]} == {"a.ltp"}
    assert "3 done before" in lp("compress", "photos", "-o", "out", "--verify")


def test_the_printed_rows_are_the_lines_of_the_manifest(here: Path) -> None:
    printed = json.loads(lp("compress", "photos", "-o", "out", "--json"))
    assert {row["source"]: row for row in printed} == rows_of(here / "out")


def test_a_report_goes_into_a_folder_that_is_not_there_yet(here: Path) -> None:
    lp("compress", "photos", "-o", "out", "--report", "out/pages/report.html")
    assert "3 pictures" in Path("out/pages/report.html").read_text(encoding="utf-8")


def test_a_file_of_which_the_system_tells_nothing_does_not_stop_the_others(here: Path) -> None:
    """As one whose name is too long, or in a folder that may not be searched."""
    long = "x" * 300 + ".png"
    assert "1 of 2 failed" in lp("compress", long, "photos/a.png", "-o", "out", code=1)
    Path("list.txt").write_text(f"{long}\nphotos/a.png\n")
    told = lp("compress", "--files-from", "list.txt", "-o", "listed", code=1)
    assert f"{long}: File name too long" in told
    assert "1 of 2 failed" in told
    assert len(files_of(here / "out")) == len(files_of(here / "listed")) == 1
