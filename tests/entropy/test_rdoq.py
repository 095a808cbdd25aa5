"""Dead zones: a symbol gives way exactly where bits and error say so; files of efforts 4 to 6 for
mse are plain files, and pay.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import latentpress
from latentpress.entropy import cdf_tables
from latentpress.entropy.factorized import FactorizedCoder, bits_of
from latentpress.entropy.multistage import MultistageCoder
from latentpress.entropy.rdoq import REACH, bits_saved, quantize_rdoq
from latentpress.errors import UsageError
from latentpress.image.picture import read_picture
from latentpress.metrics import psnr
from latentpress.options import EncodeOptions
from latentpress.parts import LP1_WEIGHTS, STABLE_DIFFUSION_WEIGHTS, load_transform, rdoq_weight
from latentpress.spaces import LP1, STABLE_DIFFUSION

TABLES = cdf_tables.ODD


@settings(max_examples=200, deadline=None)
@given(table=st.integers(0, TABLES - 1), v=st.floats(-40, 40, width=32), weight=st.floats(0.5, 200))
def test_a_symbol_is_the_better_of_two_by_the_tables_own_bits(
    table: int, v: float, weight: float
) -> None:
    plain = int(np.rint(np.float32(v)))
    if abs(plain) > cdf_tables.radius(table):
        return
    below = plain - int(np.sign(plain))
    loss = [
        weight * (v - q) ** 2 + float(bits_of(np.array([q], np.int32), table)[0])
        for q in (plain, below)
    ]
    [found] = quantize_rdoq(np.array([v], np.float32), np.array([table]), weight).tolist()
    assert found in (plain, below)
    assert loss[(plain, below).index(found)] <= min(loss) + 1e-3 * (1 + weight)


def test_the_edges_are_left_where_they_are() -> None:
    v = np.array([0.0, -0.3, REACH + 1, -REACH - 5, 1e6, -1e6], np.float32)
    assert quantize_rdoq(v, np.full(v.shape, 5), 1e-6).tolist() == [
        0,
        0,
        REACH + 1,
        -REACH - 5,
        32767,
        -32767,
    ]
    # within a wide table they give way as REACH does
    assert quantize_rdoq(v[2:4], np.full(2, 63), 1e-6).tolist() == [REACH, -REACH - 4]
    assert bits_saved().shape == (TABLES, 2 * REACH + 1)
    assert not bits_saved()[:, REACH].any()


def test_an_endless_weight_rounds_to_the_nearest(photo: NDArray[np.uint8]) -> None:
    v = np.random.default_rng(0).normal(0, 3, (8, 50)).astype(np.float32)
    np.testing.assert_array_equal(quantize_rdoq(v, np.full(v.shape, 20), 1e9), np.rint(v))


@pytest.fixture(scope="module")
def files(photo: NDArray[np.uint8]) -> dict[tuple[int, int], tuple[int, float]]:
    """(bytes, PSNR) of (effort, quality), for mse."""
    found = {}
    for effort in (0, *LP1_WEIGHTS["mse"]):
        for quality in (30, 34, 38, 42):
            data = latentpress.compress(
                photo, quality=quality, effort=effort, optimize_for="mse", content="photo"
            )
            found[effort, quality] = (
                len(data),
                psnr(photo, np.asarray(latentpress.decompress(data))),
            )
    return found


def bytes_at(files: dict[tuple[int, int], tuple[int, float]], effort: int, value: float) -> float:
    sizes, values = zip(*(found for (e, _), found in files.items() if e == effort), strict=True)
    return float(np.exp(np.interp(value, values, np.log(sizes))))


def test_each_middle_effort_has_fewer_bytes_at_equal_psnr(
    files: dict[tuple[int, int], tuple[int, float]],
) -> None:
    highest = min(files[e, 42][1] for e in LP1_WEIGHTS["mse"])
    for effort in LP1_WEIGHTS["mse"]:
        assert bytes_at(files, effort, highest) < bytes_at(files, 0, highest)


def test_perceptual_middle_efforts_round_to_the_nearest(small: NDArray[np.uint8]) -> None:
    plain = latentpress.compress(small, effort=0, content="photo")
    assert all(latentpress.compress(small, effort=e, content="photo") == plain for e in range(7))
    even = latentpress.compress(small, effort=0, optimize_for="mse", content="photo")
    assert latentpress.compress(small, effort=3, optimize_for="mse", content="photo") == even
    assert len(latentpress.compress(small, effort=5, optimize_for="mse", content="photo")) < len(
        even
    )
    with pytest.raises(UsageError, match="beauty"):
        latentpress.compress(small, effort=5, optimize_for="beauty", content="photo")


def test_the_stable_diffusion_spaces_have_dead_zones_for_either_aim_wider_ones_for_mse() -> None:
    for aim in ("mse", "perceptual", None):
        weights = [
            rdoq_weight(STABLE_DIFFUSION_WEIGHTS, EncodeOptions(effort=e, optimize_for=aim))
            for e in range(7)
        ]
        assert weights[:4] == [None] * 4
        assert sorted(weights[4:], reverse=True) == weights[4:]
    asked = [EncodeOptions(effort=6, optimize_for=aim) for aim in ("mse", None, "perceptual")]
    wide, narrow, named = (rdoq_weight(STABLE_DIFFUSION_WEIGHTS, options) for options in asked)
    assert wide
    assert narrow
    assert wide < narrow == named
    assert rdoq_weight(LP1_WEIGHTS, asked[1]) is None


def test_static_tables_with_dead_zones_have_the_symbols_that_the_decoder_finds() -> None:
    # skewed: mirrored tables too
    y = np.random.default_rng(2).gamma(2, 0.5, (4, 40, 40)).astype(np.float32)
    y[1] *= -1
    plain, coder = (
        FactorizedCoder(STABLE_DIFFUSION[0], 20),
        FactorizedCoder(STABLE_DIFFUSION[0], 20, STABLE_DIFFUSION_WEIGHTS["mse"][5]),
    )
    body = coder.encode([y])
    [y_hat] = plain.decode(body, 40, 40)
    assert len(body) < len(plain.encode([y]))
    assert np.abs(y_hat - y).max() <= 1.5 * plain.step + 1e-5


def test_the_lattice_prior_with_dead_zones_has_the_symbols_that_the_decoder_finds() -> None:
    y = np.random.default_rng(3).normal(0, 0.7, (4, 24, 31)).astype(np.float32)
    plain, coder = (
        MultistageCoder(STABLE_DIFFUSION[0], 20),
        MultistageCoder(STABLE_DIFFUSION[0], 20, STABLE_DIFFUSION_WEIGHTS["mse"][5]),
    )
    body = coder.encode([y])
    [y_hat] = plain.decode(body, 24, 31)
    assert len(body) < len(plain.encode([y]))
    assert np.abs(y_hat - y).max() <= 1.5 / plain.gain[0] + 1e-3


def test_the_context_is_that_of_the_symbols_that_were_coded(photo: NDArray[np.uint8]) -> None:
    """Else the decoder would find other scales, and its checksum would not match."""
    strips = list(load_transform(LP1).analyze(read_picture(photo)))
    from latentpress.entropy.hyperprior import HyperpriorCoder

    body = HyperpriorCoder("lp1", 55, LP1_WEIGHTS["mse"][6]).encode(iter(strips))
    rows, columns = strips[0].shape[1], strips[0].shape[2]
    decoded = np.concatenate(list(HyperpriorCoder("lp1", 55).decode(body, rows, columns)), axis=1)
    assert np.isfinite(decoded).all()
