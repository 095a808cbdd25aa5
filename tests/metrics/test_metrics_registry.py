"""The table of metrics: what is available here, what assess computes, what it refuses."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from latentpress.errors import ImageError, UsageError, WeightsError
from latentpress.metrics import METRICS, assess, available, weights

FREE = [key for key, metric in METRICS.items() if not metric.needs_weights]


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "found", lambda key: [])


def test_the_table_describes_every_metric() -> None:
    assert list(METRICS) == [
        "mse",
        "psnr",
        "ssim",
        "ms-ssim",
        "ms-ssim-db",
        "gmsd",
        "ssimulacra2",
        "lpips",
        "lpips-vgg",
        "dists",
    ]
    for metric in METRICS.values():
        assert metric.direction in ("higher", "lower")
        assert metric.range[0] < metric.range[1]
        assert metric.smallest >= 1


def test_names_come_in_the_order_of_the_table_and_once() -> None:
    assert available(["ssim", "mse", "ssim"])[0] == ["mse", "ssim"]
    assert available("psnr")[0] == ["psnr"]
    assert available(name for name in ("ssim", "mse"))[0] == ["mse", "ssim"]  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [["psnr", "niqe"], [], ["PSNR"]])
def test_unknown_and_no_names_are_usage_errors(names: Any) -> None:
    with pytest.raises(UsageError, match="choose from mse, psnr"):
        available(names)


def test_without_weights_the_others_are_available_and_each_reason_says_what_to_do(
    no_weights: Any,
) -> None:
    usable, reasons = available("all")
    assert usable == FREE
    assert list(reasons) == ["lpips", "lpips-vgg", "dists"]
    assert all("latentpress metrics fetch" in reason for reason in reasons.values())
    assert list(available()[1]) == ["lpips"]  # the default leaves the slow ones out


def test_without_weights_assess_computes_the_others_and_refuses_a_named_one(
    no_weights: Any, photo: NDArray[np.uint8]
) -> None:
    b = photo // 8 * 8
    assert list(assess(photo, b)) == FREE
    assert list(assess(photo, b, "all")) == FREE
    with pytest.raises(WeightsError, match="LPIPS: its weights"):
        assess(photo, b, ["psnr", "lpips"])


def test_assess_is_each_metric(photo: NDArray[np.uint8]) -> None:
    a, b = photo[:170, :180], photo[:170, :180] // 8 * 8
    values = assess(a, b, FREE, gray=True)
    assert values == {key: METRICS[key].function(a, b, gray=True) for key in FREE}
    identical = assess(a, a, FREE)
    assert identical["psnr"] == identical["ms-ssim-db"] == math.inf
    assert identical["ms-ssim"] == 1


def test_small_images_have_the_metrics_that_fit(no_weights: Any) -> None:
    a = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert list(assess(a, a // 2)) == ["mse", "psnr", "ssim", "gmsd", "ssimulacra2"]
    assert list(assess(a[:3], a[:3] // 2, "all")) == ["mse", "psnr"]
    with pytest.raises(ImageError, match="161 x 161"):
        assess(a, a, ["ms-ssim"])
