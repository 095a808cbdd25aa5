"""The prior's networks on the package's own sums of bytes: the same numbers as on ONNX Runtime."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from latentpress import codec, models
from latentpress.entropy import planes, prior_networks
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.quantizer import interpolate
from latentpress.runtimes import choice, native, on_native_integers, onnx_writer
from latentpress.runtimes.checkerboard import ANCHORS, OTHERS, halved, halves
from latentpress.runtimes.choice import EXACT, OWN_INTEGERS, choose_prior
from latentpress.runtimes.native.integer_layers import read
from latentpress.runtimes.on_native_integers import IntegerGraph
from latentpress.runtimes.running import open_graph

pytestmark = pytest.mark.skipif(native.library() is None, reason="no library, or nothing for bytes")
SIZES = [(1, 1), (16, 16), (1, 9), (5, 3), (12, 8), (7, 17)]  # positions of z


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs the prior where no runtime is asked for: the suite asks for ONNX Runtime."""
    monkeypatch.delenv(choice.RUNTIME_VARIABLE)
    monkeypatch.delenv(choice.PRECISION_VARIABLE)
    assert choose_prior(has_integers=True) == OWN_INTEGERS


def integers(rng: np.random.Generator, low: int, high: int, *shape: int) -> NDArray[np.float32]:
    """Whole numbers from low to high, a quarter of them at the limits."""
    found = rng.integers(low, high + 1, shape)
    limits = rng.choice([low, high], shape)
    return np.where(rng.random(shape) < 0.25, limits, found).astype(np.float32)


@pytest.mark.parametrize("how", [*native.ways(), native.AVX2_ALONE])
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_features_are_those_of_onnx_runtime(rows: int, columns: int, how: int) -> None:
    rng = np.random.default_rng(rows * columns)
    data = models.read_file("lp1", "features.onnx")
    ours, theirs = IntegerGraph(data, how=how), open_graph(data, EXACT, 1, {})
    levels = models.arrays("lp1", "levels.npz")["bias"]
    for quality in (0, 43.21, 100):
        bias = interpolate(levels, quality).astype(np.float32).reshape(1, -1, 1, 1)
        feeds = {"z": integers(rng, -127, 127, 1, 64, rows, columns), "bias": bias}
        for own, other in zip(ours.run(feeds), theirs.run(feeds), strict=True):
            np.testing.assert_array_equal(own, other)


@pytest.mark.usefixtures("unasked")
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 7), (24, 17)])
def test_threads_share_the_rows_of_a_layer(
    rows: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_native_integers, "SHARED", 0)
    data = halved(models.read_file("lp1", "context.onnx"), "white")
    rng = np.random.default_rng(rows * columns)
    feeds = {}
    for parity in (0, 1):
        feeds[f"features.{parity}"] = integers(rng, 0, 255, 1, 128, rows, columns)
        feeds[f"white.{parity}"] = integers(rng, -127, 127, 1, 320, rows, columns)
    alone, shared = IntegerGraph(data, 1), IntegerGraph(data, 3)
    for own, other in zip(alone.run(feeds), shared.run(feeds), strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("how", [*native.ways(), native.AVX2_ALONE])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (32, 32), (1, 37), (9, 2), (24, 17)])
def test_the_halved_context_is_that_of_onnx_runtime(rows: int, columns: int, how: int) -> None:
    rng = np.random.default_rng(rows * columns)
    data = halved(models.read_file("lp1", "context.onnx"), "white")
    ours, theirs = IntegerGraph(data, how=how), open_graph(data, EXACT, 1, {})
    for _ in range(2):
        feeds = {}
        for parity in (0, 1):
            feeds[f"features.{parity}"] = integers(rng, 0, 255, 1, 128, rows, columns)
            feeds[f"white.{parity}"] = integers(rng, -127, 127, 1, 320, rows, columns)
        for own, other in zip(ours.run(feeds), theirs.run(feeds), strict=True):
            np.testing.assert_array_equal(own, other)


