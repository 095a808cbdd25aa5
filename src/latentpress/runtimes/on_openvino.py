"""Graphs on OpenVINO, an extra: on a processor with AMX its bfloat16 is several times as fast as
float32.

bfloat16 is a hint: convolutions take it, and what follows the last of them, where pixels are
rounded, stays in float32.
"""

import os
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.system.environment import usable_cores
from latentpress.system.once import once

HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}  # int8: of what is not int8


def core() -> Any:
    """OpenVINO's entry, one a process: in a forked one the threads of the other's are missing.

    Its tables of NumPy's types are made here, while other threads wait. It makes them at their
    first use, under a lock that it keeps while it waits for the interpreter: two threads that use
    them first at one time wait for each other for ever (seen with 2026.4).
    """
    return _core(os.getpid())


@once
def _core(process: int) -> Any:
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)  # without it OpenVINO tells nobody of its import
    import openvino

    openvino.Tensor(np.zeros(1, np.float32)).element_type.to_dtype()
    return openvino.Core()


class OpenvinoGraph:
    """A compiled graph and its idle requests. precision: float32, bfloat16, or int8 of a file that
    is quantized. threads: of one run; as many runs go side by side as the cores allow.
    """

    def __init__(self, data: bytes, precision: str, threads: int) -> None:
        cores = usable_cores()
        streams = max(1, cores // threads) if threads else 1
        self._compiled = core().compile_model(
            core().read_model(model=data),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": HINTS[precision],
                "INFERENCE_NUM_THREADS": threads * streams or cores,
                "NUM_STREAMS": streams,
                "ENABLE_CPU_PINNING": False,  # other work shares the cores
            },
        )
        self._idle = deque[Any]()

    def run(self, feeds: Mapping[str, NDArray[Any]], *, frugal: bool = False) -> list[NDArray[Any]]:
        """As of RunningGraph."""
        try:
            request = self._idle.pop()  # atomic: threads may share the graph
        except IndexError:
            request = self._compiled.create_infer_request()
        results = request.infer(dict(feeds), share_inputs=True, share_outputs=True)
        outputs = [np.array(results[output]) for output in self._compiled.outputs]
        if not frugal:
            self._idle.append(request)
        return outputs
