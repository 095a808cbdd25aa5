"""Graphs in int8: within their rounding of the float ones, and other graphs than the shipped."""

import numpy as np
import pytest

from latentpress import models
from latentpress.runtimes import onnx_writer
from latentpress.runtimes.on_onnxruntime import OnnxruntimeGraph
from latentpress.runtimes.onnx_file import read_graph
from latentpress.runtimes.quantize import (
    WEIGHT_MAX,
    WEIGHT_MAX_IN_PAIRS,
    Ranges,
    activation,
    quantized,
)

RNG = np.random.default_rng(0)


def test_zero_is_a_level_and_the_limits_are_reached() -> None:
    assert activation((0.0, 255.0)) == (1.0, 0)
    assert activation((-1.0, 1.0))[1] == 128
    assert activation((2.0, 5.0)) == (5 / 255, 0)
    assert activation((0.0, 0.0)) == (1.0, 0)


@pytest.mark.parametrize("name", ["analysis.onnx", "synthesis.onnx"])
def test_only_convolutions_with_ranges_change(name: str) -> None:
    data = models.read_file("lp1", name)
    assert [n.op for n in read_graph(quantized(data, {})).nodes] == [
        n.op for n in read_graph(data).nodes
    ]
    ranges = models.ranges("lp1")
    graph, before = read_graph(quantized(data, ranges)), read_graph(data)
    prefix = "ga." if name == "analysis.onnx" else "gs."
    own = [k for k in ranges if k.startswith(prefix)]
    assert own
    assert sum(a.dtype == np.int8 and a.ndim == 4 for a in graph.constants.values()) == len(own)
    assert (graph.inputs, graph.outputs) == (before.inputs, before.outputs)
    for k in own:
        assert f"{k}.weight" not in graph.constants  # its float form is gone
        assert np.abs(graph.constants[f"{k}.weight.levels"].astype(int)).max() == WEIGHT_MAX
    made = {o for n in graph.nodes for o in n.outputs} | set(graph.constants) | set(graph.inputs)
    assert all(i in made for n in graph.nodes for i in n.inputs)


@pytest.mark.parametrize("weight_max", [WEIGHT_MAX, WEIGHT_MAX_IN_PAIRS])
@pytest.mark.parametrize("after", ["Relu", "Identity"])
def test_a_small_graph_of_another_form(weight_max: int, after: str) -> None:
    """Weights that no Cast hides, no bias, and an input that two nodes read."""
    onnx = pytest.importorskip("onnx", reason="needs the package onnx to make a graph")
    helper = onnx.helper
    weight = RNG.normal(0, 1, (4, 3, 3, 3)).astype(np.float32)
    info = [
        helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, None, None, None])
        for n in ("x", "y")
    ]
    nodes = [
        helper.make_node(
            "Conv", ["x", "one.weight"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]
        ),
        helper.make_node(after, ["c"], ["r"]),
        helper.make_node(
            "Conv", ["r", "two.weight"], ["d"], kernel_shape=[1, 1], pads=[0, 0, 0, 0]
        ),
        helper.make_node("Add", ["d", "x"], ["y"]),
    ]
    back = RNG.normal(0, 1, (3, 4, 1, 1)).astype(np.float32)
    constants = [
        onnx.numpy_helper.from_array(a, n)
        for a, n in ((weight, "one.weight"), (back, "two.weight"))
    ]
    graph = helper.make_graph(nodes, "small", info[:1], info[1:], constants)
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    x = RNG.uniform(-1, 1, (1, 3, 9, 11)).astype(np.float32)
    low = 0.0 if after == "Relu" else -20.0
    ranges = {"one": Ranges((-1.0, 1.0), (low, 20.0)), "two": Ranges((low, 20.0), (-60.0, 60.0))}
    int8 = quantized(data, ranges, weight_max)
    onnx.checker.check_model(onnx.load_from_string(int8))
    [expected], [found] = (OnnxruntimeGraph(d, "cpu", 1).run({"x": x}) for d in (data, int8))
    assert 0 < np.abs(found - expected).max() < 2.5
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999


def test_what_is_written_is_read_again() -> None:
    onnx = pytest.importorskip("onnx", reason="needs the package onnx to read what was written")
    for array in (
        RNG.normal(size=(2, 3)).astype(np.float32),
        np.array(7, np.uint8),
        np.array([-3, 200], np.int32),
    ):
        tensor = onnx.TensorProto.FromString(b"".join(onnx_writer.tensor("a", array)))
        assert tensor.name == "a"
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), array)
    node = onnx.NodeProto.FromString(onnx_writer.node("Op", ["a", "b"], "c", axis=3))
    assert (node.op_type, list(node.input), list(node.output)) == ("Op", ["a", "b"], ["c"])
    assert onnx.helper.get_attribute_value(node.attribute[0]) == 3
