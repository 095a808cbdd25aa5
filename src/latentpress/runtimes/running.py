"""The interface that every runtime gives a graph, and the one place where a runtime is imported."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.runtimes import native
from latentpress.runtimes.choice import Choice
from latentpress.runtimes.processor import has_byte_dot_product
from latentpress.runtimes.quantize import WEIGHT_MAX, WEIGHT_MAX_IN_PAIRS, Ranges, quantized


class RunningRows(Protocol):
    """A graph that is run over one picture in bands of rows, top to bottom."""

    def put(self, rows: NDArray[Any], is_last: bool) -> NDArray[Any]:
        """The graph's input for the next rows -> its output for those that are known by then."""
        ...


class RunningGraph(Protocol):
    """A graph that is ready to run. Threads may share it."""

    def run(self, feeds: Mapping[str, NDArray[Any]], *, frugal: bool = False) -> list[NDArray[Any]]:
        """Named inputs -> the outputs, in the graph's order. frugal: keep no working memory."""
        ...


def open_graph(
    data: bytes,
    choice: Choice,
    threads: int,
    ranges: Mapping[str, Ranges],
    steps: Mapping[str, Floats] | None = None,
    turned: Mapping[str, NDArray[np.uint8]] | None = None,
) -> RunningGraph:
    """Make an ONNX file ready to run.

    Args:
        data: The file's bytes, with float weights.
        choice: The runtime, its device and its precision.
        threads: On the CPU; 0 for all cores.
        ranges: Of the convolutions that int8 takes, as of `quantize.quantized`.
        steps, turned: Of the convolutions that take bytes on the runtime native, as of
            `layers.read`.

    Raises:
        ImportError: The runtime is not installed, or not whole.
        RuntimeError: The runtime refuses the graph. ONNX Runtime's own exceptions, which have no
            common base, are passed on as they are.
    """
    if choice.runtime == "native":
        if choice.precision == "int16":
            from latentpress.runtimes.on_native_integers import IntegerGraph

            return IntegerGraph(data, threads)
        from latentpress.runtimes.on_native import NativeGraph

        if choice.precision == "int8":
            return NativeGraph(data, steps or {}, threads, turned, may_round=True)
        # a transform in floats: a third of the products by AVX2 take less time than all by AVX-512
        how = native.AVX2_ALONE if steps else native.NOTHING
        return NativeGraph(data, {}, threads, how=how)
    if choice.precision == "int8":
        data = quantized(
            data, ranges, WEIGHT_MAX if has_byte_dot_product() else WEIGHT_MAX_IN_PAIRS
        )
    if choice.runtime == "openvino":
        from latentpress.runtimes.on_openvino import OpenvinoGraph

        return OpenvinoGraph(data, choice.precision, threads)
    if choice.runtime == "torch":
        from latentpress.runtimes.on_torch import OnTorch

        return OnTorch(data, choice.device, choice.precision)
    from latentpress.runtimes.on_onnxruntime import OnnxruntimeGraph

    return OnnxruntimeGraph(data, choice.device, threads)
