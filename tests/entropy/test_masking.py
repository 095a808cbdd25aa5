"""Steps that follow the activity of a place."""

import numpy as np
import pytest
from numpy.typing import NDArray

import latentpress
from latentpress import codec, targets
from latentpress.container import LATENT_MASKED, LATENT_TRELLIS, unpack
from latentpress.entropy import cdf_tables, masking
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.masking import FLOOR, MOST, REACH, shifts, step_factor
from latentpress.options import EncodeOptions

C = 320


def scales(index: int, h: int = 12, w: int = 14) -> NDArray[np.uint8]:
    return np.full((C, h, w), index, np.uint8)


def activity_of(scale: NDArray[np.uint8]) -> NDArray[np.int32]:
    return cdf_tables.activities().take(scale).sum(0, dtype=np.int32)


def test_activity_is_the_bits_of_a_scale() -> None:
    sigma = cdf_tables.sigmas().astype(np.float64)
    np.testing.assert_allclose(
        cdf_tables.activities() / 64, 0.5 * np.log2(1 + sigma**2), atol=0.5 / 64 + 1e-6
    )


@pytest.mark.parametrize("quality", [0, 33.3, 50, 100])
@pytest.mark.parametrize("index", [0, 20, 63])
def test_a_flat_field_has_one_shift_and_it_is_the_formula(quality: float, index: int) -> None:
    found = shifts(activity_of(scales(index)), quality)
    assert found.shape == (12, 14)
    assert found.dtype == np.int64
    assert np.unique(found).size == 1
    at = np.linspace(0, 100, len(masking.REFERENCE))
    reference, strength = (
        np.interp(quality, at, a.ravel()) for a in (masking.REFERENCE, masking.STRENGTH)
    )
    activity = C * int(cdf_tables.activities()[index]) + FLOOR
    exact = (reference - 256 * np.log2(activity)) * (2 * REACH + 1) ** 2 * strength / 2**14
    # the logarithm is linear between powers of 2: up to 22 off
    tolerance = 1 + 25 * (2 * REACH + 1) ** 2 * strength / 2**14
    assert abs(found[0, 0] - np.clip(exact, -MOST, MOST)) <= tolerance


def test_calm_places_have_finer_steps_and_the_change_is_smooth() -> None:
    scale = scales(5, 12, 20)
    scale[:, :, 10:] = 14
    row = shifts(activity_of(scale), 60)[6]
    assert row[0] > row[-1]
    assert (np.diff(row) <= 0).all()
    assert np.count_nonzero(np.diff(row)) >= 2 * REACH
    assert np.unique(row[: 10 - REACH]).size == np.unique(row[10 + REACH :]).size == 1


def test_a_shift_of_eight_is_a_scale() -> None:
    np.testing.assert_allclose(
        step_factor(np.array([0, 8, -16])),
        [1, cdf_tables.SCALE_RATIO, cdf_tables.SCALE_RATIO**-2],
        rtol=1e-6,
    )


def test_errors_go_where_much_goes_on(photo: NDArray[np.uint8]) -> None:
    """Against the same latent under one step for all."""
    y = codec.encode_latent(photo)
    masked, even = HyperpriorCoder("lp1", 60), HyperpriorCoder("lp1", 60, chunk_type=LATENT_TRELLIS)
    errors = [
        np.square(prior.model_segment(y * prior.gain)[2] - y * prior.gain).mean(0)
        for prior in (masked, even)
    ]
    _, _, steps = masked.features(masked.hyper_analysis(y * masked.gain), *y.shape[1:])
    calm, busy = steps > np.quantile(steps, 0.8), steps < np.quantile(steps, 0.2)
    growth = errors[0] / errors[1]
    assert growth[calm].mean() < 0.95 * growth[busy].mean()


def test_who_wants_least_squared_error_has_one_step_for_all(small: NDArray[np.uint8]) -> None:
    for effort in (0, 3, 5):
        data = latentpress.compress(
            small, quality=40, effort=effort, optimize_for="mse", content="photo"
        )
        assert unpack(data)[0].chunks[0].type == LATENT_TRELLIS
        assert latentpress.decompress(data).size == (109, 75)
    assert (
        unpack(latentpress.compress(small, quality=40, content="photo"))[0].chunks[0].type
        == LATENT_MASKED
    )


def test_a_search_begins_where_files_with_the_same_steps_lie(small: NDArray[np.uint8]) -> None:
    """A searched file has no masking: a quality found with masked files would be another one for
    it.
    """
    pytest.importorskip("torch", reason="efforts 7 to 9 need torch")
    for effort, aim, kind in (
        (3, None, LATENT_MASKED),
        (3, "mse", LATENT_TRELLIS),
        (7, None, LATENT_TRELLIS),
    ):
        analyzed = targets.Analyzed(small, EncodeOptions(effort=effort, optimize_for=aim))
        assert unpack(analyzed.write(4000))[0].chunks[0].type == analyzed.chunk_type == kind
