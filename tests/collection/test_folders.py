"""Folders through the command line: what is taken, where it goes, what is done again and told."""

import errno
import json
import ntpath
import os
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

import latentpress
from helpers.trees import BAD, agrees, files_of, make_tree, rows_of
from latentpress.cli.app import app
from latentpress.cli.trees import Tree
from latentpress.collection import find
from latentpress.collection.manifest import LocalManifest
from latentpress.errors import DiskFullError, LatentpressError, OutputError, UsageError
from latentpress.system import stores


@pytest.fixture(autouse=True)
def on_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_RUNTIME", "onnxruntime")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a tree: a.jpg, deep/b.png, deep/more/c.webp."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    for name in ("photos/a.jpg", "photos/deep/b.png", "photos/deep/more/c.webp"):
        picture(Path(name), rng.integers(0, 256, (24, 32, 3), np.uint8))
    return tmp_path


def picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def lp(*arguments: object, code: int = 0, **keywords: Any) -> Result:
    result = CliRunner().invoke(app, list(map(str, arguments)), **keywords)
    if isinstance(result.exception, LatentpressError):
        result.exit_code = 2 if isinstance(result.exception, UsageError) else 1
    assert result.exit_code == code, (result.output, result.exception)
    return result


def error_of(*arguments: object, code: int) -> str:
    return str(lp(*arguments, code=code).exception)


def test_the_tree_stays_and_the_second_run_does_nothing(here: Path) -> None:
    done = lp("compress", "photos/", "-o", "pressed")
    assert done.stdout.startswith("pressed: 3 files written, ")
    names = {"a.ltp", "deep/b.ltp", "deep/more/c.ltp"}
    assert files_of(here / "pressed").keys() == names
    assert agrees(here / "pressed") == (3, 0)
    for name, data in files_of(here / "pressed").items():
        [source] = (here / "photos").glob(name.replace(".ltp", ".*"))
        assert data == latentpress.compress(source, content="auto")
    times = {name: (here / "pressed" / name).stat().st_mtime_ns for name in names}
    again = lp("compress", "photos", "-o", "pressed")
    assert again.stdout == "pressed: 0 files written, 3 done before\n"
    assert times == {name: (here / "pressed" / name).stat().st_mtime_ns for name in names}


def test_back_again(here: Path) -> None:
    lp("compress", "photos", "-o", "pressed")
    lp("decompress", "pressed", "-o", "opened", "--format", "webp")
    assert files_of(here / "opened").keys() == {"a.webp", "deep/b.webp", "deep/more/c.webp"}
    assert agrees(here / "opened") == (3, 0)
    with Image.open("opened/deep/b.webp") as opened:
        decoded = latentpress.decompress("pressed/deep/b.ltp")
        assert (np.asarray(opened) == np.asarray(decoded)).all()


def test_what_is_missing_or_changed_is_done(here: Path) -> None:
    lp("compress", "photos", "-o", "pressed")
    Path("pressed/a.ltp").unlink()
    picture(Path("photos/deep/b.png"), np.full((20, 20, 3), 99, np.uint8))
    picture(Path("photos/new.png"), np.full((20, 20, 3), 7, np.uint8))
    assert "3 files written" in (done := lp("compress", "photos", "-o", "pressed").stdout)
    assert "1 done before" in done
    assert latentpress.read_header("pressed/deep/b.ltp").width == 20
    assert agrees(here / "pressed") == (4, 0)
    before = files_of(here / "pressed")
    assert "4 files written" in lp("compress", "photos", "-o", "pressed", "-q", "80").stdout
    assert all(len(data) >= len(before[name]) for name, data in files_of(here / "pressed").items())
    assert files_of(here / "pressed") != before


def test_hidden_files_other_files_and_links_are_left_out(here: Path) -> None:
    outside = here / "outside"
    picture(outside / "x.png", np.zeros((16, 16, 3), np.uint8))
    Path("photos/notes.txt").write_text("a note")
    Path("photos/.hidden.png").write_bytes(BAD)
    picture(Path("photos/.git/x.png"), np.zeros((16, 16, 3), np.uint8))
    try:
        os.symlink(outside, "photos/out")
        os.symlink(outside / "x.png", "photos/x.png")
        os.symlink("..", "photos/deep/loop")
        os.symlink("nowhere.png", "photos/broken.png")
        os.symlink("deep/b.png", "photos/within.png")
    except OSError:
        pytest.skip("no symbolic links here")
    done = lp("compress", "photos", "-o", "pressed")
    assert files_of(here / "pressed").keys() == {
        "a.ltp",
        "deep/b.ltp",
        "deep/more/c.ltp",
        "within.ltp",
    }
    assert done.stderr == "latentpress: 2 hidden and 1 other files skipped, 4 links not followed\n"


