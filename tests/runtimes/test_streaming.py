"""A graph in its streaming form gives, band by band, what it gives of the whole picture."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from latentpress import models
from latentpress.runtimes.choice import EXACT
from latentpress.runtimes.running import open_graph
from latentpress.runtimes.streaming import StreamingGraph, streaming
from latentpress.spaces import LP1

GRAPHS = {"analysis.onnx": (1, 2), "synthesis.onnx": (2, 1)}  # the axes of rows, in and out


def picture(name: str, rows: int, columns: int) -> dict[str, NDArray]:
    rng = np.random.default_rng(rows)
    if name == "analysis.onnx":
        return {"pixels": rng.integers(0, 256, (1, 16 * rows, 16 * columns, 3), dtype=np.uint8)}
    return {"y": 3 * rng.normal(size=(1, LP1.channels, rows, columns)).astype(np.float32)}


def in_bands(
    graph: StreamingGraph, name: str, feed: dict[str, NDArray], edges: list[int]
) -> NDArray:
    """The outputs of all bands, one below the other. edges: in units of rows, ascending."""
    axis_in, axis_out = GRAPHS[name]
    [(key, whole)] = feed.items()
    session = open_graph(graph.data, EXACT, 1, {})
    columns = whole.shape[2 if axis_in == 1 else 3]
    state, outputs = None, []
    for top, bottom in itertools.pairwise(edges):
        band = whole.take(range(graph.unit * top, graph.unit * bottom), axis_in)
        feeds = {key: band, **graph.feeds(state, columns, bottom == edges[-1])}
        output, *state = session.run(feeds)
        outputs.append(output)
    return np.concatenate(outputs, axis_out)


def assert_same(name: str, found: NDArray, whole: NDArray) -> None:
    assert found.shape == whole.shape
    if name == "analysis.onnx":
        assert np.abs(found - whole).max() < 1e-4 * np.abs(whole).max()
    else:
        assert np.abs(found.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(
    ("rows", "columns", "height"), [(10, 3, 1), (11, 1, 1), (23, 2, 1), (26, 3, 7), (37, 2, 16)]
)
def test_bands_equal_the_whole(name: str, rows: int, columns: int, height: int) -> None:
    graph = streaming(models.read_file("lp1", name))
    feed = picture(name, rows, columns)
    [whole] = open_graph(models.read_file("lp1", name), EXACT, 1, {}).run(feed)
    edges = [0, *range(graph.first, rows, height), rows]
    assert_same(name, in_bands(graph, name, feed, edges), whole)


@pytest.mark.parametrize("name", GRAPHS)
def test_no_row_is_computed_twice(name: str) -> None:
    graph = streaming(models.read_file("lp1", name))
    axis_in, axis_out = GRAPHS[name]
    [(key, whole)] = picture(name, 30, 1).items()
    session = open_graph(graph.data, EXACT, 1, {})
    columns = whole.shape[2 if axis_in == 1 else 3]
    state, rows, kept = None, [], []
    for top in (0, 12, 15, 18):
        bottom = 12 if top == 0 else top + 3
        band = whole.take(range(graph.unit * top, graph.unit * bottom), axis_in)
        output, *state = session.run({key: band, **graph.feeds(state, columns, False)})
        rows.append(output.shape[axis_out])
        kept.append([s.shape for s in state])
    assert rows[1] == rows[2] == rows[3] == 3 * (1 if axis_out == 2 else 16)
    assert kept[0] == kept[1] == kept[3]
    assert sum(shape[2] for shape in kept[0]) < 200  # a few rows of each layer


def test_an_unknown_operation_is_refused() -> None:
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("GlobalAveragePool", ["x"], ["y"])
    ends = [onnx.helper.make_tensor_value_info(n, 1, [1, 2, None, None]) for n in "xy"]
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:])
    with pytest.raises(ValueError, match="GlobalAveragePool"):
        streaming(onnx.helper.make_model(graph).SerializeToString())


NEXT = {
    "analysis": "fold:12:8 depthwise:3 fold:16 depthwise:2",
    "synthesis": "mix:16 depthwise:2 up:12 depthwise:3",
}
ODD = {
    "analysis": "conv:8:8:4 dense fold:12 depthwise down:16 dense",
    "synthesis": "mix:16 dense up:12 depthwise up:8 dense",
}


@pytest.mark.parametrize("shape", [NEXT | {"head": "shuffle"}, ODD | {"activation": "wsilu"}])
def test_other_shapes_of_networks(shape: dict[str, str], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from training.lp1.codec import Codec
    from training.lp1.export import export_transforms
    from training.lp1.shape import Shape

    torch.manual_seed(0)
    export_transforms(
        Codec(Shape(**shape, latent=LP1.channels, hyper=8, features=8, context=8)), tmp_path
    )
    for name in GRAPHS:
        data = (tmp_path / name).read_bytes()
        graph = streaming(data)
        feed = picture(name, graph.first + 9, 2)
        [whole] = open_graph(data, EXACT, 1, {}).run(feed)
        edges = [0, *range(graph.first, graph.first + 9, 2), graph.first + 9]
        assert_same(name, in_bands(graph, name, feed, edges), whole)
