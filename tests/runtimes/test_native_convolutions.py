"""The package's own convolutions: against NumPy number for number, and a network's layers against
ONNX Runtime.
"""

import ctypes
import itertools
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from latentpress import codec, models
from latentpress.runtimes import native
from latentpress.runtimes.choice import EXACT
from latentpress.runtimes.native import SLACK, Convolution, Ring, layers
from latentpress.runtimes.native.layers import Layer, Tensor
from latentpress.runtimes.on_native import WIDEST_IDLE, NativeGraph
from latentpress.runtimes.running import open_graph
from latentpress.spaces import LP1

pytestmark = pytest.mark.skipif(native.library() is None, reason="no library, or nothing for bytes")
GRAPHS = {"analysis.onnx": 1, "synthesis.onnx": 2}  # the axis of the input's rows
NARROW = (native.AVX2_ALONE, native.AVX2_AND_VNNI)
OPTIONS: list[dict[str, Any]] = [{}, {"may_round": True}, *({"how": how} for how in NARROW)]


if native.VNNI_AND_AMX in native.ways():  # then they are not what the best way takes
    OPTIONS.append({"may_round": True, "how": native.VNNI_AND_HALVES})


def picture(name: str, rows: int, columns: int) -> dict[str, NDArray]:
    rng = np.random.default_rng(rows)
    if name == "analysis.onnx":
        return {"pixels": rng.integers(0, 256, (1, 16 * rows, 16 * columns, 3), dtype=np.uint8)}
    return {"y": 3 * rng.normal(size=(1, LP1.channels, rows, columns)).astype(np.float32)}


def with_slack(array: NDArray) -> NDArray:
    whole = np.zeros(array.size + SLACK, array.dtype)
    whole[: array.size] = array.ravel()
    return whole


def slowly(x: NDArray, weight: NDArray, stride: int) -> NDArray:
    """(H, W, I) * (O, I, kh, kw) -> (h, w, O), one position after the other."""
    kh, kw = weight.shape[2:]
    h, w = (x.shape[0] - kh) // stride + 1, (x.shape[1] - kw) // stride + 1
    out = np.empty((h, w, len(weight)))
    for r, c in itertools.product(range(h), range(w)):
        window = x[r * stride : r * stride + kh, c * stride : c * stride + kw].astype(np.float64)
        out[r, c] = np.einsum("hwi,oihw->o", window, weight.astype(np.float64))
    return out


SHAPES = [
    # rows and columns of the output, channels in and out, kernel, stride, side of a DepthToSpace
    (3, 37, 16, 12, 3, 1, 2),
    (2, 33, 64, 48, 3, 1, 4),
    (4, 16, 128, 192, 4, 2, 1),
    (1, 5, 3, 320, 16, 16, 1),
    (2, 7, 3, 64, 8, 4, 1),
    (1, 1, 192, 16, 1, 1, 1),
    (2, 50, 20, 256, 1, 1, 16),
    (2, 10, 200, 20, 2, 2, 1),
]
POINT_SHAPES = [  # of kernels that winograd.c takes: parts of tiles, odd rows, channels of no block
    (1, 1, 16, 16, 3, 1, 1),
    (2, 4, 8, 16, 3, 1, 1),
    (5, 2, 3, 5, 3, 1, 1),
    (3, 37, 20, 12, 3, 1, 2),
    (2, 101, 64, 48, 3, 1, 4),
    (3, 51, 256, 40, 3, 1, 1),
]


def cases() -> Iterator[tuple[tuple[int, ...], str, int]]:
    of_avx512 = [how for how in native.ways() if how not in NARROW]
    kinds = [("floats", how) for how in (*of_avx512[:1], native.AVX2_ALONE)]
    kinds += [("bytes", how) for how in native.ways()]
    kinds += [("halves", how) for how in of_avx512 if how != native.VNNI]
    yield from ((shape, *kind) for shape in SHAPES for kind in kinds)
    yield from ((shape, "points", native.AVX2_ALONE) for shape in POINT_SHAPES)


def as_floats(halves: NDArray) -> NDArray:
    return (halves.astype(np.uint32) << 16).view(np.float32)