def test_a_junction_of_windows_is_a_link(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        """A folder of the tree as Windows tells it; deep/more is a junction."""

        def __init__(self, entry: "os.DirEntry[str]") -> None:
            self.name, self.path = entry.name, entry.path
            self.is_dir, self.is_symlink = entry.is_dir, entry.is_symlink

        def stat(self, *, follow_symlinks: bool) -> SimpleNamespace:
            return SimpleNamespace(st_reparse_tag=3 * (self.name == "more"))

    def listed(folder: str) -> Any:
        with really(folder) as found:
            return nullcontext([Entry(entry) for entry in found])

    really = os.scandir
    monkeypatch.setattr(os, "scandir", listed)
    monkeypatch.setattr(stores, "JUNCTION", 3)
    done = lp("compress", "photos", "-o", "pressed")
    monkeypatch.undo()
    assert "1 link not followed" in done.stderr
    assert files_of(here / "pressed").keys() == {"a.ltp", "deep/b.ltp"}


def test_patterns(here: Path) -> None:
    picture(Path("photos/UPPER.JPG"), np.zeros((16, 16, 3), np.uint8))
    lp("compress", "photos", "-o", "jpg", "--include", "*.jpg")
    assert files_of(here / "jpg").keys() == {"a.ltp", "UPPER.ltp"}
    lp("compress", "photos", "-o", "rest", "--exclude", "deep", "--exclude", "upper.*")
    assert files_of(here / "rest").keys() == {"a.ltp"}
    lp("compress", "photos", "-o", "more", "--include", "deep/*.webp", "--include", "a.*")
    assert files_of(here / "more").keys() == {"a.ltp", "deep/more/c.ltp"}


def test_two_sources_of_one_output_have_a_way_out(here: Path) -> None:
    picture(Path("photos/a.png"), np.zeros((16, 16, 3), np.uint8))
    done = lp("compress", "photos", "-o", "pressed", code=1)
    assert "photos/a.png: would be written to a.ltp" in done.stderr
    assert "--keep-suffix" in done.stderr
    assert latentpress.read_header("pressed/a.ltp").width == 32
    assert agrees(here / "pressed") == (3, 1)
    lp("compress", "photos", "-o", "kept", "--keep-suffix")
    assert files_of(here / "kept").keys() == {
        "a.jpg.ltp",
        "a.png.ltp",
        "deep/b.png.ltp",
        "deep/more/c.webp.ltp",
    }


def test_a_bad_picture_costs_a_line_and_is_tried_again(here: Path) -> None:
    Path("photos/bad.png").write_bytes(BAD)
    for kept in ("3 files written", "3 done before"):
        done = lp("compress", "photos", "-o", "pressed", code=1)
        assert kept in done.stdout
        assert done.stderr.splitlines() == [
            "latentpress: photos/bad.png: not an image, or of a kind that Pillow does not know",
            "latentpress: 1 of 4 failed",
        ]
        assert agrees(here / "pressed") == (3, 1)
    picture(Path("photos/bad.png"), np.zeros((16, 16, 3), np.uint8))
    lp("compress", "photos", "-o", "pressed")
    assert agrees(here / "pressed") == (4, 0)


def test_what_is_not_ours_is_not_written_over(here: Path) -> None:
    Path("pressed/deep").mkdir(parents=True)
    Path("pressed/deep/b.ltp").write_bytes(b"mine")
    done = lp("compress", "photos", "-o", "pressed", code=1)
    assert "pressed/deep/b.ltp: exists already" in done.stderr
    assert Path("pressed/deep/b.ltp").read_bytes() == b"mine"
    assert "3 done before" in lp("compress", "photos", "-o", "pressed", "--skip-existing").stdout
    assert Path("pressed/deep/b.ltp").read_bytes() == b"mine"
    assert "1 file written" in lp("compress", "photos", "-o", "pressed", "--overwrite").stdout
    assert agrees(here / "pressed") == (3, 0)


def test_originals_are_not_written_over_by_pictures_beside_them(here: Path) -> None:
    assert "photos is a folder: say with -o" in error_of("compress", "photos", code=2)
    lp("compress", "photos", "-o", "photos")
    before = Path("photos/deep/b.png").read_bytes()
    done = lp("decompress", "photos", "-o", "photos", code=1)
    assert "photos/deep/b.png: exists already" in done.stderr
    assert Path("photos/deep/b.png").read_bytes() == before
    assert Path("photos/a.png").exists()


def test_an_output_that_was_written_before_its_row_is_taken(here: Path) -> None:
    lp("compress", "photos", "-o", "pressed")
    manifest = Path("pressed/manifest.jsonl")
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:2]) + lines[2][:40])  # as a kill leaves it
    done = lp("compress", "photos", "-o", "pressed")
    assert done.stdout.endswith("1 done before\n")
    assert agrees(here / "pressed") == (3, 0)


