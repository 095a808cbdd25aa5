"""Metadata on the command line: --strip, --strict, and the share that lines and messages name."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

import latentpress
from helpers.commands import fails, run
from latentpress.image.known_profiles import SRGB, known_profile

TEXT = os.urandom(3000).hex()  # nothing that deflates to less than its half


@pytest.fixture
def folder(tmp_path: Path, small: NDArray[np.uint8]) -> Path:
    """heavy.png, whose text outweighs the picture; light.png, with a profile."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", TEXT)
    Image.fromarray(small).save(tmp_path / "heavy.png", pnginfo=chunks)
    Image.fromarray(small).save(tmp_path / "light.png", icc_profile=known_profile(SRGB))
    return tmp_path


def test_strip_and_the_share_of_metadata(folder: Path) -> None:
    done = run("compress", "heavy.png", "light.png", "--strict", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    heavy, light = done.stdout.splitlines()
    assert ", metadata " in heavy
    assert "% of the file (text " in heavy
    assert heavy.endswith("): --strip text leaves them out")
    assert "metadata" not in light
    size = latentpress.read_header((folder / "heavy.ltp").read_bytes()).metadata["text"]
    shown = json.loads(run("info", "heavy.ltp", "--json", cwd=folder).stdout)
    assert shown["metadata"] == {"text": size}
    assert f"metadata {size:,} bytes, " in run("info", "heavy.ltp", cwd=folder).stdout
    assert "metadata 1 bytes, 0." in run("info", "light.ltp", cwd=folder).stdout

    done = run(
        "compress",
        "heavy.png",
        "light.png",
        "--strip",
        "text,icc",
        "--json",
        "--overwrite",
        cwd=folder,
    )
    assert [result["metadata_bytes"] for result in json.loads(done.stdout)] == [0, 0]
    assert done.stderr == ""
    assert (folder / "heavy.ltp").read_bytes() == (folder / "light.ltp").read_bytes()
    assert "metadata 0 bytes, 0.0 % of the file\n" in run("info", "heavy.ltp", cwd=folder).stdout


def test_texts_come_back_in_a_png(folder: Path) -> None:
    run("compress", "heavy.png", cwd=folder)
    done = run("decompress", "heavy.ltp", "-o", "back.png", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(folder / "back.png") as image:
        assert image.info["parameters"] == TEXT
    assert (
        "text left out (parameters)"
        in run("decompress", "heavy.ltp", "-o", "back.jpg", cwd=folder).stderr
    )


def test_a_size_that_metadata_forbid_names_them(folder: Path) -> None:
    line = fails(1, "compress", "heavy.png", "--target-size", "2kB", cwd=folder)
    assert "metadata take " in line
    assert (
        run(
            "compress", "heavy.png", "--target-size", "2kB", "--strip", "all", cwd=folder
        ).returncode
        == 0
    )


def test_a_wrong_name_is_one_sentence(folder: Path) -> None:
    assert "exif, xmp, icc" in fails(2, "compress", "light.png", "--strip", "metadata", cwd=folder)


def test_the_help_says_what_strict_refuses() -> None:
    words = "".join(run("compress", "--help", COLUMNS="300").stdout.split())
    for what in (
        "more than 8 bits",
        "colors that must be converted",
        "frames",
        "IPTC",
        "gain map",
        "exif,xmp,icc,thumbnail,gps",
    ):
        assert what.replace(" ", "") in words
