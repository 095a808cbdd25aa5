"""`--content`, and what `info` and `compare` tell of a screen layer."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from helpers.commands import run
from helpers.paths import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph above lines of text, as a picture and as a file."""
    path = tmp_path_factory.mktemp("content")
    picture = Image.new("RGB", (384, 384), "white")
    picture.paste(
        Image.open(ROOT / "samples" / "coffee.jpg").convert("RGB").crop((40, 40, 424, 296)), (0, 0)
    )
    draw = ImageDraw.Draw(picture)
    for y in range(262, 370, 15):
        draw.text(
            (8, y), "The quick brown fox jumps over the lazy dog; 0123456789 times.", (20, 20, 30)
        )
    picture.save(path / "both.png")
    done = run("compress", "both.png", cwd=path)
    assert done.returncode == 0
    (path / "said.txt").write_text(done.stdout)
    return path


def test_auto_is_the_default_and_info_tells_the_parts(folder: Path) -> None:
    shown = json.loads(run("info", "both.ltp", "--json", cwd=folder).stdout)
    assert {chunk["name"] for chunk in shown["chunks"]} == {"latent", "screen"}
    assert 0.2 < shown["screen_share"] < 0.6
    assert [piece["kind"] for piece in shown["screen_pieces"]] in (["av1"], ["webp"])
    assert "screen layer for" in run("info", "both.ltp", cwd=folder).stdout


def test_photo_has_no_layer_and_screen_no_latent(folder: Path) -> None:
    for content, names, words in (
        ("photo", {"latent"}, "content  latent"),
        ("screen", {"screen"}, "content  screen layer"),
    ):
        assert (
            run(
                "compress", "both.png", "--content", content, "-o", f"{content}.ltp", cwd=folder
            ).returncode
            == 0
        )
        shown = json.loads(run("info", f"{content}.ltp", "--json", cwd=folder).stdout)
        assert {chunk["name"] for chunk in shown["chunks"]} == names
        assert shown["screen_share"] == (content == "screen")
        assert words in run("info", f"{content}.ltp", cwd=folder).stdout
    refused = run("compress", "both.png", "--content", "drawing", "-o", "x.ltp", cwd=folder)
    assert refused.returncode == 2
    assert "auto, photo, screen" in refused.stderr


def test_compress_tells_the_layer(folder: Path) -> None:
    share = json.loads(run("info", "both.ltp", "--json", cwd=folder).stdout)["screen_share"]
    words = f", a screen layer for {100 * share:.1f} % of the picture\n"
    assert (folder / "said.txt").read_text().endswith(words)
    for content, found in (("screen", 1), ("photo", 0)):
        options = ("--content", content, "--overwrite", "-o", "told.ltp")
        said = run("compress", "both.png", *options, cwd=folder).stdout
        assert said.endswith(", a screen layer\n") == (content == "screen")
        assert ("screen" in said) == (content == "screen")
        rows = json.loads(run("compress", "both.png", *options, "--json", cwd=folder).stdout)
        assert rows[0]["screen_share"] == found


def test_the_report_of_a_folder_counts_the_layers(folder: Path) -> None:
    (folder / "pictures").mkdir()
    (folder / "pictures" / "both.png").write_bytes((folder / "both.png").read_bytes())
    done = run("compress", "pictures", "-o", "out", "--report", "report.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = (folder / "out" / "manifest.jsonl").read_text(encoding="ascii").splitlines()
    shares = [row["screen_share"] for row in map(json.loads, lines) if "run" not in row]
    assert len(shares) == 1
    assert 0.2 < shares[0] < 0.6
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "1 with a screen layer." in page
    assert f"{100 * shares[0]:.1f} % of it a screen layer" in page


def test_compare_marks_the_layer(folder: Path) -> None:
    assert run("compare", "both.png", "both.ltp", "-o", "sheet.png", cwd=folder).returncode == 0
    sheet = np.asarray(Image.open(folder / "sheet.png"))
    assert sheet.shape[1] > 4 * 384  # original, decoded, difference, mask
