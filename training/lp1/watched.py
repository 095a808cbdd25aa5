"""What flows through the convolutions of a shipped graph."""

import itertools
from typing import Any

import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from latentpress import models

Feed = dict[str, NDArray[Any]]


class Watched:
    """A shipped graph whose convolutions' inputs and outputs are outputs too.

    ends: convolution -> the names of its input, and of its output or the Relu after it.
    """

    def __init__(self, name: str) -> None:
        self.data = models.read_file("lp1", name)
        model = onnx.load_from_string(self.data)
        casts = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Cast"}
        readers: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for tensor in node.input:
                readers.setdefault(tensor, []).append(node)
        self.ends: dict[str, tuple[str, str]] = {}
        for node in model.graph.node:
            if node.op_type == "Conv":
                output = node.output[0]
                after = readers[output]
                if len(after) == 1 and after[0].op_type == "Relu":
                    output = after[0].output[0]
                name = casts[node.input[1]].removesuffix(".weight")
                self.ends[name] = node.input[0], output
        inputs = {i.name for i in model.graph.input}
        self.tensors = sorted(set(itertools.chain(*self.ends.values())) - inputs)
        for tensor in self.tensors:
            model.graph.output.append(onnx.ValueInfoProto(name=tensor))
        self.session = ort.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )

    def values(self, feed: Feed) -> dict[str, NDArray[Any]]:
        """The tensors of one run, by their names."""
        found = self.session.run(self.tensors, feed)
        return dict(feed) | dict(zip(self.tensors, found, strict=True))
