"""Laws of the metrics, known values, and agreement with independent implementations."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.paths import DATA
from latentpress.errors import ImageError
from latentpress.metrics import METRICS, checks, mse, psnr, ssim
from latentpress.metrics.checks import to_gray

STUDY = DATA / "science-fair"
SMALL = [
    key for key, metric in METRICS.items() if metric.smallest <= 32 and not metric.needs_weights
]  # of any image here


def noise(seed: Any = 0, shape: Any = (33, 47, 3)) -> Any:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def pair(seed: Any = 0, shape: Any = (33, 47, 3), sigma: Any = 12) -> Any:
    """A smooth image and a noisy copy: windows with and without structure."""
    rng = np.random.default_rng(seed)
    ramp = np.add.outer(np.linspace(0, 160, shape[0]), np.linspace(0, 90, shape[1]))
    a = (
        np.broadcast_to(ramp[..., None] if len(shape) == 3 else ramp, shape)
        .round()
        .astype(np.uint8)
    )
    return a, np.clip(a + rng.normal(0, sigma, shape), 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("name", SMALL)
def test_identical_images_reach_the_best_value_of_the_range(name: Any) -> None:
    metric, a = METRICS[name], noise()
    best = metric.range[1] if metric.direction == "higher" else metric.range[0]
    assert metric.function(a, a.copy()) == best


# that one tells lost edges from new ones
@pytest.mark.parametrize("name", [name for name in SMALL if name != "ssimulacra2"])
@pytest.mark.parametrize("gray", [False, True])
def test_symmetric(name: Any, gray: Any) -> None:
    a, b = pair()
    assert METRICS[name].function(a, b, gray=gray) == METRICS[name].function(b, a, gray=gray)


@pytest.mark.parametrize("name", SMALL)
def test_more_noise_is_never_better_and_stays_in_range(name: Any) -> None:
    metric = METRICS[name]
    values = [metric.function(*pair(sigma=sigma)) for sigma in (2, 8, 30)]
    assert values == sorted(values, reverse=metric.direction == "higher")
    assert all(metric.range[0] <= v <= metric.range[1] for v in values)


def test_known_values() -> None:
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    assert mse(black, white) == 65025
    assert psnr(black, white) == 0
    assert psnr(black, black) == math.inf
    one = black.copy()
    one[0, 0, 0] = 1
    assert mse(black, one) == 1 / 192
    assert psnr(black, black + np.uint8(1)) == pytest.approx(48.1308, abs=1e-4)


def test_a_difference_does_not_wrap_around() -> None:
    assert mse(np.full((7, 7), 10, np.uint8), np.full((7, 7), 250, np.uint8)) == 240**2
    assert mse(np.full((7, 7), 250, np.uint8), np.full((7, 7), 10, np.uint8)) == 240**2


@settings(max_examples=25, deadline=None)
@given(
    st.integers(7, 40),
    st.integers(7, 40),
    st.booleans(),
    st.integers(0, 60),
    st.integers(0, 2**32 - 1),
)
def test_same_as_scikit_image(h: Any, w: Any, color: Any, sigma: Any, seed: Any) -> None:
    theirs = pytest.importorskip("skimage.metrics")
    a, b = pair(seed, (h, w, 3) if color else (h, w), sigma + 1)
    assert mse(a, b) == pytest.approx(theirs.mean_squared_error(a, b), rel=1e-12)
    if mse(a, b):
        assert psnr(a, b) == pytest.approx(
            theirs.peak_signal_noise_ratio(a, b, data_range=255), rel=1e-12
        )
    expected = theirs.structural_similarity(a, b, data_range=255, channel_axis=2 if color else None)
    assert ssim(a, b) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("band", [1, 500, 1 << 30])
def test_bands_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch, band: Any) -> None:
    a, b = pair(3)
    expected = mse(a, b), ssim(a, b), to_gray(b).tobytes()
    monkeypatch.setattr(checks, "BAND", band)
    assert (mse(a, b), pytest.approx(ssim(a, b), abs=1e-12), to_gray(b).tobytes()) == expected


def test_gray_is_the_rounded_luma() -> None:
    image = noise()
    assert np.abs(to_gray(image) - image @ [0.299, 0.587, 0.114]).max() <= 0.51
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_gray(np.stack([levels] * 3, -1)[None]), levels[None])
    a, b = pair()
    assert mse(a, b, gray=True) == mse(to_gray(a), to_gray(b))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    "other",
    [
        noise(shape=(33, 46, 3)),
        noise(shape=(33, 47)),
        noise(shape=(33, 47, 4)),
        noise().astype(np.float32),
        noise().tolist(),
    ],
    ids=["size", "gray and RGB", "alpha", "float", "no array"],
)
def test_images_that_do_not_match_are_an_error(name: Any, other: Any) -> None:
    with pytest.raises(ImageError):
        METRICS[name].function(noise(), other)


def test_no_pixels_and_too_few_pixels_are_errors() -> None:
    with pytest.raises(ImageError, match="no pixels"):
        mse(np.zeros((0, 4), np.uint8), np.zeros((0, 4), np.uint8))
    with pytest.raises(ImageError, match="7 x 7"):
        ssim(noise(shape=(6, 20, 3)), noise(shape=(6, 20, 3)))


@pytest.mark.skipif(not STUDY.is_dir(), reason=f"the pictures of the study are not at {STUDY}")
def test_the_study_reported_a_psnr_of_differences_that_wrapped_around() -> None:
    a, b = (
        np.asarray(Image.open(STUDY / name).convert("RGB"))
        for name in ("original_01.png", "sd15_vae_01.png")
    )
    # uint8 - uint8, then squared in uint8: both wrap
    wrapped = np.mean((to_gray(a) - to_gray(b)) ** 2)
    assert 10 * math.log10(255**2 / wrapped) == pytest.approx(32.02, abs=0.01)
    assert psnr(a, b, gray=True) == pytest.approx(23.7, abs=0.05)
    assert ssim(a, b, gray=True) == pytest.approx(0.7230, abs=5e-5)
