"""Graphs on ONNX Runtime, the runtime of every installation."""

from collections.abc import Mapping
from functools import cache
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


@cache
def has_common_memory() -> bool:
    """Have the sessions of this process take their working memory from one arena, where each
    would otherwise keep the most that it ever needed. False where ONNX Runtime refuses it.
    """
    import onnxruntime

    kind, use = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    memory = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, use)
    try:
        onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg(0, -1, -1, -1))
    except Exception:  # ONNX Runtime's have no common base
        return False
    return True


class OnnxruntimeGraph:
    """A session. device: cpu, cuda or mps; what it cannot run there, it runs on the CPU."""

    def __init__(self, data: bytes, device: str, threads: int) -> None:
        import onnxruntime

        providers = [PROVIDERS[device], CPU] if device in PROVIDERS else [CPU]
        options = session_options(threads)
        if device == "cpu" and has_common_memory():
            options.add_session_config_entry("session.use_env_allocators", "1")
        self._session = onnxruntime.InferenceSession(data, options, providers=providers)

    def run(self, feeds: Mapping[str, NDArray[Any]], *, frugal: bool = False) -> list[NDArray[Any]]:
        """As of RunningGraph."""
        options = None
        if frugal:
            import onnxruntime

            options = onnxruntime.RunOptions()
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        outputs: list[NDArray[Any]] = self._session.run(None, dict(feeds), options)
        return outputs
