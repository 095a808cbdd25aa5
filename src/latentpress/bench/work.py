"""What a run leaves to other processes: grading a decoded picture, and the peak memory of one codec
alone.

Imports nothing heavy, so that `start` can set the number of threads before NumPy and ONNX Runtime
are loaded.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentpress._typing import Pixels
    from latentpress.bench.codec_protocol import Codec

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Workers(ProcessPoolExecutor):
    """Fresh processes that begin with Ctrl-C held back: `start` comes too late for one that arrives
    while they import.
    """

    def __init__(self, workers: int, threads: int | None) -> None:
        super().__init__(
            workers, multiprocessing.get_context("spawn"), initializer=start, initargs=(threads,)
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As ever; a process that this starts inherits the mask."""
        if not hasattr(signal, "pthread_sigmask"):  # Windows
            return super().submit(fn, *args, **kwargs)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def pool(workers: int) -> ProcessPoolExecutor:
    """Processes with one thread each, for `grade`: as many metrics at a time as there are
    workers.
    """
    return Workers(workers, 1)


def start(threads: int | None) -> None:
    """Prepare a worker: the terminal's Ctrl-C is for the process that started it; None leaves the
    threads alone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if threads is not None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))


def grade(original: Path, decoded: Pixels, metrics: list[str], gray: bool) -> dict[str, float]:
    """Metrics of a decoded picture, uint8 (H, W, 3), against the original in a file: name ->
    value.
    """
    from latentpress.bench.datasets import read_pixels
    from latentpress.metrics import assess

    return assess(read_pixels(original), decoded, metrics, gray=gray)


def measure_memory(codec: Codec, picture: Path, quality: float) -> dict[str, float | None]:
    """Peak resident memory in MB of encoding and of decoding a picture, each in a process of its
    own, and the time to load.

    idle_mb: that process with the picture read, before the codec is touched. load_s: what the first
    compression and decompression of a process take beyond the second ones. Values are None where
    the system does not tell.
    """
    with Workers(1, None) as process:
        encoding: dict[str, Any] = process.submit(_encode, codec, picture, quality).result()
    with Workers(1, None) as process:
        decoding: dict[str, Any] = process.submit(_decode, codec, encoding.pop("data")).result()
    load = (
        None
        if codec.kind == "external"
        else round(max(0.0, encoding["load"]) + max(0.0, decoding["load"]), 4)
    )
    return {
        "idle_mb": encoding["idle"],
        "peak_encode_mb": encoding["peak"],
        "peak_decode_mb": decoding["peak"],
        "load_s": load,
    }


def _encode(codec: Codec, picture: Path, quality: float) -> dict[str, Any]:
    from latentpress.bench.datasets import read_pixels

    pixels = read_pixels(picture)
    idle = _peak_mb(False)
    first, data = timed(codec.encode, pixels, quality)
    peak = _peak_mb(codec.kind == "external")
    return {
        "data": data,
        "idle": idle,
        "peak": peak,
        "load": first - timed(codec.encode, pixels, quality)[0],
    }


def _decode(codec: Codec, data: bytes) -> dict[str, Any]:
    first, _ = timed(codec.decode, data)
    peak = _peak_mb(codec.kind == "external")
    return {"peak": peak, "load": first - timed(codec.decode, data)[0]}


def timed(function: Any, *arguments: Any) -> tuple[float, Any]:
    """Seconds that a call took, and what it returned."""
    begin = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - begin, result


def _peak_mb(of_children: bool) -> float | None:
    """Peak resident set of this process, or of the largest it started, in MB.

    Linux: VmHWM, because ru_maxrss keeps the size of the process that started this one.
    """
    if not of_children and (status := Path("/proc/self/status")).is_file():
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(match.group(1)) * 1024 / 1e6 if match else None
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(
        resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
    ).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
