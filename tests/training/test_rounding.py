"""Weights take the levels whose convolution errs least, and steps the bytes that they need."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from latentpress import models
from latentpress.runtimes import native
from latentpress.runtimes.native.layers import OF_BYTES, pack
from training.lp1.limits import least_error_steps
from training.lp1.rounding import LARGEST, exact_levels, least_error_levels, turned_bits

SHAPE = (6, 10, 3, 3)  # O, I, H, W


def exact(rng: np.random.Generator) -> NDArray[np.float64]:
    weight = rng.normal(size=SHAPE).astype(np.float16)
    return exact_levels(weight, rng.uniform(0.5, 2, SHAPE[1])).reshape(SHAPE[0], -1)


def alike(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Inputs (places, 90) that go with one another, as those of pictures do."""
    own = rng.normal(size=(count, 90))
    return own + 3 * rng.normal(size=(count, 1)) + 2


def test_levels_are_next_to_the_weights_and_sum_to_less_of_an_error() -> None:
    rng = np.random.default_rng(0)
    weights = exact(rng)
    seen, others = alike(rng, 2000), alike(rng, 2000)
    levels = least_error_levels(weights, seen.T @ seen / len(seen))
    assert np.abs(levels - weights).max() < 1
    assert np.abs(levels).max() <= LARGEST
    found, nearest = (
        float(np.square(others @ (one - weights).T).mean()) for one in (levels, np.rint(weights))
    )
    assert found < nearest / 3


def test_inputs_that_have_nothing_in_common_leave_the_nearest_levels() -> None:
    weights = exact(np.random.default_rng(1))
    levels = least_error_levels(weights, np.eye(90))
    np.testing.assert_array_equal(levels, np.rint(weights))
    assert not turned_bits(weights, levels).any()


def test_weights_that_are_whole_and_inputs_that_never_fire_do_no_harm() -> None:
    rng = np.random.default_rng(2)
    weights = np.rint(exact(rng))
    inputs = alike(rng, 500)
    inputs[:, :20] = 0
    levels = least_error_levels(weights, inputs.T @ inputs / 500)
    np.testing.assert_array_equal(levels, weights)
    halves = weights.clip(-126, 126) + 0.5
    assert np.isin(least_error_levels(halves, np.zeros((90, 90))) - halves, (-0.5, 0.5)).all()


@pytest.mark.skipif(native.library() is None, reason="no library, or nothing for bytes")
def test_the_package_reads_the_levels_out_of_the_bits() -> None:
    rng = np.random.default_rng(3)
    weight, steps = rng.normal(size=SHAPE).astype(np.float16), rng.uniform(0.5, 2, SHAPE[1])
    inputs = alike(rng, 500)
    weights = exact_levels(weight, steps).reshape(SHAPE[0], -1)
    levels = least_error_levels(weights, inputs.T @ inputs / 500)
    places = np.array([*range(SHAPE[0]), *[-1] * 10], np.int32)
    _, _, sums = pack(weight, places, OF_BYTES, steps, turned_bits(weights, levels))
    assert (levels != np.rint(weights)).any()
    np.testing.assert_array_equal(sums[: SHAPE[0]], levels.sum(1))


def test_a_rare_value_of_both_signs_is_cut_off_and_none_after_a_relu() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(2, 20000)).astype(np.float32)
    largest = np.array([4, 40], np.float32)
    usual, cut = least_error_steps(values, largest, is_signed=True)
    assert usual <= 4 / 127
    assert cut < 0.4 * 40 / 127
    positive = least_error_steps(np.abs(values), largest, is_signed=False)
    np.testing.assert_allclose(positive, largest / 255, rtol=1e-3)


def test_what_is_measured_of_a_graph_is_of_the_convolutions_that_take_bytes() -> None:
    pytest.importorskip("onnxruntime", reason="training.lp1.watched needs it")
    from training.lp1.layer_inputs import turned
    from training.lp1.samples import Samples
    from training.lp1.watched import Watched

    rng = np.random.default_rng(0)
    graph = Watched("synthesis.onnx")
    samples = Samples(graph)
    feed = {"y": rng.normal(0, 2, (1, 320, 6, 7)).astype(np.float32)}
    samples.add(rng, feed, is_painted=False)
    shipped = json.loads(models.read_file("lp1", models.RANGES))
    assert samples.ranges().keys() == graph.ends.keys()
    steps = samples.steps()
    assert steps.keys() == {name for name in shipped["steps"] if name in graph.ends}
    bits = turned(graph, rng, [feed], steps)
    assert {name: len(word) for name, word in bits.items()} == {
        name: len(word) for name, word in shipped["turned"].items() if name in graph.ends
    }
