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
    assert run("compress", "both.png", cwd=path).returncode == 0
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


def test_compare_marks_the_layer(folder: Path) -> None:
    assert run("compare", "both.png", "both.ltp", "-o", "sheet.png", cwd=folder).returncode == 0
    sheet = np.asarray(Image.open(folder / "sheet.png"))
    assert sheet.shape[1] > 4 * 384  # original, decoded, difference, mask
