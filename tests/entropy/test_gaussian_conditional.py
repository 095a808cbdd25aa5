"""lp1's passes: symbols alone and in chains."""

import numpy as np
import pytest
from numpy.typing import NDArray

import latentpress
from latentpress import codec
from latentpress.container import (
    LATENT_HYPERPRIOR,
    LATENT_MASKED,
    LATENT_TRELLIS,
    LP1_LATENTS,
    unpack,
)
from latentpress.entropy import cdf_tables
from latentpress.entropy.gaussian_conditional import FIRST_TRELLIS_SCALE, STEP, WHITE_MAX
from latentpress.entropy.hyperprior import HyperpriorCoder

Floats = NDArray[np.float32]
pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(scope="module")
def latent(photo: NDArray[np.uint8]) -> Floats:
    return codec.encode_latent(photo)


def coded(
    y: Floats, quality: float, kind: int, lagrangian_weight: float | None = None
) -> tuple[int, float]:
    """Bytes, and the mean squared error in steps."""
    prior = HyperpriorCoder("lp1", quality, lagrangian_weight, chunk_type=kind)
    z, passes, y_hat = prior.model_segment(y * prior.gain)
    return len(prior.pack_segment(z, passes)), float(
        np.square(y_hat - y * prior.gain).mean() / prior.gain.mean() ** 2
    )


@pytest.mark.parametrize("kind", LP1_LATENTS)
@pytest.mark.parametrize("quality", [0, 45, 100])
@pytest.mark.parametrize("lagrangian_weight", [None, 25.0])
def test_the_decoder_has_what_the_encoder_meant(
    latent: Floats, quality: float, kind: int, lagrangian_weight: float | None
) -> None:
    prior = HyperpriorCoder("lp1", quality, lagrangian_weight, chunk_type=kind)
    z, passes, y_hat = prior.model_segment(latent * prior.gain)
    decoded = prior.decode_segment(prior.encode_segment(latent * prior.gain, z), *latent.shape[1:])
    assert decoded.dtype == y_hat.dtype == np.float32
    np.testing.assert_array_equal(decoded, y_hat)
    assert any(one.positions.lanes.size for one, _ in passes) == (kind != LATENT_HYPERPRIOR)
    coded_at = np.concatenate(
        [a for one, _ in passes for a in (one.positions.alone, one.positions.lanes)]
    )
    assert len(set(coded_at.tolist())) == coded_at.size


def test_the_step_of_a_chain_is_one_scale() -> None:
    sigma = cdf_tables.sigmas().astype(np.float64)
    np.testing.assert_allclose(sigma[1:] / sigma[:-1], STEP, rtol=1e-5)
    np.testing.assert_allclose(STEP, (128 / 0.11) ** (1 / 63), rtol=1e-6)  # docs/formats/ltp.md
    assert sigma[FIRST_TRELLIS_SCALE - 1] < 0.5 < sigma[FIRST_TRELLIS_SCALE]


def test_whitened_values_are_sixteenths_of_sigma(latent: Floats) -> None:
    prior = HyperpriorCoder("lp1", 80)
    _, passes, _ = prior.model_segment(latent * prior.gain)
    anchors, symbols = passes[0]
    p, white = anchors.positions, anchors.whitened(symbols)
    assert p.lanes.size > 1000
    assert np.count_nonzero(white) <= p.alone.size + p.lanes.size
    for positions, values, scale in (
        (p.alone, symbols.alone, anchors.tables),
        (p.lanes, symbols.path.half_steps() / 2 * STEP, p.lane_tables + 1),
    ):
        exact = np.clip(16 * values / cdf_tables.sigmas()[scale], -WHITE_MAX, WHITE_MAX)
        assert np.abs(white.ravel()[positions] - exact).max() < 0.52 + 1e-3 * np.abs(exact).max()


@pytest.mark.parametrize("quality", [40, 75])
def test_chains_take_fewer_bytes_for_the_same_error(latent: Floats, quality: float) -> None:
    size, error = coded(latent, quality, LATENT_TRELLIS)
    curve = np.array(
        [coded(latent, q, LATENT_HYPERPRIOR) for q in range(quality - 5, quality + 16, 5)]
    )
    alone = np.exp(np.interp(-np.log(error), -np.log(curve[:, 1]), np.log(curve[:, 0])))
    assert size < 0.99 * alone


def test_a_search_has_no_chains_and_no_masking(small: NDArray[np.uint8]) -> None:
    pytest.importorskip("torch", reason="efforts 7 to 9 need torch")
    kinds = {
        effort: unpack(latentpress.compress(small, quality=30, effort=effort, content="photo"))[0]
        .chunks[0]
        .type
        for effort in (0, 3, 7)
    }
    assert kinds == {0: LATENT_MASKED, 3: LATENT_MASKED, 7: LATENT_HYPERPRIOR}
