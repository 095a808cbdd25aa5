"""Graphs on ONNX Runtime, the runtime of every installation."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from latentpress.runtimes.choice import PROVIDERS

CPU = "CPUExecutionProvider"


def session_options(threads: int) -> Any:
    """Options of a session. threads: 0 for all cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # half the peak memory, at no measured cost in time
    # a thread that waits in a loop takes the core from what is coded meanwhile
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


class OnnxruntimeGraph:
    """A session. device: cpu, cuda or mps; what it cannot run there, it runs on the CPU."""

    def __init__(self, data: bytes, device: str, threads: int) -> None:
        import onnxruntime

        providers = [PROVIDERS[device], CPU] if device in PROVIDERS else [CPU]
        self._session = onnxruntime.InferenceSession(
            data, session_options(threads), providers=providers
        )

    def run(self, feeds: Mapping[str, NDArray[Any]], *, frugal: bool = False) -> list[NDArray[Any]]:
        """As of RunningGraph."""
        options = None
        if frugal:
            import onnxruntime

            options = onnxruntime.RunOptions()
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        outputs: list[NDArray[Any]] = self._session.run(None, dict(feeds), options)
        return outputs
