"""Laws of the static tables, the entropy coder of the Stable Diffusion spaces, on latents made
here.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from latentpress.entropy import density
from latentpress.entropy.factorized import FactorizedCoder
from latentpress.entropy.quantizer import SYMBOL_MAX
from latentpress.errors import FormatError, ImageError
from latentpress.spaces import COARSEST, FINEST, SPACES, Space, step_size

STATIC_SPACES = [s for s in SPACES if s.name != "lp1"]
SD15, FLUX = STATIC_SPACES[0], STATIC_SPACES[-1]
Floats = NDArray[np.float32]
Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]
DISTRIBUTIONS: dict[str, Draw] = {
    "gaussian": lambda rng, shape: rng.normal(0, 1, shape),
    "laplace": lambda rng, shape: rng.laplace(0, 0.7, shape),
    "student": lambda rng, shape: 0.5 * rng.standard_t(4, shape),
    "flat": lambda rng, shape: rng.uniform(-1.2, 1.2, (2, *shape)).sum(0),
    "skewed": lambda rng, shape: 0.35 * (rng.gamma(8, 1, shape) - 8),
    "skewed to the left": lambda rng, shape: -0.35 * (rng.gamma(8, 1, shape) - 8),
}


def latent(name: str, space: Space, h: int, w: int) -> Floats:
    """A random latent whose channels differ in mean and deviation."""
    rng = np.random.default_rng(1)
    column = lambda values: np.asarray(values)[:, None, None]
    y = DISTRIBUTIONS[name](rng, (space.channels, h, w))
    return (
        column(rng.uniform(0.4, 1.3, space.channels)) * y
        + column(rng.normal(0, 0.5, space.channels))
    ).astype(np.float32)


def coded(space: Space, quality: float, y: Floats) -> tuple[bytes, Floats]:
    """The body, and what it decodes to."""
    coder = FactorizedCoder(space, quality)
    body = coder.encode([y])
    return body, np.concatenate(list(coder.decode(body, *y.shape[1:])), axis=1)


def entropy_bits(space: Space, quality: float, y: Floats, y_hat: Floats) -> float:
    """Empirical order-0 entropy of the symbols of every channel, in bits."""
    total = 0.0
    for channel in y_hat:
        _, amounts = np.unique(
            np.rint((channel - channel.flat[0]) / step_size(quality)), return_counts=True
        )
        total -= float((amounts * np.log2(amounts / amounts.sum())).sum())
    return total


def assert_close(y: Floats, y_hat: Floats, step: float) -> None:
    """|y_hat - y| is at most half a step, but for the rounding of float32."""
    assert (np.abs(y_hat - y) <= step / 2 + 4 * np.spacing(np.abs(y).max() + np.float32(8))).all()


def test_steps_are_geometric_and_within_their_bounds() -> None:
    assert step_size(0) == COARSEST
    assert step_size(100) == pytest.approx(FINEST)
    assert step_size(50) == pytest.approx((COARSEST * FINEST) ** 0.5)


@pytest.mark.parametrize("space", STATIC_SPACES, ids=lambda s: s.name)
@pytest.mark.parametrize("quality", [0, 12.34, 50, 100])
def test_the_error_is_at_most_half_a_step(space: Space, quality: float) -> None:
    y = latent("gaussian", space, 9, 14)
    _, y_hat = coded(space, quality, y)
    assert y_hat.dtype == np.float32
    assert y_hat.shape == y.shape
    assert_close(y, y_hat, step_size(quality))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("quality", [10, 50, 90])
def test_the_rate_is_the_order_0_entropy(name: str, quality: float) -> None:
    y = latent(name, SD15, 160, 160)
    body, y_hat = coded(SD15, quality, y)
    side_information = 8 * (4 + 3 * SD15.channels)
    assert 8 * len(body) <= 1.02 * entropy_bits(SD15, quality, y, y_hat) + side_information + 64


@pytest.mark.parametrize("name", ["gaussian", "skewed"])
def test_the_size_rises_with_quality(name: str) -> None:
    y = latent(name, SD15, 32, 48)
    sizes = [len(FactorizedCoder(SD15, q).encode([y])) for q in range(0, 101, 5)]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 3 * sizes[0]


SHAPES = st.tuples(st.just(SD15.channels), st.integers(1, 6), st.integers(1, 6))


@settings(deadline=None, max_examples=15)
@given(
    hnp.arrays(np.float32, SHAPES, elements=st.floats(-1500, 1500, width=32)), st.integers(0, 100)
)
def test_any_latent_within_the_symbols_round_trips(y: Floats, quality: int) -> None:
    _, y_hat = coded(SD15, quality, y)
    assert_close(y, y_hat, step_size(quality))


def test_strips_are_one_latent() -> None:
    y = latent("gaussian", FLUX, 20, 7)
    coder = FactorizedCoder(FLUX, 60)
    assert coder.encode([y[:, :8], y[:, 8:9], y[:, 9:]]) == coder.encode([y])


@pytest.mark.parametrize("space", [SD15, FLUX], ids=lambda s: s.name)
def test_a_single_position(space: Space) -> None:
    y = latent("laplace", space, 1, 1)
    body, y_hat = coded(space, 70, y)
    assert_close(y, y_hat, step_size(70))
    assert len(body) < 4 + 3 * space.channels + 4 * space.channels + 8


@pytest.mark.parametrize("value", [0.0, 3.3, -8.1, 20.0, -400.0])
def test_constant_channels_and_means_beyond_the_byte(value: float) -> None:
    y = np.full((4, 12, 12), value, np.float32)
    y[1] = np.random.default_rng(0).normal(value, 1, (12, 12))
    _, y_hat = coded(SD15, 80, y)
    assert_close(y, y_hat, step_size(80))


def test_a_latent_of_zeros_costs_next_to_nothing() -> None:
    body, y_hat = coded(SD15, 50, np.zeros((4, 64, 64), np.float32))
    assert not y_hat.any()
    assert len(body) <= 4 + 3 * 4 + 4


def test_outliers_cost_themselves_only_and_saturate_at_the_last_symbol() -> None:
    y = latent("gaussian", SD15, 40, 40)
    plain, _ = coded(SD15, 50, y)
    y[0, 3, 3], y[2, 39, 0] = 1000, -1000
    body, y_hat = coded(SD15, 50, y)
    assert_close(y, y_hat, step_size(50))
    assert len(body) < len(plain) + 160
    y[0, 3, 3] = 1e4
    _, y_hat = coded(SD15, 50, y)
    assert SYMBOL_MAX * step_size(50) <= y_hat[0, 3, 3] + 8 < 1e4 + 8
    y[0, 3, 3] = y_hat[0, 3, 3]
    assert_close(y, y_hat, step_size(50))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_latent_that_is_not_finite_is_an_image_error(value: float) -> None:
    y = latent("gaussian", SD15, 5, 5)
    y[3, 4, 4] = value
    with pytest.raises(ImageError, match="finite"):
        FactorizedCoder(SD15, 50).encode([y[:, :3], y[:, 3:]])


def test_an_encoder_never_makes_what_the_decoder_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.zeros((4, 32, 32), np.float32)
    body = FactorizedCoder(SD15, 0).encode([y])
    monkeypatch.setattr(density, "MAX_POSITIONS_PER_BYTE", y[0].size // len(body) - 1)
    with pytest.raises(FormatError, match="too short"):
        list(FactorizedCoder(SD15, 0).decode(body, 32, 32))
    with pytest.raises(ImageError, match="limits"):
        FactorizedCoder(SD15, 0).encode([y])


def test_another_size_or_table_is_refused() -> None:
    y = latent("gaussian", SD15, 8, 8)
    coder = FactorizedCoder(SD15, 50)
    body = coder.encode([y])
    for rows, columns in ((8, 7), (8, 9), (1, 1), (4096, 4096)):
        with pytest.raises(FormatError):
            list(coder.decode(body, rows, columns))
    with pytest.raises(FormatError, match="does not exist"):
        list(coder.decode(body[:4] + b"\xff\x7f" + body[6:], 8, 8))
    for end in range(4 + 3 * 4):
        with pytest.raises(FormatError, match="too short"):
            list(coder.decode(body[:end], 8, 8))
