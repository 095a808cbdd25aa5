"""Laws of the lattice prior, the learned entropy coder of the Stable Diffusion spaces: round trip,
exactness, rate, refusals.
"""

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from latentpress import models
from latentpress.entropy import cdf_tables, density, multistage, multistage_network
from latentpress.entropy.factorized import FactorizedCoder
from latentpress.entropy.multistage import (
    DEPENDENT,
    FINE,
    HEAD,
    MOVE_UNIT,
    NUMBER,
    CodingLoop,
    MultistageCoder,
    best_choice,
    table_numbers,
)
from latentpress.entropy.multistage_passes import REACH, passes
from latentpress.entropy.quantizer import SYMBOL_MAX
from latentpress.errors import FormatError, ImageError, VersionError
from latentpress.options import EncodeOptions
from latentpress.parts import parts_of
from latentpress.runtimes.threads import Canceled, canceled_by
from latentpress.spaces import SPACES, Space

SD_SPACES = [s for s in SPACES if s.name != "lp1"]
SD15, FLUX = SD_SPACES[0], SD_SPACES[-1]
EACH = pytest.mark.parametrize("space", SD_SPACES, ids=lambda s: s.name)
Floats = NDArray[np.float32]
LOG_EIGHTH = float(np.log(cdf_tables.sigmas()[63] / cdf_tables.sigmas()[0])) / 63 / 8


