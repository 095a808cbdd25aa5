"""Laws of the pictures made from numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from latentpress.errors import ImageError
from latentpress.image import panels
from latentpress.image.panels import difference, latent_panels, side_by_side


def latent(c: Any = 4, h: Any = 8, w: Any = 12, seed: Any = 0) -> Any:
    return np.random.default_rng(seed).normal(0, 3, (c, h, w)).astype(np.float32)


def picture(width: Any = 40, height: Any = 30, seed: Any = 0) -> Any:
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    )


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 20), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 99)
)
def test_every_panel_is_its_channel_stretched_and_enlarged(
    c: Any, h: Any, w: Any, scale: Any, seed: Any
) -> None:
    y = latent(c, h, w, seed)
    columns = min(3, c)
    gap = 4 if c <= panels.ROW_CHANNELS else 2
    sheet = np.asarray(latent_panels(y, columns=columns, scale=scale))
    for i in range(c):
        top, left = i // columns * (h * scale + gap), i % columns * (w * scale + gap)
        panel = sheet[top : top + h * scale, left : left + w * scale]
        low, high = y[i].min(), y[i].max()
        stretched = (y[i] - low) / (high - low) * 255 if high > low else np.full((h, w), 128)
        assert np.abs(panel[::scale, ::scale] - stretched).max() <= 0.51
        assert np.array_equal(panel, panel[::scale, ::scale].repeat(scale, 0).repeat(scale, 1))


def test_gain_and_offset_of_a_channel_do_not_show() -> None:
    y = latent()
    assert latent_panels(y).tobytes() == latent_panels(y * 4 + 2).tobytes()


@pytest.mark.parametrize(("channels", "columns"), [(1, 1), (4, 4), (16, 16), (64, 8), (128, 10)])
def test_one_row_up_to_16_channels_then_a_grid(channels: Any, columns: Any) -> None:
    sheet = latent_panels(latent(channels, 8, 8), scale=1)
    gap = 4 if channels <= 16 else 2
    assert sheet.width == columns * (8 + gap) - gap
    assert sheet.height == -(-channels // columns) * (8 + gap) - gap


def test_a_huge_latent_stays_below_the_side_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "LATENT_SIDE", 64)
    assert max(latent_panels(latent(4, 30, 50)).size) <= 64 + 3 * 4


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 3)), np.zeros((0, 2, 2)), np.full((1, 2, 2), np.nan)]
)
def test_what_is_no_latent_is_an_error(wrong: Any) -> None:
    with pytest.raises(ImageError):
        latent_panels(wrong)


def test_difference_is_symmetric_and_zero_for_identical_images() -> None:
    a, b = picture(seed=1), picture(seed=2)
    assert difference(a, b).tobytes() == difference(b, a).tobytes()
    assert not np.asarray(difference(a, a)).any()


@pytest.mark.parametrize("gain", [1, 4, 0.5])
def test_difference_is_the_amplified_absolute_difference(gain: Any) -> None:
    a, b = picture(seed=1), picture(seed=2)
    exact = np.abs(np.asarray(a, int) - np.asarray(b, int)) * gain
    assert np.abs(np.asarray(difference(a, b, gain)) - np.minimum(exact, 255)).max() <= 0.5


def test_difference_of_two_sizes_is_an_error() -> None:
    with pytest.raises(ImageError):
        difference(picture(), picture(41))


def test_side_by_side_shows_every_image_at_its_true_size_in_order() -> None:
    images = [picture(120, 90, seed) for seed in range(3)]
    sheet = np.asarray(side_by_side(images, ["a", "b", "c"]))
    step = 120 + panels.GAP
    for i, image in enumerate(images):
        x, bottom = panels.MARGIN + i * step, sheet.shape[0] - panels.MARGIN
        assert np.array_equal(sheet[bottom - 90 : bottom, x : x + 120], np.asarray(image))


def test_wide_images_stand_in_a_column_and_small_ones_get_room_for_their_captions() -> None:
    wide = side_by_side([picture(400, 100)] * 3, ["x"] * 3)
    assert wide.height > 3 * 100
    assert wide.width < 2 * 400
    assert side_by_side([picture(1, 1)], ["a caption much wider than the image"]).width > 200


def test_large_images_are_reduced_for_display() -> None:
    sheet = side_by_side([Image.new("L", (4000, 3000))], ["x"])
    assert sheet.width <= panels.SHOWN[0] + 2 * panels.MARGIN


def test_images_and_captions_must_pair() -> None:
    with pytest.raises(ImageError):
        side_by_side([picture()], [])
    with pytest.raises(ImageError):
        side_by_side([], [])
