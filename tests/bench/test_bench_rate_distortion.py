"""Means, curves and bytes at equal quality of a run whose numbers are known."""

import math
from pathlib import Path
from typing import Any

import pytest

from latentpress.bench.rate_distortion import (
    bd_rates,
    bytes_at_equal_quality,
    complete,
    curve,
    default_anchor,
    lossy,
    means,
)
from latentpress.bench.rows import Run


def codec(name: Any, label: Any, lossless: Any = False) -> Any:
    return {
        "name": name,
        "label": label,
        "lossless": lossless,
        "ours": name == "builtin",
        "suffix": ".x",
        "kind": "rival",
    }


def row(
    name: Any, setting: Any, image: Any, bpp: Any, mse: Any, lpips: Any, seconds: Any = 0.5
) -> Any:
    psnr = 10 * math.log10(255**2 / mse) if mse else math.inf
    numbers = {
        "width": 80,
        "height": 10,
        "bytes": round(bpp * 100),
        "bpp": bpp,
        "encode_s": seconds,
        "decode_s": seconds / 2,
    }
    return {
        "codec": name,
        "setting": setting,
        "image": image,
        **numbers,
        "mse": mse,
        "psnr": psnr,
        "lpips": lpips,
    }


@pytest.fixture
def made() -> Any:
    """avif halves its LPIPS with each doubling of the rate; builtin reaches the same at half the
    rate; webp lies far off.
    """
    rows = []
    for name, factor, offset in (("builtin", 0.5, 0), ("avif", 1, 0), ("webp", 1, 0.6)):
        for i, bpp in enumerate((0.1, 0.2, 0.4, 0.8)):
            for image, shift in (("a", 0.01), ("b", -0.01)):
                rows.append(
                    row(
                        name,
                        f"q{i}",
                        image,
                        factor * bpp,
                        400 / (i + 1) + 1000 * shift,
                        0.4 / 2**i + shift + offset,
                    )
                )
    rows += [row("png", "lossless", image, 12.0, 0, 0.0) for image in ("a", "b")]
    codecs = [
        codec("builtin", "latentpress"),
        codec("webp", "WebP"),
        codec("avif", "AVIF"),
        codec("png", "PNG", lossless=True),
    ]
    info = {
        "images": [{"name": "a"}, {"name": "b"}],
        "codecs": codecs,
        "metrics": ["mse", "psnr", "lpips"],
        "grey": False,
    }
    return Run(Path("run"), info, rows)


def test_means_are_of_every_number_in_order(made: Any) -> None:
    table = means(made)
    assert [line["codec"] for line in table] == ["builtin"] * 4 + ["webp"] * 4 + ["avif"] * 4 + [
        "png"
    ]
    first = table[0]
    assert (first["setting"], first["images"], first["bpp"]) == ("q0", 2, pytest.approx(0.05))
    assert first["encode_s"] == 0.5
    assert first["mse"] == pytest.approx(400)
    assert first["lpips"] == pytest.approx(0.4)
    assert first["psnr_of_mean_mse"] == pytest.approx(10 * math.log10(255**2 / 400))
    assert first["psnr"] == pytest.approx(
        (10 * math.log10(255**2 / 410) + 10 * math.log10(255**2 / 390)) / 2
    )
    # the logarithm is convex: two columns, because they differ
    assert first["psnr"] > first["psnr_of_mean_mse"]
    assert math.isinf(table[-1]["psnr"])
    assert math.isinf(table[-1]["psnr_of_mean_mse"])


def test_a_number_that_a_picture_lacks_has_no_mean(made: Any) -> None:
    made.rows[0]["lpips"] = None
    assert means(made)[0]["lpips"] is None
    assert len(curve(made, "builtin", "lpips")) == 3
    assert len(curve(made, "builtin", "psnr")) == 4


def test_a_setting_that_is_not_finished_draws_no_curve(made: Any) -> None:
    del made.rows[0]
    assert [line["images"] for line in means(made)[:2]] == [1, 2]
    assert len(complete(made)) == len(means(made)) - 1
    assert len(curve(made, "builtin", "psnr")) == 3


def test_who_is_compared_with_whom(made: Any) -> None:
    assert lossy(made) == ["builtin", "webp", "avif"]
    assert default_anchor(made) == "avif"


def test_bd_rates_against_an_anchor(made: Any) -> None:
    found = {(c.codec, c.metric): c.result for c in bd_rates(made, "avif", ["lpips", "psnr"])}
    assert found["builtin", "lpips"].percent == pytest.approx(-50)
    assert found["builtin", "lpips"].share == pytest.approx(1)
    assert found["builtin", "psnr"].percent == pytest.approx(-50)
    assert found["webp", "lpips"] is None  # no overlap, no figure
    assert found["webp", "psnr"].percent == pytest.approx(0, abs=1e-9)
    assert len(found) == 4


def test_bytes_at_equal_quality_in_plain_words(made: Any) -> None:
    found = bytes_at_equal_quality(made, "lpips", "avif")
    ours = [each for each in found if each.codec == "builtin"]
    assert [each.setting for each in ours] == ["q0", "q1", "q2", "q3"]
    assert [each.percent for each in ours] == pytest.approx([-50] * 4)
    assert [each.bpp for each in ours] == pytest.approx([0.05, 0.1, 0.2, 0.4])
    assert ours[1].words == "at the LPIPS of AVIF q1 (0.2), latentpress needs 50 % fewer bytes"
    webp = [each for each in found if each.codec == "webp"]
    assert [each.percent for each in webp] == [None] * 4
    assert webp[0].words.endswith("WebP has no setting that compares")
    turned = bytes_at_equal_quality(made, "lpips", "builtin")
    assert next(each.words for each in turned if each.codec == "avif").endswith(
        "AVIF needs 100 % more bytes"
    )
    same = bytes_at_equal_quality(made, "psnr", "avif")
    assert next(each.words for each in same if each.codec == "webp").endswith(
        "WebP needs as many bytes"
    )