def upper_halves(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Finite floats as bfloat16: their upper halves, rounded to the nearest even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def rounded(values: NDArray) -> NDArray:
    """To bfloat16 and back."""
    return as_floats(upper_halves(values))


@pytest.mark.parametrize(("shape", "kind", "how"), list(cases()), ids=str)
def test_a_convolution_is_that_of_numpy(shape: tuple[int, ...], kind: str, how: int) -> None:
    h, w, channels, count, kernel, stride, side = shape
    is_bytes, is_halves = kind == "bytes", kind == "halves"
    rng = np.random.default_rng(sum(shape))
    size = (stride * (h - 1) + kernel, stride * (w - 1) + kernel, channels)
    x = (
        rng.integers(0, 256, size).astype(np.uint8)
        if is_bytes
        else rng.normal(size=size).astype(np.float32)
    )
    weight = rng.normal(size=(count, channels, kernel, kernel)).astype(np.float32)
    bias = rng.normal(size=count).astype(np.float32)
    steps = rng.uniform(0.01, 0.02, channels) if is_bytes else None
    layer = Layer(
        *("x", "y", (kernel, kernel), stride, 0, is_bytes, weight, bias, is_halves),
        is_transformed=kind == "points",
        shuffle=side,
    )
    packed = layers.packed(layer, Tensor(channels, steps=steps, zero=128))

    values = x.astype(np.float64)
    if is_bytes:
        values = (values - 128) * steps
        scaled = weight * steps[:, None, None]
        largest = np.abs(scaled).max((1, 2, 3), keepdims=True) / 127
        weight = np.rint(scaled / largest) * largest / steps[:, None, None]
    elif is_halves:
        values, weight = rounded(x), rounded(weight)
    sums = slowly(values, weight, stride) + bias
    own = count // side**2
    expected = (
        sums.reshape(h, w, own, side, side)
        .transpose(0, 3, 1, 4, 2)
        .reshape(h * side, w * side, own)
    )
    added = rng.normal(size=expected.shape).astype(np.float32)
    expected += added

    floats = np.zeros(expected.shape, np.float32)
    halves = np.zeros(expected.shape, np.uint16)
    levels = np.zeros(expected.shape, np.uint8)
    inverse_steps = np.full(own * side, 20, np.float32)
    read = with_slack(upper_halves(x) if is_halves else x)
    pitch = w * side * own
    # the first row is not at the first place: rings turn
    places = [2 % size[0], 1 % (h * side)]
    read[: x.size] = np.roll(read[: x.size].reshape(size), places[0], 0).ravel()
    added_in_turn = np.roll(added, places[1], 0)
    reads, writes = Ring(places[0], size[0]), Ring(places[1], h * side)
    call = Convolution(
        input=read.ctypes.data,
        weights=packed.values.ctypes.data,
        scales=packed.scales.ctypes.data,
        biases=packed.biases.ctypes.data,
        added=added_in_turn.ctypes.data,
        floats=floats.ctypes.data,
        bytes=levels.ctypes.data,
        halves=halves.ctypes.data,
        inverse_steps=inverse_steps.ctypes.data,
        pitch=size[1] * channels,
        stride=stride,
        column_step=stride * channels,
        added_pitch=pitch,
        floats_pitch=pitch,
        bytes_pitch=pitch,
        halves_pitch=pitch,
        kernel_rows=kernel,
        run=kernel * channels,
        groups=side,
        columns=w,
        channels=own * side,
        zero=100,
        is_relu=0,
        is_bytes=is_bytes,
        is_halves=is_halves,
        is_transformed=layer.is_transformed,
        rows=h,
        reads=reads,
        adds=writes,
        writes=writes,
    )
    together = 2 if layer.is_transformed else 1
    for row in range(0, h, together):
        native.library().convolve(ctypes.addressof(call), row, min(row + together, h), how)
    floats, halves, levels = (np.roll(a, -places[1], 0) for a in (floats, halves, levels))
    assert np.abs(floats - expected).max() <= 2e-5 * np.abs(expected).max()
    assert np.array_equal(levels, np.clip(np.rint(floats * np.float32(20)) + 100, 0, 255))
    if how not in NARROW:
        assert np.array_equal(halves, upper_halves(floats))


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("how", [native.NOTHING, *NARROW])
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (2, 33)])
def test_without_steps_it_is_what_onnx_runtime_gives(
    name: str, how: int, size: tuple[int, int]
) -> None:
    data, feed = models.read_file("lp1", name), picture(name, *size)
    [expected] = open_graph(data, EXACT, 1, {}).run(feed)
    [found] = NativeGraph(data, {}, 1, how=how).run(feed)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    most = 1 if name == "synthesis.onnx" else 1e-4 * np.abs(expected).max()
    assert np.abs(found.astype(float) - expected).max() <= most


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("height", [1, 2, 5])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_bands_equal_the_whole_to_the_bit(name: str, height: int, options: dict[str, Any]) -> None:
    data, steps = models.read_file("lp1", name), models.steps("lp1")
    graph = NativeGraph(data, steps, 2, **options)
    feed = picture(name, 11, 9)
    [whole] = graph.run(feed)
    [(_, rows)] = feed.items()
    axis, unit = GRAPHS[name], 16 if name == "analysis.onnx" else 1
    running = graph.rows(9 * unit)
    out = []
    for top in range(0, 11, height):
        bottom = min(top + height, 11)
        out.append(running.put(rows.take(range(unit * top, unit * bottom), axis), bottom == 11))
    assert np.array_equal(np.concatenate(out, 3 - axis), whole)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_last_band_takes_no_more_memory_than_others(name: str, options: dict[str, Any]) -> None:
    feed = picture(name, 30, 5)
    [whole] = feed.values()
    axis, step = GRAPHS[name], 16 if name == "analysis.onnx" else 1
    graph = NativeGraph(models.read_file("lp1", name), models.steps("lp1"), 2, **options)
    rows = graph.rows(whole.shape[axis + 1])
    held = []
    for top in range(0, whole.shape[axis], step):
        band = np.take(whole, range(top, top + step), axis)
        rows.put(band, top + step == whole.shape[axis])
        held.append([tensor.room for tensor in rows._stream._rows])
    assert held[-1] == held[-2]


