"""Feature maps on ONNX Runtime: the network as a small graph, made in memory."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from latentpress._typing import Floats
from latentpress.metrics.trunks import HANN, L2_EPSILON, Features, Trunk
from latentpress.metrics.weights import load_network
from latentpress.models import naming_failures
from latentpress.runtimes.on_onnxruntime import session_options
from latentpress.runtimes.threads import threads

OPSET, IR_VERSION = 17, 8  # old on purpose: every ONNX Runtime of the last years reads them


def build(trunk: Trunk) -> Features:
    """The trunk as a function on arrays (1, 3, H, W), any H and W."""
    import onnxruntime  # not before latentpress.runtimes

    session = onnxruntime.InferenceSession(
        graph(trunk).SerializeToString(),
        session_options(threads()),
        providers=["CPUExecutionProvider"],
    )

    def features(image: Floats) -> list[Floats]:
        with naming_failures("a metric's network"):
            maps: list[Floats] = session.run(None, {"image": image})
        return maps

    return features


def graph(trunk: Trunk) -> onnx.ModelProto:
    """The ONNX model: input "image" (1, 3, H, W) float32, one output a tap."""
    nodes: list[onnx.NodeProto] = []
    arrays: list[onnx.TensorProto] = []

    def node(op: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, list(inputs), [f"t{len(nodes)}"], **attributes))
        return f"t{len(nodes) - 1}"

    def constant(name: str, array: Floats) -> str:
        arrays.append(numpy_helper.from_array(array, name))
        return name

    x = "image"
    channels = 3
    outputs = []
    for i, (kernel, bias) in enumerate(load_network(trunk.weights).convolutions):
        if i in trunk.pools:
            kind, window, stride = trunk.pools[i]
            if kind == "max":
                x = node("MaxPool", x, kernel_shape=[window] * 2, strides=[stride] * 2)
            else:
                hann = constant(
                    f"hann{i}", np.ascontiguousarray(np.broadcast_to(HANN, (channels, 1, 3, 3)))
                )
                mean = node(
                    "Conv",
                    node("Mul", x, x),
                    hann,
                    group=channels,
                    strides=[stride] * 2,
                    pads=[1] * 4,
                )
                x = node(
                    "Sqrt",
                    node("Add", mean, constant(f"epsilon{i}", np.array(L2_EPSILON, np.float32))),
                )
        parameters = constant(f"kernel{i}", kernel), constant(f"bias{i}", bias)
        x = node(
            "Relu",
            node(
                "Conv",
                x,
                *parameters,
                strides=[trunk.stride if i == 0 else 1] * 2,
                pads=[trunk.padding[i]] * 4,
            ),
        )
        channels = len(bias)
        if i in trunk.taps:
            outputs.append(x)
    output_infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs
    ]
    input_infos = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, None, None])]
    body = helper.make_graph(nodes, "features", input_infos, output_infos, arrays)
    return helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="latentpress",
    )
