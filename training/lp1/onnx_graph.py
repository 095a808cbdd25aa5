"""Write torch modules as small ONNX graphs.

Initializers are float16 for transforms and int16 for the prior, and carry the torch parameter's
name, so that a shipped model can be read back to go on training.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from training.grids import ACT_MAX
from training.lp1.blocks import Conv, Depthwise, Residual, WSiLU
from training.lp1.integer import IntegerLayer
from training.lp1.transforms import Analysis, Synthesis

# Old on purpose: ONNX Runtime 1.13 and later read them.
OPSET = 17
IR_VERSION = 8

Shape = list[int | str]  # of a tensor; a string names a free dimension


def geometry(conv: nn.Conv2d) -> dict[str, Any]:
    """The attributes of a convolution's ONNX node."""
    grouped = {"group": conv.groups} if conv.groups > 1 else {}  # most runtimes know one group
    return {
        "kernel_shape": list(conv.kernel_size),
        "pads": [*conv.padding, *conv.padding],
        "strides": list(conv.stride),
        "dilations": list(conv.dilation),
        **grouped,
    }


class Graph:
    """Collects the nodes of one graph.

    Tensors are known by their names: every method takes and returns names. `name` of a module or
    a layer is what its initializers' names begin with.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Append a node with one output.

        Args:
            op: An operator of ONNX.
            inputs: Tensors.
            attributes: As the operator wants them.
        """
        out = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], **attributes))
        return out

    def constant(self, name: str, array: np.ndarray, cast: bool = True) -> str:
        """An initializer of the array's dtype. With `cast`, what is returned is it as float32."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return self.node("Cast", name, to=TensorProto.FLOAT) if cast else name

    def scalar(self, value: float) -> str:
        """A float32 initializer of shape ()."""
        return self.constant(f"c{len(self.initializers)}", np.array(value, np.float32), cast=False)

    def convolution(self, x: str, conv: nn.Conv2d, name: str, fold: int = 1) -> str:
        """A convolution with float16 weights.

        Args:
            x: (N, C, H, W).
            conv: Its factors, where it has some, are folded.
            name: Of its initializers.
            fold: Factor of a pixel unshuffle before it, which it takes over as its stride.
        """
        weight, bias = conv.folded() if isinstance(conv, Conv) else (conv.weight, conv.bias)
        shape = geometry(conv)
        if fold > 1:
            weight = weight.reshape(len(weight), -1, fold, fold)
            shape |= {"kernel_shape": [fold, fold], "strides": [fold, fold]}
        half = lambda t: t.detach().cpu().numpy().astype(np.float16)
        params = [x, self.constant(f"{name}.weight", half(weight))]
        if bias is not None:
            params.append(self.constant(f"{name}.bias", half(bias)))
        return self.node("Conv", *params, **shape)

    def sequence(self, x: str, m: nn.Sequential, name: str) -> str:
        """A sequence's parts.

        A pixel unshuffle by f and the 1 x 1 convolution after it become one of stride f.
        """
        fold = 1
        for i, part in enumerate(m):
            if isinstance(part, nn.PixelUnshuffle):
                fold = part.downscale_factor
            elif fold > 1:
                x = self.convolution(x, part, f"{name}.{i}", fold)
                fold = 1
            else:
                x = self.module(x, part, f"{name}.{i}")
        return x

    def module(self, x: str, m: nn.Module, name: str) -> str:
        """A module of a transform.

        Raises:
            TypeError: It is of a class that is not known here.
        """
        if isinstance(m, nn.Sequential):
            return self.sequence(x, m, name)
        if isinstance(m, nn.Conv2d):
            return self.convolution(x, m, name)
        if isinstance(m, nn.ReLU):
            return self.node("Relu", x)
        if isinstance(m, nn.Identity):  # a block that `training.lp1.pruning` left out
            return x
        if isinstance(m, WSiLU):
            gate = self.node("Sigmoid", self.node("Mul", x, self.scalar(4)))
            return self.node("Mul", x, gate)
        if isinstance(m, nn.GELU):
            error = self.node("Erf", self.node("Mul", x, self.scalar(0.5**0.5)))
            half = self.node("Mul", x, self.scalar(0.5))
            return self.node("Mul", half, self.node("Add", error, self.scalar(1)))
        if isinstance(m, nn.PixelShuffle):
            return self.shuffle(x, m.upscale_factor)
        if isinstance(m, Residual | Depthwise):
            return self.block(x, m, name)
        if isinstance(m, Synthesis):
            t = self.module(x, m.trunk, f"{name}.trunk")
            out = self.module(t, m.coarse, f"{name}.coarse")
            if hasattr(m, "fine"):
                out = self.node("Add", out, self.module(t, m.fine, f"{name}.fine"))
            return self.node("Add", out, self.module(x, m.linear, f"{name}.linear"))
        if isinstance(m, Analysis):
            deep = self.module(x, m.deep, f"{name}.deep")
            return self.node("Add", deep, self.module(x, m.linear, f"{name}.linear"))
        raise TypeError(type(m))

    def block(self, x: str, m: Residual | Depthwise, name: str) -> str:
        """x + b(act(a(x))), with the depthwise convolution before a where there is one."""
        t = x
        if isinstance(m, Depthwise):
            t = self.convolution(t, m.spatial, f"{name}.spatial")
        t = self.module(self.convolution(t, m.a, f"{name}.a"), m.act, f"{name}.act")
        return self.node("Add", x, self.convolution(t, m.b, f"{name}.b"))

    def shuffle(self, x: str, factor: int) -> str:
        """(N, C factor^2, H, W) -> (N, C, factor H, factor W)."""
        return self.node("DepthToSpace", x, blocksize=factor, mode="CRD")

    def integer_convolution(self, x: str, name: str, weight: np.ndarray, conv: nn.Conv2d) -> str:
        """A convolution without bias.

        Args:
            x: Integers.
            name: Of the convolution in the prior.
            weight: int16, what stands in place of conv's weight.
            conv: Says the geometry.
        """
        return self.node("Conv", x, self.constant(f"prior.{name}.weight", weight), **geometry(conv))

    def rescale(self, x: str, name: str, layer: IntegerLayer, bias: str | None = None) -> str:
        """round(2^-shift * (x + bias)): exact, since x + bias stays below 2^23.

        Args:
            x: Integers, what the layer's convolutions add up to.
            name: Of the layer.
            layer: Says the shift, and the bias unless it is a tensor.
            bias: A tensor (1, out, 1, 1).
        """
        column = lambda a: a.reshape(1, -1, 1, 1)
        x = self.node("Add", x, bias or self.constant(f"prior.{name}.bias", column(layer.bias)))
        factor = column(2.0 ** -layer.shift.astype(np.float32))
        scale = self.constant(f"prior.{name}.scale", factor, cast=False)
        return self.node("Round", self.node("Mul", x, scale))

    def activation(self, x: str) -> str:
        """The hidden activations' clipped ReLU, in integers."""
        return self.node("Clip", x, self.scalar(0), self.scalar(ACT_MAX))

    def save(
        self,
        path: str,
        inputs: dict[str, tuple[int, Shape]],
        outputs: dict[str, tuple[str, int, Shape]],
    ) -> None:
        """Check the graph and write it.

        Args:
            path: Of the file.
            inputs: Name -> type, shape.
            outputs: Name -> tensor, type, shape.

        Raises:
            onnx.checker.ValidationError: The graph is not valid.
        """
        ends = [
            helper.make_node("Identity", [tensor], [name])
            for name, (tensor, _, _) in outputs.items()
        ]
        taken = [helper.make_tensor_value_info(n, t, s) for n, (t, s) in inputs.items()]
        given = [helper.make_tensor_value_info(n, t, s) for n, (_, t, s) in outputs.items()]
        graph = helper.make_graph(self.nodes + ends, "latentpress", taken, given, self.initializers)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="latentpress"
        )
        onnx.checker.check_model(model)
        onnx.save(model, path)
