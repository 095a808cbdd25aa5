"""The form of a graph at half of the cells: the same numbers, and graphs that have none are
refused.
"""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from latentpress import models
from latentpress.runtimes import onnx_writer
from latentpress.runtimes.checkerboard import ANCHORS, OTHERS, halved, halves
from latentpress.runtimes.onnx_file import read_graph


def kind_of(h: int, w: int) -> NDArray[np.intp]:
    """0 at the anchors, 1 at the others."""
    return np.add.outer(np.arange(h), np.arange(w)) % 2


@pytest.mark.parametrize(("h", "w"), [(64, 64), (32, 48), (9, 14), (7, 5), (2, 3), (1, 1)])
def test_the_shipped_context_gives_the_same_at_the_others(h: int, w: int) -> None:
    rng = np.random.default_rng(h * w)
    features = rng.integers(0, 256, (128, h, w)).astype(np.float32)
    white = rng.integers(-127, 128, (320, h, w)).astype(np.float32) * (kind_of(h, w) == ANCHORS)
    [whole] = models.run("lp1", "context.onnx", features=features[None], white=white[None])
    feeds: dict[str, NDArray[Any]] = {}
    feeds["features.0"], feeds["features.1"] = halves(features, OTHERS)
    feeds["white.0"], feeds["white.1"] = halves(white, ANCHORS)
    found = models.run_halved("lp1", "context.onnx", feeds)
    for parity, half in enumerate(found):
        own = whole[:, :, parity::2, 1 - parity :: 2]
        np.testing.assert_array_equal(half[:, :, : own.shape[2], : own.shape[3]], own)


@pytest.mark.parametrize("kind", [ANCHORS, OTHERS])
@pytest.mark.parametrize(("h", "w"), [(4, 6), (5, 3), (1, 1)])
def test_halves_hold_every_cell_of_a_kind_once(kind: int, h: int, w: int) -> None:
    plane = np.arange(1, 1 + 2 * h * w).reshape(2, h, w)
    found = np.concatenate([half.ravel() for half in halves(plane, kind)])
    assert sorted(found[found > 0]) == plane[:, kind_of(h, w) == kind].ravel().tolist()


def graph(pads: list[int], kernel: list[int], op: str = "Conv") -> bytes:
    """An ONNX file of one operation that reads x."""
    weight = onnx_writer.tensor("w", np.ones((1, 1, *kernel), np.float32))
    about = {"kernel_shape": kernel, "pads": pads, "dilations": [2, 2], "strides": [1, 1]}
    inputs = ["x", "w"] if op == "Conv" else ["x"]
    node = onnx_writer.node(op, inputs, "y", **(about if op == "Conv" else {}))
    names = [
        (number, onnx_writer.message([(1, name)])) for number, name in ((11, b"x"), (12, b"y"))
    ]
    return onnx_writer.message([(7, onnx_writer.pieces([(1, node), (5, weight), *names]))])


def test_taps_an_odd_number_of_cells_away_are_taken_and_others_refused() -> None:
    assert len(read_graph(halved(graph([2, 1, 2, 1], [3, 2]), "x")).nodes) == 2
    for data in (
        graph([2, 2, 2, 2], [3, 3]),
        graph([1, 1, 1, 1], [2, 2]),
        graph([0, 1, 0, 1], [1, 1], "Softmax"),
    ):
        with pytest.raises(ValueError, match=r"anchors|cells"):
            halved(data, "x")
