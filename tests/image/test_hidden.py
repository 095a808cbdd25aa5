"""Colors under full transparency: filled from the visible ones, whatever was hidden; --exact keeps
them.
"""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
import latentpress.pillow
from helpers.paths import CASES
from latentpress.container import ALPHA, unpack
from latentpress.image import alpha as planes
from latentpress.image.hidden import FilledPicture, fill_hidden
from latentpress.image.picture import read_picture
from latentpress.targets import to_size


def badge(hidden: tuple[int, int, int], size: int = 150) -> NDArray[np.uint8]:
    """An orange disc with soft edges on full transparency, over a hidden color with noise, (size,
    size + 9, 4) uint8.
    """
    y, x = np.mgrid[:size, : size + 9]
    opacity = (
        (255 * (size / 3 - np.hypot(y - size / 2, x - size / 2)) / 8).clip(0, 255).astype(np.uint8)
    )
    noise = np.random.default_rng(1).integers(0, 40, (*opacity.shape, 3), np.uint8)
    rgb = np.where(
        (opacity > 0)[..., None],
        np.array([230, 120, 20], np.uint8),
        np.array(hidden, np.uint8) + noise,
    )
    return np.dstack([rgb, opacity])


def rim(data: bytes, original: NDArray[np.uint8]) -> int:
    """The largest error where the alpha is above 0, in levels."""
    decoded = np.asarray(latentpress.decompress(data)).astype(int)
    assert np.array_equal(decoded[..., 3], original[..., 3])
    return int(np.abs(decoded[..., :3] - original[..., :3])[original[..., 3] > 0].max())


def test_what_is_hidden_costs_no_bytes_and_no_rims() -> None:
    for quality in (50, 95):
        files = {
            latentpress.compress(badge(hidden), quality=quality, content="photo")
            for hidden in ((0, 200, 0), (200, 200, 200), (0, 0, 0))
        }
        assert len(files) == 1
    [data] = files
    assert rim(data, badge((0, 200, 0))) <= 2
    exact = latentpress.compress(badge((0, 200, 0)), quality=95, exact=True, content="photo")
    assert len(data) < len(exact) / 2
    decoded = np.asarray(latentpress.decompress(exact)).astype(int)
    # they were kept
    assert np.abs(decoded[:20, :20, :3] - badge((0, 200, 0))[:20, :20, :3]).mean() < 15


def test_the_cases_of_the_report() -> None:
    if not CASES.is_dir():
        pytest.skip(f"{CASES} is not here")
    green, white = (CASES / f"hidden-{name}.png" for name in ("green", "white"))
    data = latentpress.compress(green, quality=95, content="photo")
    assert data == latentpress.compress(white, quality=95, content="photo")
    assert len(data) < 3300
    assert rim(data, np.asarray(Image.open(green))) <= 2


@pytest.mark.parametrize("orientation", [1, 5, 8])
def test_windows_agree_with_the_whole_and_visible_pixels_stay(orientation: int) -> None:
    image = Image.fromarray(badge((0, 200, 0)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.info["exif"] = exif.tobytes()
    plain = read_picture(image)
    filled = fill_hidden(plain)
    assert isinstance(filled, FilledPicture)
    assert fill_hidden(filled) is filled
    pixels = filled.pixels(0, filled.height, 0, filled.width)
    assert np.array_equal(np.asarray(filled.image), pixels)
    assert plain.alpha is not None
    seen = plain.alpha > 0
    assert np.array_equal(pixels[seen], plain.pixels(0, plain.height, 0, plain.width)[seen])
    for top, bottom, left, right in (
        (3, 77, 60, 140),
        (100, 101, 3, 4),
        (17, 150, 16, 150),
        (31, 33, 0, 150),
        (5, 5, 0, 9),
    ):
        assert np.array_equal(
            filled.pixels(top, bottom, left, right), pixels[top:bottom, left:right]
        )


def test_one_visible_row_colors_all_that_is_hidden() -> None:
    pixels = np.zeros((100, 70, 4), np.uint8)
    pixels[0] = 200, 40, 90, 255
    found = fill_hidden(read_picture(Image.fromarray(pixels)))
    assert np.abs(found.pixels(0, 100, 0, 70).astype(int) - pixels[0, 0, :3]).max() <= 1


def test_hidden_colors_go_on_smoothly_from_the_visible_ones() -> None:
    ramp = np.tile(np.linspace(40, 200, 96).astype(np.uint8), (96, 1))
    original = np.dstack([ramp, ramp, ramp, np.full_like(ramp, 255)])
    original[40:56, 40:56] = (255, 0, 255, 0)
    filled = fill_hidden(read_picture(original))
    hole = filled.pixels(40, 56, 40, 56).astype(int)
    assert np.abs(hole - original[30, 40:56, :3]).max() < 30


def test_pictures_without_hidden_colors_are_not_touched() -> None:
    opaque = badge((0, 0, 0))
    opaque[..., 3] |= 1
    for array in (opaque, opaque[..., :3], opaque[..., 0]):
        picture = read_picture(array)
        assert fill_hidden(picture) is picture
    nothing = np.zeros((40, 40, 4), np.uint8)
    assert (
        len({bytes(fill_hidden(read_picture(nothing)).pixels(0, 40, 0, 40)), bytes([128]) * 4800})
        == 1
    )


def test_targets_and_gray_with_alpha_fill_too() -> None:
    sizes = {to_size(badge(hidden), 3000) for hidden in ((0, 200, 0), (9, 9, 9))}
    assert len(sizes) == 1
    files = set()
    for hidden in ((0, 200, 0), (9, 9, 9)):
        gray = Image.fromarray(badge(hidden)[..., :3]).convert("L")
        gray.putalpha(Image.fromarray(badge(hidden)[..., 3]))
        files.add(latentpress.compress(gray, content="photo"))
    assert len(files) == 1


def test_metrics_leave_out_what_is_hidden() -> None:
    data = latentpress.compress(badge((0, 200, 0)), quality=95, content="photo")
    assert latentpress.assess(Image.fromarray(badge((0, 200, 0))), data, ["psnr"])["psnr"] > 40


def test_the_plugin_keeps_hidden_colors_on_request() -> None:
    files = {}
    for exact in (False, True):
        out = io.BytesIO()
        Image.fromarray(badge((0, 200, 0))).save(out, "LTP", exact=exact)
        files[exact] = out.getvalue()
    assert files == {
        exact: latentpress.compress(badge((0, 200, 0)), exact=exact) for exact in (False, True)
    }


def test_alpha_is_the_smaller_of_png_and_webp() -> None:
    pytest.importorskip("PIL._webp")
    soft = badge((0, 0, 0))[..., 3]
    body = planes.encode_alpha(soft)
    assert body[8:16] == b"WEBPVP8L"
    assert len(body) < len(planes._png(soft))
    noise = np.random.default_rng(0).integers(0, 256, (9, 9), np.uint8)
    long = np.tile(np.array([0, 255], np.uint8), 10_000)[None]
    for plane in (soft, noise, long, (soft > 90) * np.uint8(255)):
        assert np.array_equal(
            planes.decode_alpha(planes.encode_alpha(plane), plane.shape[1], plane.shape[0]), plane
        )
    assert planes.encode_alpha(long)[:4] == b"\x89PNG"
    assert planes.encode_alpha(noise[:3, :3].copy())[:4] == b"\x89PNG"  # 77 bytes, 102 as WebP
    assert unpack(latentpress.compress(badge((0, 0, 0)), content="photo"))[1][ALPHA] == body