def test_what_is_skipped_leaves_no_output_of_an_earlier_run(here: Path) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (256, 128))
    picture(Path("drawn/stripes.png"), np.stack([stripes] * 3, axis=-1))
    lp("compress", "drawn", "-o", "pressed")
    assert files_of(here / "pressed").keys() == {"stripes.ltp"}
    larger = ("-q", "100", "--content", "photo", "--skip-larger")
    assert "1 not written" in lp("compress", "drawn", "-o", "pressed", *larger).stdout
    assert files_of(here / "pressed") == {}
    assert "1 done before" in lp("compress", "drawn", "-o", "pressed", *larger).stdout
    lp("compress", "drawn", "-o", "pressed")
    assert agrees(here / "pressed") == (1, 0)
    Path("pressed/stripes.ltp").write_bytes(b"mine")  # and so no earlier run's
    lp("compress", "drawn", "-o", "pressed", *larger)
    assert Path("pressed/stripes.ltp").read_bytes() == b"mine"


def test_verify_makes_what_is_damaged_anew(here: Path) -> None:
    lp("compress", "photos", "-o", "pressed")
    whole = files_of(here / "pressed")
    flipped = bytearray(whole["a.ltp"])
    flipped[-1] ^= 1
    Path("pressed/a.ltp").write_bytes(flipped)
    Path("pressed/deep/b.ltp").write_bytes(whole["deep/b.ltp"][:-3])
    # its size tells
    assert "1 of 3 failed" in lp("compress", "photos", "-o", "pressed", code=1).stderr
    done = lp("--verbose", "compress", "photos", "-o", "pressed", "--verify")
    assert "2 files written" in done.stdout
    assert "1 done before" in done.stdout
    assert "a.ltp was not as the manifest has it" in done.stderr
    assert files_of(here / "pressed") == whole
    assert "3 done before" in lp("compress", "photos", "-o", "pressed", "--verify").stdout


def test_one_file_of_a_pattern_makes_the_folder(here: Path) -> None:
    lp("compress", "photos/a.jpg", "-o", "pressed")
    assert files_of(here / "pressed").keys() == {"a.ltp"}
    lp("decompress", "pressed/a.ltp", "-o", "opened")
    assert files_of(here / "opened").keys() == {"a.png"}


def test_lists_of_files(here: Path) -> None:
    Path("list").write_text(
        "photos/a.jpg\nphotos/missing.jpg\n\nphotos/deep\n../" + here.name + "/photos/deep/b.png\n"
    )
    done = lp("compress", "--files-from", "list", "-o", "pressed", code=1)
    assert "photos/missing.jpg: no such file" in done.stderr
    assert "photos/deep: is a folder, not a file" in done.stderr
    assert files_of(here / "pressed").keys() == {"photos/a.ltp", f"{here.name}/photos/deep/b.ltp"}
    command = [sys.executable, "-m", "latentpress", "compress", "--files-from", "-", "-o", "piped"]
    subprocess.run(
        command, input=f"{here}/photos/a.jpg\n".encode(), capture_output=True, check=True
    )
    assert files_of(here / "piped").keys() == {f"{here}/photos/a.ltp".lstrip("/")}
    assert "nothing.txt: no such file" in error_of(
        "compress", "--files-from", "nothing.txt", "-o", "x", code=1
    )


def test_lists_as_windows_writes_them(here: Path) -> None:
    names = "photos/a.jpg\r\nphotos/deep/b.png\r\n"
    Path("list").write_bytes(names.encode("utf-8-sig"))
    lp("compress", "--files-from", "list", "-o", "pressed")
    assert len(files_of(here / "pressed")) == 2
    Path("list").write_bytes(names.encode("utf-16"))
    assert "save it as UTF-8" in error_of("compress", "--files-from", "list", "-o", "p", code=2)