@pytest.mark.parametrize(("columns", "kept"), [(WIDEST_IDLE, 1), (WIDEST_IDLE + 1, 0)])
def test_the_memory_of_a_wide_picture_is_let_go_with_it(columns: int, kept: int) -> None:
    graph = NativeGraph(models.read_file("lp1", "synthesis.onnx"), models.steps("lp1"), 2)
    graph.run(picture("synthesis.onnx", 1, columns))
    assert len(graph._idle) == kept


@pytest.mark.parametrize("name", GRAPHS)
def test_vnni_and_amx_give_the_same_to_the_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, feed = models.read_file("lp1", name), picture(name, 6, 5)
    found = []
    for how in native.ways():
        if how in NARROW:  # its floats are other sums
            continue
        graph = NativeGraph(data, models.steps("lp1"), 1)
        graph._how = how
        found += graph.run(feed)
    for other in found[1:]:
        assert np.array_equal(found[0], other)


@pytest.mark.parametrize("name", GRAPHS)
def test_turned_weights_come_nearer_to_floats(name: str, photo: NDArray[np.uint8]) -> None:
    pixels = photo[None, :192, :256]
    y_hat = codec.decode_latent(codec.compress(pixels[0], content="photo"))
    feed = {"pixels": pixels} if name == "analysis.onnx" else {"y": y_hat[None]}
    data, steps, turned = models.read_file("lp1", name), models.steps("lp1"), models.turned("lp1")
    assert turned.keys() == steps.keys()
    exact, found, nearest = (
        graph.run(feed)[0].astype(np.float64)
        for graph in (
            NativeGraph(data, {}, 1),
            NativeGraph(data, steps, 1, turned),
            NativeGraph(data, steps, 1),
        )
    )
    assert np.square(found - exact).mean() < 0.95 * np.square(nearest - exact).mean()


@pytest.mark.parametrize("name", GRAPHS)
def test_bfloat16_in_place_of_floats_changes_little(name: str) -> None:
    data, feed = models.read_file("lp1", name), picture(name, 5, 7)
    [exact] = NativeGraph(data, {}, 1).run(feed)
    [found] = NativeGraph(data, {}, 1, may_round=True).run(feed)
    error = np.sqrt(np.square(found.astype(float) - exact).mean())  # noise, more than of pictures
    assert error <= (2 if name == "synthesis.onnx" else 0.02 * exact.std())


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("columns", [1, 3, 40])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_threads_and_an_idle_stream_give_the_same(
    name: str, columns: int, options: dict[str, Any]
) -> None:
    data, steps = models.read_file("lp1", name), models.steps("lp1")
    feed = picture(name, 4, columns)
    [expected] = NativeGraph(data, steps, 1, **options).run(feed)
    graph = NativeGraph(data, steps, 3, **options)
    for _ in range(2):  # the second time with the first one's stream
        assert np.array_equal(graph.run(feed)[0], expected)


def test_what_has_no_place_in_a_layer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has no place in a layer|unequal borders or gaps"):
        layers.read(models.read_file("lp1", "context.onnx"), {})


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("is_halves", [False, True])
def test_what_tiles_would_read_past_the_slack_is_refused(is_halves: bool, stride: int) -> None:
    most = (SLACK - native.TILE) // (native.POSITIONS - 1) // stride // (2 if is_halves else 1)
    for channels in (most, most + 1):
        weight, bias = np.ones((1, channels, 1, 1), np.float32), np.zeros(1, np.float32)
        layer = Layer("x", "y", (1, 1), stride, 0, not is_halves, weight, bias, is_halves)
        source = Tensor(channels, steps=np.ones(channels, np.float32))
        with pytest.raises(ValueError, match="bytes apart") if channels > most else nullcontext():
            layers.packed(layer, source)
