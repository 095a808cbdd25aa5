"""The metrics written here against implementations of others, and against numbers that the original
programs printed.
"""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from latentpress.errors import ImageError
from latentpress.metrics import gmsd, ms_ssim, ms_ssim_db, ssimulacra2, windows
from latentpress.metrics.checks import to_gray


@pytest.fixture(scope="module")
def pressed(photo: NDArray[np.uint8]) -> Any:
    """A photograph and its JPEG of quality 15, (200, 240, 3) each."""
    stream = io.BytesIO()
    a = photo[50:250, 60:300]
    Image.fromarray(a).save(stream, "JPEG", quality=15)
    return a, np.asarray(Image.open(stream))


def planes(torch: Any, image: Any) -> Any:
    return (
        torch.tensor(np.ascontiguousarray(image if image.ndim == 3 else image[:, :, None]))
        .permute(2, 0, 1)[None]
        .double()
    )


@pytest.mark.parametrize(
    "size", [(200, 240), (161, 161), (193, 202)], ids=["even", "smallest", "odd"]
)
@pytest.mark.parametrize("color", [True, False])
def test_ms_ssim_is_that_of_pytorch_msssim(pressed: Any, size: Any, color: Any) -> None:
    torch, other = pytest.importorskip("torch"), pytest.importorskip("pytorch_msssim")
    a, b = (
        image[: size[0], : size[1]] if color else to_gray(image[: size[0], : size[1]])
        for image in pressed
    )
    expected = other.ms_ssim(planes(torch, a), planes(torch, b), data_range=255).item()
    assert ms_ssim(a, b) == pytest.approx(expected, abs=2e-6)
    assert ms_ssim_db(a, b) == pytest.approx(-10 * np.log10(1 - expected), abs=1e-4)


def test_decibels_of_smooth_bright_pictures_are_right_too() -> None:
    torch, other = pytest.importorskip("torch"), pytest.importorskip("pytorch_msssim")
    rows = np.broadcast_to(np.linspace(200, 255, 200)[:, None], (200, 220)).astype(np.uint8)
    a = np.ascontiguousarray(rows)
    stream = io.BytesIO()
    Image.fromarray(a).save(stream, "JPEG", quality=90)
    pressed = np.asarray(Image.open(stream))
    for b in (pressed, np.minimum(a, 254) + np.uint8(1)):
        expected = other.ms_ssim(planes(torch, a), planes(torch, b), data_range=255).item()
        assert ms_ssim_db(a, b) == pytest.approx(-10 * np.log10(1 - expected), abs=0.005)
    flat = np.full((170, 170), 255, np.uint8)
    assert ms_ssim(flat, flat) == 1


def test_ms_ssim_of_inverted_structure_is_zero_and_too_small_images_are_an_error(
    pressed: Any,
) -> None:
    a = np.random.default_rng(0).integers(0, 256, (170, 170), np.uint8)
    assert ms_ssim(a, 255 - a) == 0
    with pytest.raises(ImageError, match="161 x 161"):
        ms_ssim(pressed[0][:160], pressed[1][:160])


def matlab_gmsd(a: Any, b: Any) -> Any:
    """The authors' program, line by line, on float luma: 2 x 2 mean filter, every second sample,
    Prewitt / 3, constant 170.
    """
    convolve2d = pytest.importorskip("scipy.signal").convolve2d
    prewitt = np.array([[1, 0, -1]] * 3) / 3
    halved = [
        convolve2d(np.pad(t.astype(float), ((0, 1), (0, 1))), np.ones((2, 2)) / 4, mode="valid")[
            ::2, ::2
        ]
        for t in (a, b)
    ]
    m, n = (
        np.hypot(convolve2d(t, prewitt, mode="same"), convolve2d(t, prewitt.T, mode="same"))
        for t in halved
    )
    return np.std((2 * m * n + 170) / (m**2 + n**2 + 170))


@pytest.mark.parametrize("size", [(200, 240), (101, 77), (4, 5)])
def test_gmsd_is_that_of_its_authors(pressed: Any, size: Any) -> None:
    a, b = (image[: size[0], : size[1]] for image in pressed)
    assert gmsd(a, b) == pytest.approx(matlab_gmsd(to_gray(a), to_gray(b)), abs=1e-6)
    assert gmsd(a, b, gray=True) == gmsd(a, b)


def flat(side: Any, level: Any) -> Any:
    return np.full((side, side, 3), level, np.uint8)


def ramp() -> Any:
    """A horizontal gradient, 64 x 64."""
    return np.broadcast_to(
        (np.arange(64) * 255 // 63).astype(np.uint8)[None, :, None], (64, 64, 3)
    ).copy()


def lcg_noise(side: Any = 64, state: Any = 42) -> Any:
    """The noise of the reference cases: bits 33 to 40 of Knuth's MMIX generator."""
    out = []
    for _ in range(side * side * 3):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append(state >> 33 & 255)
    return np.array(out, np.uint8).reshape(side, side, 3)


# Printed by libjxl's ssimulacra2 2.1 (C++), as recorded in https://github.com/imazen/ssimulacra2,
# src/reference_data.rs. Flat pictures stand on rounding errors of the C++ program's float recursion
# where the shift is small; they are checked where it is large.
REFERENCE = {
    "gradient against gray": (ramp, lambda: flat(64, 128), -64.56872148, 0.01),
    "noise against gray": (lcg_noise, lambda: flat(64, 128), -47.33572558, 0.01),
    "gray shifted by 50, 64": (lambda: flat(64, 128), lambda: flat(64, 178), -8.75942256, 0.1),
    "gray shifted by 50, 128": (lambda: flat(128, 128), lambda: flat(128, 178), -9.82383315, 0.1),
    "gray shifted by 20, 256": (lambda: flat(256, 128), lambda: flat(256, 148), 59.77892918, 0.1),
    "gray shifted by 50, 256": (lambda: flat(256, 128), lambda: flat(256, 178), -0.39085784, 0.1),
}


@pytest.mark.parametrize("case", REFERENCE)
def test_ssimulacra2_is_that_of_the_original_program(case: Any) -> None:
    original, distorted, expected, tolerance = REFERENCE[case]
    assert ssimulacra2(original(), distorted()) == pytest.approx(expected, abs=tolerance)


def test_ssimulacra2_of_small_odd_and_gray_pictures(pressed: Any) -> None:
    a, b = pressed
    assert ssimulacra2(a, a) == 100
    values = [ssimulacra2(a[:h, :w], b[:h, :w]) for h, w in ((8, 8), (9, 200), (63, 71))]
    assert all(np.isfinite(v) and v < 100 for v in values)
    gray = [to_gray(image) for image in pressed]
    assert ssimulacra2(*gray) == ssimulacra2(*(np.stack([t] * 3, -1) for t in gray))
    with pytest.raises(ImageError, match="8 x 8"):
        ssimulacra2(a[:7], b[:7])


@pytest.mark.parametrize("samples", [1, 3000, 1 << 30])
def test_bands_of_rows_change_nothing(
    monkeypatch: pytest.MonkeyPatch, pressed: Any, samples: Any
) -> None:
    expected = ms_ssim(*pressed), ssimulacra2(*pressed)
    monkeypatch.setattr(windows, "BAND_SAMPLES", samples)
    assert (ms_ssim(*pressed), ssimulacra2(*pressed)) == pytest.approx(expected, abs=1e-6)
