"""The shipped ONNX graphs as torch functions with gradients (`runtimes/torch_graph.py`)."""

from functools import cache

from latentpress import models
from latentpress.runtimes.torch_graph import TorchGraph


@cache
def torch_graph(space: str, name: str, until: str | None = None) -> TorchGraph:
    """The torch function of a graph of a shipped model, kept between calls."""
    return TorchGraph(models.read_file(space, name), until=until)
