"""Weights in the order in which the package's own convolutions read them: against NumPy."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from latentpress.runtimes import native
from latentpress.runtimes.native import integer_layers, layers
from latentpress.runtimes.native.layers import (
    OF_BYTES,
    OF_FLOATS,
    OF_HALVES,
    OF_POINTS,
    PACKED,
    pack,
)

pytestmark = pytest.mark.skipif(native.library() is None, reason="no library, or nothing for bytes")
TOGETHER = {OF_FLOATS: 1, OF_HALVES: 2, OF_BYTES: 4}  # numbers of a run that lie side by side
SHAPES = [(16, 3, 3, 3), (5, 64, 1, 1), (40, 20, 4, 2), (1, 1, 1, 1)]  # O, I, H, W


def slowly(weight: NDArray, places: NDArray, kind: int) -> NDArray:
    """Every number on its own, in float64."""
    _, inputs, rows, columns = weight.shape
    together, filled = TOGETHER[kind], PACKED[kind][1]
    run = -(-columns * inputs // filled) * filled
    out = np.zeros((len(places) // 16, rows, run // together, 16, together))
    for place, channel in enumerate(places):
        if channel < 0:
            continue
        for row in range(rows):
            of_run = weight[channel, :, row].T.ravel()  # column after column
            for k, number in enumerate(of_run):
                out[place // 16, row, k // together, place % 16, k % together] = number
    return out


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_packed_weights_are_those_of_numpy(shape: tuple[int, ...], dtype: type) -> None:
    rng = np.random.default_rng(sum(shape))
    weight = rng.normal(size=shape).astype(dtype)
    count = shape[0]
    places = np.concatenate([rng.permutation(count), np.full(-count % 16, -1)]).astype(np.int32)
    values, *_ = pack(weight, places, OF_FLOATS)
    np.testing.assert_array_equal(values, slowly(weight, places, OF_FLOATS).ravel())

    halves, *_ = pack(weight, places, OF_HALVES)
    upper = (halves.astype(np.uint32) << 16).view(np.float32)
    expected = slowly(weight, places, OF_HALVES).ravel()
    np.testing.assert_allclose(upper, expected, rtol=2**-8)

    steps = rng.uniform(0.01, 0.1, shape[1])
    scaled = weight.astype(np.float64) * steps[:, None, None]
    scale = np.abs(scaled).max((1, 2, 3)) / 127
    levels = np.rint(scaled / scale[:, None, None, None])
    packed, scales, sums = pack(weight, places, OF_BYTES, steps)
    np.testing.assert_array_equal(packed, slowly(levels, places, OF_BYTES).ravel())
    own = places >= 0
    np.testing.assert_array_equal(scales[own], scale[places[own]])
    np.testing.assert_array_equal(sums[own], levels.sum((1, 2, 3))[places[own]])
    assert not sums[~own].any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("shape", [(16, 3, 3, 3), (20, 5, 3, 3)], ids=str)
def test_points_are_products_with_the_matrices_of_winograd(
    shape: tuple[int, ...], dtype: type
) -> None:
    rows = np.array([[1, 0, 0], [1 / 2] * 3, [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]])
    columns = np.zeros((6, 3))
    columns[0, 0], columns[5, 2] = 1 / 4, 1
    for i, (a, scale) in enumerate([(1, -1 / 6), (-1, -1 / 6), (2, 1 / 24), (-2, 1 / 24)]):
        columns[1 + i] = scale * np.array([1, a, a * a])
    rng = np.random.default_rng(sum(shape))
    weight = rng.normal(size=shape).astype(dtype)
    count, inputs = shape[:2]
    places = np.concatenate([rng.permutation(count), np.full(-count % 16, -1)]).astype(np.int32)
    values, *_ = pack(weight, places, OF_POINTS)
    points = np.einsum("rh,oihw,cw->orci", rows, weight.astype(np.float64), columns)
    expected = np.zeros((len(places), 24, inputs))
    expected[places >= 0] = points.reshape(count, 24, inputs)[places[places >= 0]]
    in_blocks = expected.reshape(-1, 16, 24, inputs).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(values, in_blocks.ravel(), rtol=1e-6, atol=1e-6)


def test_a_turned_weight_takes_the_level_on_its_other_side() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(16, 5, 3, 3)).astype(np.float16)
    places = rng.permutation(16).astype(np.int32)
    steps = rng.uniform(0.01, 0.1, 5)
    scaled = weight.astype(np.float64) * steps[:, None, None]
    exact = scaled / (np.abs(scaled).max((1, 2, 3), keepdims=True) / 127)
    turned = (rng.random(exact.shape) < 0.3) & (np.abs(exact) < 126)
    levels = np.rint(exact) + turned * np.where(exact > np.rint(exact), 1, -1)
    assert set(np.unique(levels - np.floor(exact))) <= {0, 1}
    bits = np.packbits(turned.ravel(), bitorder="little")
    packed, scales, sums = pack(weight, places, OF_BYTES, steps, bits)
    np.testing.assert_array_equal(packed, slowly(levels, places, OF_BYTES).ravel())
    np.testing.assert_array_equal(sums, levels.sum((1, 2, 3))[places])
    np.testing.assert_array_equal(scales, pack(weight, places, OF_BYTES, steps)[1])
    with pytest.raises(ValueError, match="89 bytes of bits for 720 weights"):
        pack(weight, places, OF_BYTES, steps, bits[:-1])


def test_a_channel_of_zeros_has_levels_of_zero() -> None:
    weight = np.zeros((1, 2, 1, 1), np.float16)
    places = np.array([0, *[-1] * 15], np.int32)
    packed, scales, sums = pack(weight, places, OF_BYTES, np.ones(2))
    assert not packed.any()
    assert scales[0] == 1
    assert sums[0] == 0


def at_an_odd_address(values: NDArray) -> NDArray:
    """The same numbers where none of more than a byte may begin, as those of a file may lie."""
    whole = np.empty(values.nbytes + 8, np.uint8)
    start = 1 - whole.ctypes.data % 2
    whole[start : start + values.nbytes] = np.frombuffer(values.tobytes(), np.uint8)
    return whole[start : start + values.nbytes].view(values.dtype).reshape(values.shape)


class Watched:
    """A library that keeps the first argument of its functions."""

    def __init__(self) -> None:
        self.addresses: list[int] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> None:
            self.addresses.append(arguments[0])
            getattr(native.built(), name)(*arguments)

        return call


def test_the_library_gets_numbers_where_they_may_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched()
    monkeypatch.setattr(layers, "built", lambda: watched)
    rng = np.random.default_rng(0)
    places = np.array([0, 1, *[-1] * 14], np.int32)
    for dtype in (np.float16, np.float32):
        weight = rng.normal(size=(2, 5, 3, 3)).astype(dtype)
        odd = at_an_odd_address(weight)
        assert not odd.flags.aligned
        np.testing.assert_array_equal(pack(odd, places, OF_FLOATS)[0], pack(weight, places, 0)[0])
    weight = rng.integers(-300, 300, (2, 5, 3, 3), dtype=np.int16)
    found = [
        integer_layers._packed(w, places, watched, native.VNNI)
        for w in (weight, at_an_odd_address(weight))
    ]
    for own, other in zip(*found, strict=True):
        np.testing.assert_array_equal(own, other)
    assert len(watched.addresses) == 6
    assert not any(address % 2 for address in watched.addresses)
    assert not any(address % 4 for address in watched.addresses[2:4])
