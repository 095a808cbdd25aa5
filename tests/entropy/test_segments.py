"""Segments of a large latent that go on beyond their common borders (latent chunk 06)."""

import numpy as np
import pytest
from numpy.typing import NDArray

import latentpress
from helpers.chunks import with_chunk
from latentpress._typing import Floats
from latentpress.container import LATENT_CONTINUED, LATENT_MASKED, LATENT_TRELLIS, unpack
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.prior_networks import ALONE, Sides
from latentpress.image.picture import read_picture
from latentpress.metrics import psnr
from latentpress.options import EncodeOptions
from latentpress.spaces import LP1
from latentpress.targets import Analyzed

Pixels = NDArray[np.uint8]
SEGMENT = 1024  # pixels
HEIGHT = 512
MARGIN = 32  # on each side of a border that are compared


def sky(width: int) -> Pixels:
    """A clear sky, the same in all columns."""
    down = np.linspace(0, 1, HEIGHT)[:, None]
    column = np.rint(np.array([54.0, 96, 168]) + down * np.array([134.0, 118, 68]))
    return np.repeat(column[:, None].astype(np.uint8), width, axis=1)


def kind(data: bytes) -> int:
    return unpack(data)[0].chunks[0].type


def latent(rows: int, columns: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_t(2, (320, rows, columns)).astype(np.float32)


def change(data: bytes, original: Pixels) -> float:
    """How much the error changes at a border of segments: root mean square over boxes of MARGIN
    pixels on both sides.
    """
    error = np.asarray(latentpress.decompress(data)).astype(float) - original
    if len(error) > SEGMENT:
        error = error.swapaxes(0, 1)
    left, right = (error[:, a : a + MARGIN].mean(1) for a in (SEGMENT - MARGIN, SEGMENT))
    boxes = (right - left).reshape(-1, MARGIN, 3).mean(1)
    return float(np.sqrt(np.square(boxes).mean()))


@pytest.mark.parametrize(("quality", "is_turned"), [(0, False), (15, False), (5, True)])
def test_a_sky_shows_no_seam(quality: float, is_turned: bool) -> None:
    original = sky(1152)
    if is_turned:
        original = np.ascontiguousarray(original.swapaxes(0, 1))
    data = latentpress.compress(original, quality=quality, content="photo")
    apart = with_chunk(LATENT_MASKED, read_picture(original), quality)
    assert change(data, original) < 0.5 * change(apart, original)


def test_a_picture_of_several_segments_has_them_go_on() -> None:
    original = sky(1408)
    turned = np.ascontiguousarray(original.swapaxes(0, 1))
    for array in (original, turned):
        data = latentpress.compress(array, quality=15, content="photo")
        assert kind(data) == LATENT_CONTINUED
        analyzed = Analyzed(array, EncodeOptions(content="photo"))
        assert kind(analyzed.write(1500)) == LATENT_CONTINUED
        assert psnr(array, np.asarray(latentpress.decompress(data))) > 35


def test_pictures_of_one_segment_are_as_they_were(photo: Pixels) -> None:
    for array in (photo, sky(SEGMENT), sky(SEGMENT).swapaxes(0, 1)):
        data = latentpress.compress(np.ascontiguousarray(array), quality=30, content="photo")
        assert kind(data) == LATENT_MASKED
    large = latentpress.compress(sky(1408), quality=30, content="photo", optimize_for="mse")
    assert kind(large) == LATENT_TRELLIS


def test_the_encoder_says_how_large_the_latent_is() -> None:
    with pytest.raises(ValueError, match="number of rows"):
        HyperpriorCoder("lp1", 50, chunk_type=LATENT_CONTINUED).encode([latent(4, 4)])


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("shape", [(5, 65), (65, 3), (66, 67), (8, 8), (3, 330)])
def test_what_is_coded_comes_back(shape: tuple[int, int]) -> None:
    rows, columns = shape
    y = latent(rows, columns)
    coder = HyperpriorCoder("lp1", 20, chunk_type=LATENT_CONTINUED, rows=rows)
    strips = [y[:, a : a + 64] for a in range(0, rows, 64)]
    body = coder.encode(strips)
    reader = HyperpriorCoder("lp1", 20, chunk_type=LATENT_CONTINUED)
    y_hat = np.concatenate(list(reader.decode(body, rows, columns)), axis=1)
    assert y_hat.shape == y.shape
    apart = HyperpriorCoder("lp1", 20)
    alone = np.concatenate(list(apart.decode(apart.encode(strips), rows, columns)), axis=1)
    error, expected = (float(np.abs(a - y).mean()) for a in (y_hat, alone))
    assert error < 1.02 * expected
    if max(shape) <= 64:
        assert body == apart.encode(strips)


def test_a_flat_z_has_the_same_means_everywhere() -> None:
    """With zeros beyond the border those of the outermost places are others."""
    coder = HyperpriorCoder("lp1", 30, chunk_type=LATENT_CONTINUED)
    z = np.ones((64, 3, 3), np.int32)
    for sides, is_same in ((Sides(True, True, True, True), True), (ALONE, False)):
        _, gaussians, step_factor = coder.features(z, 12, 12, sides)
        cells = (gaussians.mu / step_factor).reshape(320, 3, 4, 3, 4)
        assert np.allclose(cells, cells[:, 1:2, :, 1:2], atol=1e-5) == is_same


def test_sides_of_a_segment() -> None:
    coder = HyperpriorCoder("lp1", 30, chunk_type=LATENT_CONTINUED)
    assert coder.sides(0, 0, 64, 64) == ALONE
    assert coder.sides(0, 0, 65, 65) == Sides(False, True, False, True)
    assert coder.sides(64, 64, 65, 65) == Sides(True, False, True, False)
    assert coder.sides(64, 64, 129, 193) == Sides(True, True, True, True)
    assert HyperpriorCoder("lp1", 30).sides(64, 64, 129, 193) == ALONE


def test_a_picture_has_the_rows_that_its_latent_has() -> None:
    assert LP1.grid(1025, 16) == (1, 65)
    assert EncodeOptions().space.grid(1, 17) == (2, 1)
