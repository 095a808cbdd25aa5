"""The torch twins of the shipped graphs: the same numbers as ONNX Runtime's, and gradients that are
derivatives.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from latentpress import models  # noqa: E402
from latentpress.optimize.onnx_torch import torch_graph  # noqa: E402
from latentpress.runtimes.onnx_file import read_graph  # noqa: E402
from latentpress.runtimes.torch_graph import TorchGraph  # noqa: E402
from latentpress.spaces import LP1  # noqa: E402

GRAPHS = ("analysis.onnx", "synthesis.onnx", "hyper_analysis.onnx", "features.onnx", "context.onnx")
M = LP1.channels
RNG = np.random.default_rng(0)


def whole(*shape: int, largest: int = 127) -> NDArray[np.float32]:
    return np.clip(np.round(RNG.laplace(0, largest / 20, shape)), -largest, largest).astype(
        np.float32
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_the_reader_finds_what_onnx_finds(name: str) -> None:
    data = models.read_file("lp1", name)
    ours, theirs = read_graph(data), onnx.load_from_string(data).graph
    assert [(n.op, n.inputs, n.outputs) for n in ours.nodes] == [
        (n.op_type, tuple(n.input), tuple(n.output)) for n in theirs.node
    ]
    for node, other in zip(ours.nodes, theirs.node, strict=True):
        assert node.attributes == {
            a.name: onnx.helper.get_attribute_value(a) for a in other.attribute
        }
    assert set(ours.constants) == {t.name for t in theirs.initializer}
    for t in theirs.initializer:
        np.testing.assert_array_equal(ours.constants[t.name], onnx.numpy_helper.to_array(t))
    assert (ours.inputs, ours.outputs) == (
        tuple(i.name for i in theirs.input),
        tuple(o.name for o in theirs.output),
    )


def test_a_file_that_is_cut_off_is_refused() -> None:
    data = models.read_file("lp1", "features.onnx")
    with pytest.raises(ValueError, match="cut off"):
        read_graph(data[: len(data) // 2])


def test_pixels_are_within_one_level() -> None:
    y = RNG.normal(0, 2, (1, M, 5, 7)).astype(np.float32)
    [expected], [found] = (
        models.run("lp1", "synthesis.onnx", y=y),
        torch_graph("lp1", "synthesis.onnx")(y=torch.from_numpy(y)),
    )
    assert found.shape == expected.shape
    assert np.abs(found.numpy() - expected).max() <= 1
    [before] = torch_graph("lp1", "synthesis.onnx", "Round")(y=torch.from_numpy(y))
    assert np.abs(before.permute(0, 2, 3, 1).numpy() - expected).max() <= 0.51


def test_the_integer_graphs_are_exact() -> None:
    bias = models.arrays("lp1", "levels.npz")["bias"][3].reshape(1, -1, 1, 1).astype(np.float32)
    z, white = whole(1, 64, 2, 3), whole(1, M, 8, 12)
    expected = models.run("lp1", "features.onnx", z=z, bias=bias)
    found = torch_graph("lp1", "features.onnx")(z=torch.from_numpy(z), bias=torch.from_numpy(bias))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.numpy(), b)
    [head] = models.run("lp1", "context.onnx", features=expected[0], white=white)
    np.testing.assert_array_equal(
        torch_graph("lp1", "context.onnx")(features=found[0], white=torch.from_numpy(white))[
            0
        ].numpy(),
        head,
    )


def test_the_gradient_of_synthesis_is_its_derivative() -> None:
    run = torch_graph("lp1", "synthesis.onnx", "Clip")
    y, direction = (
        torch.from_numpy(RNG.normal(0, 1, (1, M, 2, 2)).astype(np.float32)) for _ in range(2)
    )
    y.requires_grad_()
    (run(y=y)[0] / 255).square().sum().backward()
    with torch.no_grad():
        low, high = (
            (run(y=y + t * direction)[0].double() / 255).square().sum() for t in (-1e-3, 1e-3)
        )
    assert float((y.grad * direction).sum()) == pytest.approx(float(high - low) / 2e-3, rel=0.02)


def test_round_and_clip_pass_gradients() -> None:
    def tiny() -> bytes:
        helper = onnx.helper
        info = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [4]) for n in ("x", "out")]
        ends = [
            onnx.numpy_helper.from_array(np.array(v, np.float32), n)
            for n, v in (("low", 0), ("high", 2))
        ]
        nodes = [
            helper.make_node("Clip", ["x", "low", "high"], ["t"]),
            helper.make_node("Round", ["t"], ["out"]),
        ]
        data: bytes = helper.make_model(
            helper.make_graph(nodes, "tiny", info[:1], info[1:], ends)
        ).SerializeToString()
        return data

    x = torch.tensor([-1.0, 0.4, 1.5, 3.0], requires_grad=True)
    [out] = TorchGraph(tiny())(x=x)
    out.sum().backward()
    assert out.tolist() == [0, 0, 2, 2]
    assert x.grad.tolist() == [0, 1, 1, 0]