def test_a_list_in_the_encoding_of_a_console(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("list").write_bytes("caf\xe9.jpg\n".encode("cp850"))  # as of `dir /b`
    # names are text on Windows
    monkeypatch.setattr(os, "fsdecode", lambda name: name.decode("utf-8", "surrogatepass"))
    assert "save it as UTF-8" in error_of("compress", "--files-from", "list", "-o", "p", code=2)


@pytest.mark.parametrize(
    ("name", "root", "key"),
    [
        (r"photos\deep\b.png", ".", "photos/deep/b.png"),
        (r"C:\photos\b.png", "C:/", "photos/b.png"),
        ("C:/photos/b.png", "C:/", "photos/b.png"),
        (r"\\server\share\photos\b.png", r"//server/share/", "photos/b.png"),
        (r"\photos\b.png", "/", "photos/b.png"),
    ],
)
def test_names_of_windows_have_keys_as_of_other_systems(
    monkeypatch: pytest.MonkeyPatch, name: str, root: str, key: str
) -> None:
    with monkeypatch.context() as on_windows:
        on_windows.setattr(os, "sep", "\\")
        on_windows.setattr("os.path.splitdrive", ntpath.splitdrive)
        assert find._rooted(name) == (root, key, key)


def test_lines_of_a_manifest_end_on_windows_as_elsewhere(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    really = os.open
    monkeypatch.setattr(os, "O_BINARY", getattr(os, "O_BINARY", 0x8000), raising=False)
    monkeypatch.setattr(
        os, "open", lambda path, way, *mode: asked.append(way) or really(path, way, *mode)
    )
    LocalManifest("pressed").close()
    assert asked[0] & os.O_BINARY


def test_files_alone_with_the_options_of_folders_have_their_outputs_beside_them(here: Path) -> None:
    lp("compress", "photos/a.jpg", "photos/deep/b.png", "--keep-suffix")
    assert (here / "photos" / "a.jpg.ltp").exists()
    assert (here / "photos" / "deep" / "b.png.ltp").exists()
    assert rows_of(here / "photos")["photos/deep/b.png"]["output"] == "deep/b.png.ltp"
    done = lp(
        "compress", here / "photos" / "a.jpg", here / "photos" / "deep" / "b.png", "--keep-suffix"
    )
    assert "2 done before" in done.stdout


def test_several_folders_keep_their_names(here: Path) -> None:
    picture(Path("others/a.png"), np.zeros((16, 16, 3), np.uint8))
    picture(Path("single.png"), np.zeros((16, 16, 3), np.uint8))
    lp("compress", "photos", "others", "single.png", "-o", "pressed")
    expected = {
        "photos/a.ltp",
        "photos/deep/b.ltp",
        "photos/deep/more/c.ltp",
        "others/a.ltp",
        "single.ltp",
    }
    assert files_of(here / "pressed").keys() == expected


def test_a_folder_without_a_name_has_its_outputs_in_the_folder_of_outputs(here: Path) -> None:
    """As / has none, and a drive of Windows."""
    prefixes = []
    search = SimpleNamespace(tree=lambda url, prefix: prefixes.append(prefix) or [])
    tree = Tree([Path("/"), Path("photos")], "pressed", None, None, None)
    assert list(tree.found(search)) == []  # type: ignore[arg-type]
    assert prefixes == ["", "photos/"]


def test_outputs_within_the_tree_are_not_its_pictures(here: Path) -> None:
    lp("compress", "photos", "-o", "photos/pressed")
    lp("decompress", "photos", "-o", "photos/opened")
    assert files_of(here / "photos/opened").keys() == {
        f"pressed/{name}" for name in ("a.png", "deep/b.png", "deep/more/c.png")
    }
    assert (
        "3 done before"
        in lp("compress", "photos", "-o", "photos/pressed", "--exclude", "opened").stdout
    )


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are text there")
def test_a_name_that_is_no_text(here: Path) -> None:
    picture(Path(os.fsdecode(b"photos/\xe4\xff.png")), np.zeros((16, 16, 3), np.uint8))
    Path(os.fsdecode(b"photos/bad\xff.png")).write_bytes(BAD)
    done = lp("compress", "photos", "-o", "pressed", code=1)
    assert done.stderr.count("not an image") == 1
    assert b"\xe4\xff.ltp" in os.listdir(b"pressed")
    assert agrees(here / "pressed") == (4, 1)
    lp("compress", "photos", "-o", "pressed", code=1)
    lp("decompress", "pressed", "-o", "opened")
    assert b"\xe4\xff.png" in os.listdir(b"opened")
    json.loads(lp("compress", "photos", "-o", "json", "--json", code=1).stdout.encode())


def test_a_budget_for_a_tree(here: Path) -> None:
    Path("photos/bad.png").write_bytes(BAD)
    done = lp("compress", "photos", "-o", "pressed", "--total-size", "1300", code=1)
    assert "1 of 4 failed" in done.stderr
    files = files_of(here / "pressed")
    assert len(files) == 3
    assert sum(map(len, files.values())) <= 1300
    pictures = [f"photos/{n}" for n in ("a.jpg", "deep/b.png", "deep/more/c.webp")]
    expected = latentpress.targets.to_total(
        pictures, 1300, options=latentpress.EncodeOptions(content="auto")
    )
    assert list(files.values()) == expected
    assert (
        "3 done before"
        in lp("compress", "photos", "-o", "pressed", "--total-size", "1300", code=1).stdout
    )
    assert "do not fit into 30 bytes" in error_of(
        "compress", "photos", "-o", "x", "--total-size", "30", code=1
    )
    done = lp("compress", "photos", "-o", "x", "--total-size", "30", "--best-effort", code=1)
    assert "latentpress: these pictures do not fit into 30 bytes: at quality 0" in done.stderr
    assert len(files_of(here / "x")) == 3


def test_the_quality_of_a_budget_is_remembered(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lp("compress", "photos", "-o", "pressed", "--total-size", "1300")
    monkeypatch.setattr(
        "latentpress.collection.budget.best_request", lambda *_: pytest.fail("searched again")
    )
    Path("pressed/a.ltp").unlink()
    assert (
        "1 file written" in lp("compress", "photos", "-o", "pressed", "--total-size", "1300").stdout
    )


def test_targets_hold_for_each_picture(here: Path) -> None:
    Path("photos/deep/more/c.webp").unlink()
    lp("compress", "photos", "-o", "sizes", "--target-size", "500")
    assert all(0 < len(data) <= 500 for data in files_of(here / "sizes").values())
    done = lp("compress", "photos", "-o", "small", "--target-size", "20", code=1)
    assert done.stderr.count("no file of this picture is as small") == 2


def test_all_metrics_are_those_that_can_be_computed_here(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentpress.metrics.weights.found", lambda key: [])
    done = lp("compress", "photos/a.jpg", "-o", "all", "--metrics", "all")
    assert "lpips left out: its weights" in done.stderr
    [row] = rows_of(here / "all").values()
    assert {"mse", "psnr", "ssim", "ssimulacra2"} <= row["metrics"].keys()
    assert "lpips" not in row["metrics"]


def test_metrics_are_recorded_and_the_report_shows_the_worst(here: Path) -> None:
    Path("photos/bad.png").write_bytes(BAD)
    words = [
        "compress",
        "photos",
        "-o",
        "pressed",
        "--metrics",
        "psnr,ssim",
        "--report",
        "run.html",
    ]
    lp(*words, code=1)
    rows = [row for row in rows_of(here / "pressed").values() if not row["error"]]
    for row in rows:
        expected = latentpress.assess(row["source"], f"pressed/{row['output']}", ["psnr", "ssim"])
        assert row["metrics"] == pytest.approx(expected)
    page = Path("run.html").read_text(encoding="utf-8")
    order = sorted(rows, key=lambda row: row["metrics"]["psnr"])
    places = [page.index(f"<h3>{row['source']}</h3>") for row in order]
    assert places == sorted(places)
    assert page.count("<img") == 6
    assert "photos/bad.png: not an image" in page
    assert "3 pictures, " in page
    lp(*words, code=1)  # anew
    Path("mine.html").write_text("mine")
    assert "mine.html" in error_of(
        "compress", "photos", "-o", "pressed", "--report", "mine.html", code=1
    )
    assert "an .html file" in error_of(
        "compress", "photos", "-o", "pressed", "--report", "a.txt", code=2
    )
    lp("report", "pressed", "-o", "later.html")
    assert Path("later.html").read_text(encoding="utf-8") == page


def test_folders_are_graded_pair_by_pair(here: Path) -> None:
    Path("photos/bad.png").write_bytes(BAD)
    lp("compress", "photos", "-o", "pressed", code=1)
    words = error_of("assess", "photos", "pressed", "--metrics", "psnr", code=2)
    assert words == "without a partner of the same name in the other folder: photos/bad.png"
    done = lp("assess", "photos", "pressed", "--metrics", "psnr", "-o", "graded", code=1)
    assert "photos/bad.png: without a partner" in done.stderr
    table = Path("graded/table.csv").read_text()
    assert [line.split(",")[0] for line in table.splitlines()] == [
        "image",
        "a",
        "deep/b",
        "deep/more/c",
        "mean",
    ]
    Path("pressed/deep/b.ltp").write_bytes(BAD)
    done = lp("assess", "photos", "pressed", "--metrics", "psnr", "-o", "graded", code=1)
    assert "pressed/deep/b.ltp: " in done.stderr
    assert [line.split(",")[0] for line in Path("graded/table.csv").read_text().splitlines()] == [
        "image",
        "a",
        "deep/more/c",
        "mean",
    ]
    lp("compress", "photos", "-o", "kept", "--keep-suffix", "--exclude", "bad.png")
    done = lp(
        "assess",
        "photos",
        "kept",
        "--metrics",
        "psnr",
        "--exclude",
        "bad.png",
        "--json",
        "--jobs",
        "2",
    )
    assert [image["image"] for image in json.loads(done.stdout)["images"]] == [
        "a",
        "deep/b",
        "deep/more/c",
    ]


def test_latents_of_a_tree(here: Path) -> None:
    from latentpress.latents import Reader

    np.save("photos/deep/y.npy", np.zeros((4, 3, 3), np.float32))
    Path("photos/deep/y.json").write_text('{"caption": "flat"}')
    Path("photos/deep/z.npy").write_bytes(BAD)
    arguments = ("latents", "pack", "photos", "-o", "packed", "--lossless", "--include", "*.npy")
    done = lp(*arguments, code=1)
    assert "photos/deep/z.npy: cannot be read as npy" in done.stderr
    assert files_of(here / "packed").keys() == {"deep/y.ltps"}
    with Reader("packed/deep/y.ltps") as reader:
        y, info = reader.read(0)
        assert (y.shape, info.name, info.metadata) == ((4, 3, 3), "deep/y", {"caption": "flat"})
    assert "1 done before" in lp(*arguments, "--verify", code=1).stdout
    assert "photos/deep/z.npy" in error_of(*arguments[:3], "-o", "one.ltps", *arguments[5:], code=1)
    assert not Path("one.ltps").exists()


def test_json_is_a_list_of_the_manifests_rows(here: Path) -> None:
    rows = json.loads(lp("compress", "photos", "-o", "pressed", "--json").stdout)
    assert {row["source"]: row["output_sha256"] for row in rows} == {
        source: row["output_sha256"] for source, row in rows_of(here / "pressed").items()
    }
    assert json.loads(lp("compress", "photos", "-o", "pressed", "--json").stdout) == []


def test_wrong_usage(here: Path) -> None:
    Path("file").write_bytes(b"")
    Path("others").mkdir()
    for arguments, words in (
        (("compress", "photos", "-o", "file"), "file is a file"),
        (("compress", "photos", "-o", "x.ltp"), "looks like a file"),
        (("compress", "photos", "others"), "say with -o"),
        (
            ("compress", "file", "photos"),
            "photos is a folder: if it is where the outputs go, write -o photos",
        ),
        (("latents", "pack", "-o", "x", "--lossless"), "name at least one file or folder"),
        (("compress", "photos", "-o", "x", "--metrics", "beauty"), "unknown metric 'beauty'"),
        (("decompress", "photos", "-o", "x", "--format", "txt"), "unknown format .txt"),
    ):
        assert words in error_of(*arguments, code=2), arguments


# faults


def test_a_full_disk_ends_the_run_and_the_next_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(here / "many", 30)
    replace, count = os.replace, iter(range(100))

    def full(*arguments: Any) -> None:
        if next(count) >= 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        result = lp("compress", "many", "-o", "pressed", "--jobs", "1", "--json", code=1)
    assert isinstance(result.exception, DiskFullError)
    assert len(json.loads(result.stdout)) == 10  # a list to its end
    assert "the disk is full" in str(result.exception)
    assert "the same command goes on" in str(result.exception)
    assert agrees(here / "pressed") == (10, 0)
    assert "20 files written" in (done := lp("compress", "many", "-o", "pressed").stdout)
    assert done.endswith("10 done before\n")


def test_what_nobody_expected_costs_one_picture(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latentpress.collection.request import Request

    press = Request.file

    def fails(self: Request, picture: Any, options: Any) -> Any:
        if picture.gray:
            raise ZeroDivisionError("division by zero")
        return press(self, picture, options)

    monkeypatch.setattr(Request, "file", fails)
    picture(Path("photos/gray.png"), np.zeros((16, 16), np.uint8))
    done = lp("compress", "photos", "-o", "pressed", code=1)
    assert "photos/gray.png: ZeroDivisionError: division by zero" in done.stderr
    assert agrees(here / "pressed") == (3, 1)


def test_a_full_disk_loses_nothing_that_other_threads_did(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latentpress.collection.local import LocalEngine
    from latentpress.collection.unit import Row, Unit

    class Task:
        """Four at a time: the last one finds the disk full while the others are done."""

        barrier = threading.Barrier(4)

        def pixels(self, unit: Unit) -> int:
            return 0

        def works_alone(self, units: Any) -> bool:
            return False

        def __call__(self, unit: Unit) -> list[Row]:
            self.barrier.wait()
            if unit.key == "3":
                raise DiskFullError("the disk is full")
            time.sleep(0.1)
            return [Row(unit.key, "")]

    units = [Unit(".", str(i), str(i), "", 0) for i in range(4)]
    told: list[str] = []
    with pytest.raises(DiskFullError):
        told.extend(unit.key for unit, _ in LocalEngine(4).map(Task(), units))
    assert sorted(told) == ["0", "1", "2"]


def test_another_request_grades_anew(here: Path) -> None:
    lp("compress", "photos", "-o", "pressed", "--content", "photo")
    asked = ("assess", "photos", "pressed", "-o", "graded")
    lp(*asked, "--metrics", "all")
    run = json.loads(Path("graded/manifest.jsonl").read_text().splitlines()[0])["run"]
    names = ",".join(run["asked"]["metrics"])
    assert "needs at least" in lp(*asked, "--metrics", names, code=1).stderr  # as it was named
    lp(*asked, "--metrics", "psnr")
    words = error_of(*asked, "--metrics", "psnr", "--model", "other", code=2)
    assert "the built-in codec has one model" in words


@pytest.mark.parametrize("where", ["in the engine", "in the run"])
def test_what_is_written_when_a_run_is_interrupted_is_recorded(
    here: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a run of another quality finds no file that none has written."""
    from latentpress.collection.find import Naming, Search, Selection
    from latentpress.collection.local import LocalEngine
    from latentpress.collection.pool import Pool
    from latentpress.collection.run import run
    from latentpress.collection.tasks import Compress

    make_tree(here / "many", 8)
    found = list(Search(Selection(frozenset({".png"})), Naming(".ltp")).tree("many"))

    def interrupt(_: object) -> Any:
        while len(files_of(here / "out")) < 6:
            time.sleep(0.01)
        raise KeyboardInterrupt

    told = interrupt if where == "in the run" else lambda row: None
    with monkeypatch.context() as patched:
        if where == "in the engine":
            patched.setattr(Pool, "_finished", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(found, Compress("out"), LocalEngine(2), told=told)
    written = files_of(here / "out").keys()
    assert {row["output"] for row in rows_of(here / "out").values()} == written
    assert "8 files written" in lp("compress", "many", "-o", "out", "-q", "20").stdout


def test_a_folder_that_vanishes_costs_its_pictures(here: Path) -> None:
    import shutil

    tree = make_tree(here / "many", 120)
    manifest = here / "pressed" / "manifest.jsonl"

    def vanish() -> None:
        while not manifest.exists() or manifest.read_bytes().count(b"\n") < 5:
            time.sleep(0.001)
        shutil.rmtree(tree / "02")

    thread = threading.Thread(target=vanish)
    thread.start()
    result = CliRunner().invoke(app, ["compress", "many", "-o", "pressed", "--jobs", "2"])
    thread.join()
    good, failed = agrees(here / "pressed")
    assert good >= 100
    assert good + failed <= 120
    assert result.exit_code == (1 if failed else 0)
    assert all(
        "no such file" in row["error"] for row in rows_of(here / "pressed").values() if row["error"]
    )


def test_a_folder_that_is_not_there_and_one_that_cannot_be_listed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "gone" in lp("compress", "gone", "-o", "x/", code=1).output
    listed = os.scandir

    def refused(path: str) -> Any:
        if str(path).endswith("deep"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return listed(path)

    monkeypatch.setattr("os.scandir", refused)
    done = lp("compress", "photos", "-o", "pressed", code=1)
    assert "photos/deep: no permission to read it" in done.stderr
    assert agrees(here / "pressed") == (1, 1)


def test_what_nobody_may_look_at_is_a_failure_and_not_passed_over(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder that may be listed, but not searched."""
    lp("compress", "photos", "-o", "pressed")
    looked_at = Path.stat

    def refused(path: Path, **how: Any) -> os.stat_result:
        if path.name in ("a.jpg", "a.ltp"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return looked_at(path, **how)

    monkeypatch.setattr(Path, "stat", refused)
    assert (
        "photos/a.jpg: no permission to read it"
        in lp("compress", "photos", "-o", "again", code=1).stderr
    )
    assert agrees(here / "again") == (2, 1)
    grade = ("assess", "photos", "pressed", "--metrics", "psnr")
    assert error_of(*grade, code=1) == "photos/a.jpg: no permission to read it"
    assert "pressed/a.ltp: no permission" in lp(*grade, "-o", "graded", code=1).stderr


def test_a_manifest_has_one_writer(here: Path) -> None:
    manifest = LocalManifest("pressed")
    manifest.append([{"run": {}}])
    assert "another run is writing there" in error_of("compress", "photos", "-o", "pressed", code=1)
    if os.name != "nt":  # where what is open cannot be removed
        os.unlink("pressed/manifest.jsonl")
        with pytest.raises(OutputError, match="was removed while"):
            manifest.append([{"run": {}}])
    manifest.close()
    lp("compress", "photos", "-o", "pressed")


def test_a_manifest_that_was_meddled_with_is_read_as_far_as_it_goes(here: Path) -> None:
    lp("compress", "photos", "-o", "pressed")
    path = Path("pressed/manifest.jsonl")
    path.write_bytes(
        b'\xff\xfe\n[]\n{"source": 1}\n{"run": null}\n{"run": {"asked": 1}}\n'
        b'{"output": "deep/b.ltp", "output_bytes": 1, "request": []}\n'
        b'{"source": "photos/a.jpg", "output": "a.ltp", "output_bytes": 1}\n'
        + path.read_bytes()
        + b'{"source": "torn'
    )
    assert "3 done before" in lp("compress", "photos", "-o", "pressed").stdout
    assert path.read_bytes().endswith(b"}\n")
    lp("report", "pressed", "-o", "page.html")
    assert "3 pictures" in Path("page.html").read_text(encoding="utf-8")


def test_temporary_files_of_the_dead_are_removed_and_those_of_the_living_stay(here: Path) -> None:
    from latentpress.system.files import replacing

    Path("pressed/deep").mkdir(parents=True)
    dead = Path("pressed/deep/.latentpress-0123456789abcdef.tmp")
    dead.write_bytes(b"half")
    with replacing("pressed/deep/other.ltp", overwrite=True) as stream:
        stream.write(b"whole")
        lp("compress", "photos", "-o", "pressed")
        assert not dead.exists()
    assert Path("pressed/deep/other.ltp").read_bytes() == b"whole"


def test_permissions_are_not_wider_than_the_pictures(here: Path) -> None:
    if os.name == "nt":
        pytest.skip("no permissions of POSIX")
    os.chmod("photos/a.jpg", 0o600)
    lp("compress", "photos", "-o", "pressed")
    assert os.stat("pressed/a.ltp").st_mode & 0o077 == 0


def test_what_content_asks_for_holds_for_folders_as_for_files(here: Path) -> None:
    Path("flat").mkdir()
    Image.new("RGB", (64, 64), (10, 200, 30)).save("flat/a.png")
    for content in ("auto", "photo", "screen"):
        lp("compress", "flat/a.png", "-o", f"{content}.ltp", "--content", content)
        lp("compress", "flat", "-o", content, "--content", content)
        assert Path(content, "a.ltp").read_bytes() == Path(f"{content}.ltp").read_bytes()
    assert Path("auto.ltp").stat().st_size < Path("photo.ltp").stat().st_size
    lp("compress", "flat", "-o", "asked-nothing")
    assert Path("asked-nothing", "a.ltp").read_bytes() == Path("auto.ltp").read_bytes()
