"""The codecs of the benchmark: qualities, round trips, exact ends, names and what is missing."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from latentpress.bench import cli_arguments
from latentpress.bench.datasets import find_sources
from latentpress.bench.image_codecs import CODECS, OURS, find_codec, installed
from latentpress.errors import UsageError
from latentpress.metrics import psnr
from latentpress.models import manifest

HERE = [name for name in CODECS if CODECS[name].missing() is None]


@pytest.mark.parametrize("name", [*CODECS, *OURS])
@pytest.mark.parametrize("points", [1, 2, 5, 8, 30])
def test_qualities_rise_and_cover_the_ladder(name: Any, points: Any) -> None:
    codec = CODECS.get(name) or find_codec(name)
    qualities = codec.qualities(points)
    assert qualities == sorted(set(qualities))
    if codec.lossless:
        assert len(qualities) == 1
    elif points > 1:
        assert (qualities[0], qualities[-1]) == (codec.ladder[0], codec.ladder[-1])
        assert len(qualities) == points or points > 8
    assert len({codec.setting(quality) for quality in qualities}) == len(qualities)


@pytest.mark.parametrize("name", [*HERE, "builtin"])
def test_files_decode_to_the_same_size_and_get_larger_and_better(
    name: Any, photo: NDArray[np.uint8]
) -> None:
    codec = find_codec(name)
    pixels = np.ascontiguousarray(photo[:150, :203])
    low, high = codec.qualities(2) if not codec.lossless else codec.qualities(1) * 2
    small, large = codec.encode(pixels, low), codec.encode(pixels, high)
    decoded = [codec.decode(data) for data in (small, large)]
    assert all(image.shape == pixels.shape and image.dtype == np.uint8 for image in decoded)
    if codec.lossless:
        assert np.array_equal(decoded[0], pixels)
    else:
        assert len(small) < len(large)
        assert psnr(pixels, decoded[0]) < psnr(pixels, decoded[1])


@pytest.mark.parametrize("name", [name for name in HERE if not CODECS[name].lossless])
def test_noise_has_room_at_the_best_quality(name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)
    codec = find_codec(name)
    decoded = codec.decode(codec.encode(noise, 100))
    assert decoded.shape == noise.shape
    if name == "jxl":  # which means no loss by it
        assert np.array_equal(decoded, noise)


def test_chroma_subsampling_is_what_the_settings_say(photo: NDArray[np.uint8]) -> None:
    sizes = [len(find_codec(name).encode(photo, 80)) for name in ("jpeg", "jpeg444")]
    assert sizes[0] < sizes[1]


def test_entry_says_who_it_is() -> None:
    entry = find_codec("builtin").entry()
    assert entry["ours"] is True
    assert entry["suffix"] == ".ltp"
    assert "lp1 model" in entry["version"]  # rows of another model are not mixed with these
    found = re.search(
        r"prior ([0-9a-f]{8}), restoration [0-9a-f]{8}$", find_codec("sd15").entry()["version"]
    )
    assert found
    assert found.group(1) == manifest("sd15")["model_hash"]
    assert CODECS["png"].entry()["lossless"] is True
    assert all(CODECS[name].entry()["version"] for name in HERE)


def test_settings_say_what_the_environment_asks_of_our_codec(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("THREADS", "RUNTIME", "PRECISION", "NATIVE"):
        monkeypatch.delenv(f"LATENTPRESS_{name}", raising=False)
    assert find_codec("builtin").settings == "all threads"
    monkeypatch.setenv("LATENTPRESS_THREADS", "1")
    monkeypatch.setenv("LATENTPRESS_RUNTIME", "onnxruntime")
    assert find_codec("builtin").settings == "1 thread, LATENTPRESS_RUNTIME=onnxruntime"


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="unknown codec 'gif'"):
        find_codec("gif")
    absent = dataclasses.replace(CODECS["jxl"], plugin="no_such_module_of_latentpress")
    assert "pip install pillow-jxl-plugin" in absent.missing()
    assert set(installed()) == {"builtin", *HERE}


def test_the_words_of_a_command(tmp_path: Path) -> None:
    (tmp_path / "sizes.csv").write_text("file,bytes\n")
    chosen = cli_arguments.codecs(
        "builtin, jpeg,sd15,jpeg",
        ["sd15=folder/vae"],
        ["x:enc {in} {out} {q}:dec {out} {png}"],
        [f"y={tmp_path}"],
    )
    assert [codec.name for codec in chosen] == ["builtin", "jpeg", "sd15", "x", "y"]
    assert chosen[2].model == "folder/vae"
    tried = {
        codec.name: qualities
        for codec, qualities in cli_arguments.qualities(chosen, 3, ["x=30,10.5", "jpeg=50"])
    }
    assert tried["x"] == [10.5, 30.0]
    assert tried["jpeg"] == [50.0]
    assert tried["builtin"] == [5.0, 52.0, 100.0]
    assert "png" in [codec.name for codec in cli_arguments.codecs("all", [], [], [])]


@pytest.mark.parametrize(
    ("names", "models", "externals", "match"),
    [
        ("", [], [], "no codec was named"),
        ("jpeg", ["jpeg=x"], [], "weights are chosen for"),
        ("jpeg", ["sd15=x"], [], "not among the --codecs"),
        ("sd15", ["sd15"], [], "write NAME=VALUE"),
        ("jpeg", [], ["jpeg:a {in} {out}:b {out} {png}"], "two codecs are called jpeg"),
    ],
)
def test_words_that_do_not_fit(names: Any, models: Any, externals: Any, match: Any) -> None:
    with pytest.raises(UsageError, match=match):
        cli_arguments.codecs(names, models, externals, [])


def test_qualities_that_do_not_fit() -> None:
    chosen = cli_arguments.codecs(
        "png,jpeg,builtin",
        [],
        [
            f"{name}:enc {{in}} {{out}} {q}:dec {{out}} {{png}}"
            for name, q in (("x", "{q}"), ("y", ""))
        ],
        [],
    )
    for given, match in (
        ([], "--qualities x=10"),
        (["z=1"], "not in this run"),
        (["x=a"], "numbers"),
        (["x=nan"], "numbers"),
        (["x=1", "jpeg=50,101"], "jpeg takes 0 to 100"),
        (["x=1", "builtin=-1"], "builtin takes 0 to 100"),
        (["png=3", "x=1"], "png has no quality"),
        (["y=3", "x=1"], "y has no quality"),
        (["x=1", "builtin=2.5", "jpeg=20.5"], "jpeg takes whole"),
    ):
        with pytest.raises(UsageError, match=match):
            cli_arguments.qualities(chosen, 3, given)


def test_metrics_that_a_small_picture_cannot_take_are_left_out(
    tmp_path: Path, small: NDArray[np.uint8]
) -> None:
    Image.fromarray(small).save(tmp_path / "a.png")
    _, sources = find_sources([tmp_path], None, tmp_path)
    usable, reasons = cli_arguments.metrics_for(["psnr", "ms-ssim"], sources)
    assert usable == ["psnr"]
    assert reasons == {"ms-ssim": "a picture has a side of 75 pixels, too few for it"}


def test_absolute_paths_stay_out_of_the_command() -> None:
    assert (
        cli_arguments.command(["bench", "/home/me/photos", "-o", "a b"])
        == "latentpress bench photos -o 'a b'"
    )