@pytest.mark.usefixtures("unasked", "engine")
@pytest.mark.parametrize(("h", "w"), [(1, 1), (3, 2), (64, 64), (19, 37)])
def test_a_segment_has_the_same_bytes_and_values(
    h: int, w: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(h)
    y = rng.laplace(0, 3, (320, h, w)).astype(np.float32)
    z = rng.integers(-30, 31, (64, -(-h // 4), -(-w // 4))).astype(np.int32)
    coder = HyperpriorCoder("lp1", 61)
    data = coder.encode_segment(y, z)
    values = coder.decode_segment(data, h, w)
    monkeypatch.setenv(choice.RUNTIME_VARIABLE, "onnxruntime")
    assert not models.takes_bytes("lp1")
    assert coder.encode_segment(y, z) == data
    np.testing.assert_array_equal(coder.decode_segment(data, h, w), values)


@pytest.mark.usefixtures("unasked", "engine")
@pytest.mark.parametrize(("h", "w"), [(1, 1), (6, 5), (8, 16), (9, 4)])
def test_bytes_of_the_anchors_are_their_innovations(h: int, w: int) -> None:
    rng = np.random.default_rng(w)
    y = rng.laplace(0, 40, (320, h, w)).astype(np.float32)
    _, [(anchors, symbols), _], _ = HyperpriorCoder("lp1", 90).model_segment(y)
    white = anchors.whitened(symbols)
    assert np.abs(white).max() > 50
    for own, other in zip(anchors.whitened_bytes(symbols), halves(white, ANCHORS), strict=True):
        np.testing.assert_array_equal(own.transpose(2, 0, 1) - float(planes.WHITE_ZERO), other[0])


def test_halves_of_bytes_are_those_of_planes() -> None:
    plane = np.arange(7 * 5 * 3, dtype=np.uint8).reshape(7, 5, 3)
    found = prior_networks.halves_of_bytes(plane)
    for own, other in zip(found, halves(plane.transpose(2, 0, 1), OTHERS), strict=True):
        np.testing.assert_array_equal(own.transpose(2, 0, 1), other[0])


@pytest.mark.usefixtures("unasked")
def test_the_side_information_is_that_of_onnx_runtime(
    photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    y = codec.encode_latent(photo)
    for part in (y, y[:, :5, :9], y[:, :1, :1]):
        coder = HyperpriorCoder("lp1", 50)
        monkeypatch.delenv(choice.RUNTIME_VARIABLE, raising=False)
        ours = coder.hyper_latent(part * coder.gain)
        monkeypatch.setenv(choice.RUNTIME_VARIABLE, "onnxruntime")
        np.testing.assert_allclose(ours, coder.hyper_latent(part * coder.gain), atol=2e-3)


@pytest.mark.usefixtures("unasked")
def test_threads_share_the_networks() -> None:
    rng = np.random.default_rng(0)
    coder = HyperpriorCoder("lp1", 50)
    segments = [rng.laplace(0, 3, (320, h, 12)).astype(np.float32) for h in (4, 8, 12, 4, 8, 12)]
    alone = [coder.encode_segment(y) for y in segments]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(coder.encode_segment, segments)) == alone


@pytest.mark.usefixtures("unasked")
def test_a_whole_context_is_left_to_onnx_runtime() -> None:
    """Its convolutions have gaps; the halved one alone is run by this package."""
    assert models.graph("lp1", "context.onnx").__class__.__name__ == "OnnxruntimeGraph"
    assert models.graph("lp1", "context.onnx", is_halved=True).__class__ is IntegerGraph


def graph(weight: NDArray, *more: bytes, op: str = "Conv") -> bytes:
    """An ONNX file with a convolution of `features`, and more nodes after it."""
    about = {"kernel_shape": [1, 1], "pads": [0] * 4, "dilations": [1, 1], "strides": [1, 1]}
    nodes = [onnx_writer.node(op, ["features", "w"], "t", **about), *more]
    names = [
        (number, onnx_writer.message([(1, n)])) for number, n in ((11, b"features"), (12, b"t"))
    ]
    pieces = [(1, node) for node in nodes] + [(5, onnx_writer.tensor("w", weight)), *names]
    return onnx_writer.message([(7, onnx_writer.pieces(pieces))])


def test_what_is_not_exact_is_refused() -> None:
    def weight(value: float, kind: type = np.int16) -> NDArray:
        return np.full((1, 3, 1, 1), value, kind)

    assert len(read(graph(weight(20_000)), native.library(), native.VNNI).layers) == 1
    for data, why in (
        (graph(weight(0.5, np.float32)), "whole numbers"),
        (graph(weight(32_700)), "two signed bytes"),
        (graph(np.full((1, 300, 1, 1), 300, np.int16)), "float32 does not hold"),
        (graph(np.ones((1, 1089, 1, 1), np.int16)), "lie 1089 bytes apart"),
        (graph(np.ones((1, 1000, 9, 1), np.int16)), "reads too many numbers"),
        (graph(weight(1), op="Softmax"), "not of a network"),
        (graph(weight(1), onnx_writer.node("Relu", ["t"], "u")), "Relu is not"),
    ):
        with pytest.raises(ValueError, match=why):
            read(data, native.library(), native.VNNI)