def latent(space: Space, h: int, w: int, seed: int = 1) -> Floats:
    """Smooth noise with channels that resemble each other."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 0.6, (space.channels, h + 2, w + 2)) + rng.normal(0, 0.5, (h + 2, w + 2))
    return (y[:, 2:, 2:] + y[:, 1:-1, 1:-1] + 0.5 * y[:, :-2, :-2]).astype(np.float32)


def coded(space: Space, quality: float, y: Floats) -> tuple[bytes, Floats]:
    coder = MultistageCoder(space, quality)
    body = coder.encode([y])
    return body, np.concatenate(list(coder.decode(body, *y.shape[1:])), axis=1)


def assert_close(space: Space, quality: float, y: Floats, y_hat: Floats) -> None:
    """|y_hat - y| is at most half a step, but for the rounding of float32."""
    half = MultistageCoder(space, quality).step / FINE / 2
    assert (np.abs(y_hat - y) <= half + 4 * np.spacing(np.abs(y).max() + np.float32(8))).all()


def test_the_passes_visit_every_position_once_and_see_only_what_is_decoded() -> None:
    for channels in (4, 16):
        seen = np.zeros((24, 24, channels), bool)
        for p in passes(channels):
            for down, right, part in p.taps:
                for c in range(part.start, part.stop):
                    seen_there = seen[
                        8 + p.top + down :: p.stride, 8 + p.left + right :: p.stride, c % channels
                    ]
                    assert (
                        seen_there[: 8 // p.stride, : 8 // p.stride].all() or c >= 2 * channels
                    ), (p, down, right, c)
                    assert max(abs(down), abs(right)) <= REACH
            lattice = seen[p.top :: p.stride, p.left :: p.stride, p.channel]
            assert not lattice.any()
            lattice[...] = True
        assert seen.all()


@EACH
@pytest.mark.parametrize("quality", [0, 37.5, 100])
def test_the_error_is_at_most_half_a_step(space: Space, quality: float) -> None:
    y = latent(space, 9, 14)
    _, y_hat = coded(space, quality, y)
    assert y_hat.dtype == np.float32
    assert y_hat.shape == y.shape
    assert_close(space, quality, y, y_hat)


SHAPES = st.tuples(st.just(SD15.channels), st.integers(1, 7), st.integers(1, 7))


@settings(deadline=None, max_examples=25)
@given(
    hnp.arrays(np.float32, SHAPES, elements=st.floats(-1500, 1500, width=32)), st.integers(0, 100)
)
def test_any_latent_within_the_symbols_round_trips(y: Floats, quality: int) -> None:
    _, y_hat = coded(SD15, quality, y)
    assert_close(SD15, quality, y, y_hat)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (3, 2), (64, 5)])
def test_latents_smaller_than_a_lattice(shape: tuple[int, int]) -> None:
    for space in (SD15, FLUX):
        y = latent(space, *shape)
        _, y_hat = coded(space, 70, y)
        assert_close(space, 70, y, y_hat)


def test_strips_and_blocks_are_one_latent(monkeypatch: pytest.MonkeyPatch) -> None:
    y = latent(FLUX, 20, 7)
    coder = MultistageCoder(FLUX, 60)
    body = coder.encode([y])
    assert coder.encode([y[:, :8], y[:, 8:9], y[:, 9:]]) == body
    monkeypatch.setattr(multistage, "BLOCK", 5)
    assert coder.encode([y]) == body


def test_outliers_cost_themselves_and_their_neighbors_only() -> None:
    y = latent(SD15, 40, 40)
    plain, _ = coded(SD15, 50, y)
    y[0, 3, 3], y[2, 39, 0] = 1000, -1000
    body, y_hat = coded(SD15, 50, y)
    assert_close(SD15, 50, y, y_hat)
    assert len(body) < len(plain) + 400
    y[0, 3, 3] = 1e5
    _, y_hat = coded(SD15, 50, y)
    assert y_hat[0, 3, 3] == pytest.approx(
        SYMBOL_MAX * MultistageCoder(SD15, 50).step / FINE, rel=0.01
    )
    y[0, 3, 3] = y_hat[0, 3, 3]
    assert_close(SD15, 50, y, y_hat)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_latent_that_is_not_finite_is_an_image_error(value: float) -> None:
    y = latent(SD15, 5, 5)
    y[3, 4, 4] = value
    with pytest.raises(ImageError, match="finite"):
        MultistageCoder(SD15, 50).encode([y[:, :3], y[:, 3:]])


def reference(
    space: Space, step: int, half_steps: NDArray[np.int32]
) -> tuple[list[list[int]], NDArray[np.int64]]:
    """The rules of docs/formats/ltp.md in Python integers, by position -> eighths of every symbol
    by pass, y_hat in fine units.
    """
    a = {k: v.astype(object) for k, v in models.arrays(space.name, "prior.npz").items()}
    channels, h, w = half_steps.shape
    steps = a["log_steps"].tolist()
    log_step = int(a["log_steps_from"]) + sum(t <= step for t in steps)
    condition = min(max(log_step + 92, -255), 255)
    planes: list[dict[tuple[int, int, int], int]] = [{}, {}, {}]
    value, distance, local_activity = planes
    fine = np.zeros(half_steps.shape, np.int64)
    scales, row = [], 0
    # exact: below 2^24, as another test shows
    half_even = lambda total, shift: round(total / (1 << int(shift)))
    for i, p in enumerate(passes(channels)):
        rows = slice(row, row + p.inputs + 1)
        row += p.inputs + 1
        found = []
        for y in range(p.top, h, p.stride):
            for x in range(p.left, w, p.stride):
                seen = []
                for down, right, part in p.taps:
                    for c in range(part.start, part.stop):
                        seen.append(
                            planes[c // channels].get((c % channels, y + down, x + right), 0)
                        )
                seen.append(condition)
                hidden = [
                    int(t) for t in np.array(seen, object) @ a["first"][rows] + a["first_bias"][i]
                ]
                hidden = [
                    min(max(half_even(t, s), 0), 255)
                    for t, s in zip(hidden, a["first_shift"][i], strict=True)
                ]
                hidden = [
                    int(t) for t in np.array(hidden, object) @ a["second"][i] + a["second_bias"][i]
                ]
                hidden = [
                    min(max(half_even(t, s), 0), 255)
                    for t, s in zip(hidden, a["second_shift"][i], strict=True)
                ]
                head = (
                    np.array(hidden, object) @ a["head"][i]
                    + np.array(seen, object) @ a["linear"][rows]
                    + a["head_bias"][i]
                )
                mu, scale_eighths = (
                    half_even(int(t), s) for t, s in zip(head, a["head_shift"][i], strict=True)
                )
                found.append(scale_eighths - log_step)
                change = int(half_steps[p.channel, y, x]) * step // 2
                fine[p.channel, y, x] = at = 8 * mu + change
                value[p.channel, y, x] = min(max((at + 64) // 128, -511), 511)
                distance[p.channel, y, x] = min((abs(change) + 64) // 128, 255)
        around = [(y, x) for y in range(-5, 6) for x in range(-5, 6)]
        for y in range(h if found else 0):
            for x in range(w):
                total = sum(
                    distance.get((p.channel, y + down, x + right), 0) for down, right in around
                )
                local_activity[p.channel, y, x] = min(
                    total // 2 ** (1, 2, 2, 3, 4, 4, 5)[p.number], 511
                )
        scales.append(found)
    return scales, fine


@EACH
def test_the_walk_equals_integers_by_the_rules_of_the_format(space: Space) -> None:
    rng = np.random.default_rng(0)
    for step, spread in ((410, 16.0), (2047, 4.0), (12288, 1.2)):
        half_steps = np.rint(rng.laplace(0, spread, (space.channels, 6, 7))).astype(np.int32)
        half_steps[0, 2, 2] = 65534
        scales, fine = reference(space, step, half_steps)
        loop = CodingLoop(space, step, 6, 7)
        for i, p in enumerate(loop.passes):
            if scales[i]:
                mu, scale_eighths = loop.predict(i)
                assert scale_eighths.ravel().tolist() == scales[i]
                loop.put(i, mu, half_steps[p.channel, p.top :: p.stride, p.left :: p.stride])
        assert np.array_equal(loop.fine, fine)


@EACH
def test_no_sum_can_leave_the_exact_integers(space: Space) -> None:
    """Read from the shipped file itself: sum |weight| x largest input + |bias| < 2^24 at every
    output of every layer.
    """
    a = {
        k: np.abs(v.astype(np.int64))
        for k, v in models.arrays(space.name, multistage_network.FILE).items()
    }
    row = 0
    for i, p in enumerate(passes(space.channels)):
        rows = slice(row, row + p.inputs + 1)
        row += p.inputs + 1
        assert (a["first"][rows].sum(0) * 511 + a["first_bias"][i]).max() < 2**24
        assert (a["second"][i].sum(0) * 255 + a["second_bias"][i]).max() < 2**24
        assert (
            a["head"][i].sum(0) * 255 + a["linear"][rows].sum(0) * 511 + a["head_bias"][i]
        ).max() < 2**24
    assert row == len(a["first"]) == len(a["linear"])


@EACH
def test_coded_bits_are_those_of_the_tables(space: Space) -> None:
    y = latent(space, 40, 40)
    coder, bits = MultistageCoder(space, 60), 0.0
    quantized = coder.model(y)
    for symbols, odd, scale_eighths in zip(
        quantized.symbols, quantized.odd, quantized.scale_eighths, strict=True
    ):
        numbers = table_numbers(
            scale_eighths, best_choice(symbols, odd, scale_eighths)
        ) + odd * np.uint16(cdf_tables.ODD)
        for value, table in zip(symbols.ravel().tolist(), numbers.ravel().tolist(), strict=True):
            r = cdf_tables.radius(table)
            bits += cdf_tables.bit_costs(table)[value + r if abs(value) <= r else -1]
    coded_bits = 8 * (len(coder.encode([y])) - HEAD.size - space.channels)
    assert bits - 8 <= coded_bits <= 1.001 * bits + 64


@EACH
@pytest.mark.parametrize("number", [NUMBER, DEPENDENT])
def test_the_encoders_model_is_the_decoders(space: Space, number: int) -> None:
    y = latent(space, 21, 18)
    for step in (301, 2048, 12288):
        coder = MultistageCoder.of_step(space, step, number)
        body = coder.encode([y])
        assert body[0] == number
        assert np.array_equal(
            (coder.fine(coder.model(y)) / FINE).astype(np.float32), next(coder.decode(body, 21, 18))
        )


@EACH
def test_dependent_quantization_takes_fewer_bytes_at_less_error(space: Space) -> None:
    y = latent(space, 40, 44)
    for step, wider in ((600, 660), (2048, 2253), (5000, 5200)):
        rounding, dependent = (
            MultistageCoder.of_step(space, step),
            MultistageCoder.of_step(space, wider, DEPENDENT),
        )
        reached = []
        for coder in (rounding, dependent):
            body = coder.encode([y])
            reached.append((len(body), np.square(next(coder.decode(body, 40, 44)) - y).mean()))
        assert reached[1][0] < reached[0][0]
        assert reached[1][1] < reached[0][1]


def test_dependent_outliers_and_scales_moved_beyond_the_tables() -> None:
    for scale in (1e-3, 40):
        y = latent(SD15, 19, 23) * np.float32(scale)
        y[1, 7, 7], y[3, 0, 22] = 900, -900
        coder = MultistageCoder.of_step(SD15, 900, DEPENDENT)
        y_hat = next(coder.decode(coder.encode([y]), 19, 23))
        assert np.abs(y_hat - y).max() < 2 * 900 / FINE


def test_damage_under_dependent_quantization_is_found() -> None:
    y = latent(SD15, 8, 8)
    body = MultistageCoder.of_step(SD15, 1024, DEPENDENT).encode([y])
    plain = MultistageCoder.of_step(SD15, 1024)
    for damaged in (
        bytes([NUMBER]) + body[1:],
        bytes([DEPENDENT]) + plain.encode([y])[1:],
        body[:-1],
        body + b"\1",
    ):
        with pytest.raises(FormatError):
            list(plain.decode(damaged, 8, 8))
    for i in range(3, len(body)):
        with pytest.raises(FormatError):
            list(plain.decode(body[:i] + bytes([body[i] ^ 0x11]) + body[i + 1 :], 8, 8))


def test_a_channels_byte_finds_its_family_and_scale() -> None:
    rng = np.random.default_rng(0)
    scale_eighths = rng.integers(8 * 33, 8 * 37, 20_000).astype(np.int32)
    sigma = float(cdf_tables.sigmas()[0]) * np.exp(scale_eighths * LOG_EIGHTH)
    for family, draw in enumerate(
        (
            rng.normal(0, 1, 20_000),
            rng.standard_t(5, 20_000) * 0.6**0.5,
            rng.laplace(0, 0.5**0.5, 20_000),
        )
    ):
        for move in (-9, -3, 0, 4):
            symbols = np.rint(draw * sigma * np.exp(move * MOVE_UNIT * LOG_EIGHTH)).astype(np.int32)
            found = best_choice(symbols, np.zeros(20_000, np.uint8), scale_eighths)
            assert found & 3 == family
            assert (found >> 2 ^ 32) - 32 == pytest.approx(move, abs=1)


def test_the_smaller_of_two_is_written() -> None:
    encoder = parts_of(SD15).encoder(EncodeOptions(codec="sd15", quality=50), (64, 64))
    kind, body = encoder.encode([np.zeros((4, 64, 64), np.float32)])
    assert (kind == FactorizedCoder.chunk_type) == (
        body == FactorizedCoder(SD15, 50).encode([np.zeros((4, 64, 64), np.float32)])
    )
    # what no table of a whole channel can know: smooth, of a wide range
    r, c = np.mgrid[:32, :32] / 9
    y = np.stack([np.sin(r + k) + np.cos(c * (1 + k / 4)) for k in range(4)]).astype(np.float32)
    kind, body = encoder.encode(iter([y[:, :5], y[:, 5:]]))
    assert kind == MultistageCoder.chunk_type
    assert len(body) < len(FactorizedCoder(SD15, 50).encode([y]))


def test_a_uniform_picture_beyond_the_limit_goes_to_the_tables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    y = np.zeros((4, 32, 32), np.float32)
    body = MultistageCoder(SD15, 0).encode([y])
    monkeypatch.setattr(density, "MAX_POSITIONS_PER_BYTE", y[0].size // len(body) - 1)
    with pytest.raises(FormatError, match="too short"):
        list(MultistageCoder(SD15, 0).decode(body, 32, 32))
    with pytest.raises(ImageError, match="limits"):
        MultistageCoder(SD15, 0).encode([y])
    monkeypatch.undo()

    def refuse(coder: MultistageCoder, strips: Any) -> bytes:
        raise ImageError("beyond the limits")

    monkeypatch.setattr(MultistageCoder, "encode", refuse)
    options = EncodeOptions(codec="sd15", quality=0)
    kind, _ = parts_of(SD15).encoder(options, (32, 32)).encode([y])
    assert kind == FactorizedCoder.chunk_type


def test_coding_ends_soon_where_its_work_is_canceled() -> None:
    y = latent(SD15, 8, 8)
    coder = MultistageCoder(SD15, 50)
    body, event = coder.encode([y]), threading.Event()
    event.set()
    with canceled_by(event):
        with pytest.raises(Canceled):
            coder.encode([y])
        with pytest.raises(Canceled):
            list(coder.decode(body, 8, 8))


def test_another_size_step_or_prior_is_refused() -> None:
    y = latent(SD15, 8, 8)
    coder = MultistageCoder(SD15, 50)
    body = coder.encode([y])
    for rows, columns in ((8, 7), (8, 9), (1, 1), (4096, 4096)):
        with pytest.raises(FormatError):
            list(coder.decode(body, rows, columns))
    with pytest.raises(VersionError, match="prior 3"):
        list(coder.decode(b"\3" + body[1:], 8, 8))
    for step in (0, 127, 32768, 65535):
        with pytest.raises(FormatError, match="step"):
            list(coder.decode(body[:1] + step.to_bytes(2, "little") + body[3:], 8, 8))
    for end in range(HEAD.size + 4):
        with pytest.raises(FormatError, match="too short"):
            list(coder.decode(body[:end], 8, 8))


def test_log_steps_are_eighths_of_a_scale() -> None:
    ratio = float(cdf_tables.sigmas()[63] / cdf_tables.sigmas()[0]) ** (1 / 63 / 8)
    for step in (128, 410, 2048, 8192, 12288, 32767):
        assert multistage_network.log_step("sd15", step) == round(
            np.log(step / FINE) / np.log(ratio)
        )
