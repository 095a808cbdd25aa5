"""Runs a shipped ONNX graph on torch tensors, with gradients or without.

Clip passes its gradient inside the range, Round as if it were the identity (straight-through), and
a Cast to integers is left out, for a tensor of integers has no gradient: the values are whole
numbers there all the same.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from latentpress._typing import Tensor
from latentpress.runtimes.onnx_file import Node, read_graph

UINT8 = 2  # TensorProto.DataType


def straight_through(t: Tensor) -> Tensor:
    """t rounded, half to even; its gradient is that of t."""
    return t + (t.round() - t).detach()


class TorchGraph:
    """A graph as a function on tensors: graph(y=...) gives the list of its outputs, float32.

    data: an ONNX file. rounding: what Round does. until: leave out the nodes from the first of this
    op type, and give its input instead of the outputs. device: where it runs. dtype: of the
    convolutions; all else is in float32. casts: do the Casts to integers too.
    """

    def __init__(
        self,
        data: bytes,
        rounding: Callable[[Tensor], Tensor] = straight_through,
        until: str | None = None,
        *,
        device: str = "cpu",
        dtype: Any = torch.float32,
        casts: bool = False,
    ) -> None:
        graph = read_graph(data)
        self._constants: dict[str, Tensor] = {}
        for name, array in graph.constants.items():
            constant = torch.from_numpy(array.astype(np.float32)).to(device)
            self._constants[name] = _channels_last(constant)
        self._rounding = rounding
        self._casts = casts
        self._nodes = list[Node]()
        self._outputs = graph.outputs
        for node in graph.nodes:
            if node.op == until:
                self._outputs = node.inputs[:1]
                break
            if all(name in self._constants for name in node.inputs):
                [name] = node.outputs
                self._constants[name] = self._run(node, [self._constants[i] for i in node.inputs])
            else:
                self._nodes.append(node)
        for node in self._nodes:
            for name in node.inputs[1:] if node.op == "Conv" else ():
                self._constants[name] = self._constants[name].to(dtype)

    def __call__(self, **feeds: Tensor) -> list[Tensor]:
        """Named inputs, (1, C, h, w) each -> the outputs."""
        values = self._constants | {name: _channels_last(value) for name, value in feeds.items()}
        for node in self._nodes:
            [name] = node.outputs
            values[name] = self._run(node, [values[i] for i in node.inputs])
        outputs = [values[name] for name in self._outputs]
        return [t if t.dtype == torch.uint8 else t.float() for t in outputs]

    def _run(self, node: Node, x: Sequence[Tensor]) -> Tensor:
        match node.op:
            case "Conv":
                return _convolution(x, **node.attributes)
            case "Relu":
                return F.relu(x[0])
            case "Add":
                return x[0] + x[1]
            case "Sub":
                return x[0] - x[1]
            case "Mul":
                return x[0] * x[1]
            case "Clip":
                return x[0].clamp(float(x[1]), float(x[2]))
            case "Round":
                return self._rounding(x[0])
            case "DepthToSpace" if node.attributes["mode"] == b"CRD":
                return F.pixel_shuffle(x[0], node.attributes["blocksize"])
            case "Transpose":
                return x[0].permute(*node.attributes["perm"])
            case "Cast" if self._casts and node.attributes["to"] == UINT8:
                return x[0].to(torch.uint8)
            case "Cast":
                return x[0].float()
            case "Identity":
                return x[0]
        raise ValueError(f"the shipped graphs hold no operation {node.op} {node.attributes}")


def _convolution(
    x: Sequence[Tensor],
    kernel_shape: Sequence[int],
    pads: Sequence[int],
    strides: Sequence[int] = (1, 1),
    dilations: Sequence[int] = (1, 1),
    group: int = 1,
) -> Tensor:
    bias = x[2] if len(x) > 2 else None
    y = x[0] if x[1].dtype == torch.float32 else x[0].to(x[1].dtype)
    padding = tuple(pads[:2])
    return F.conv2d(y, x[1], bias, tuple(strides), padding, tuple(dilations), group)


def _channels_last(t: Tensor) -> Tensor:
    return t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t
