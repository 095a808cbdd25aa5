"""What a run leaves to other processes: grading decoded pictures, and the peak memory of one codec
alone.

Imports nothing heavy, so that `start` can set the number of threads before NumPy and ONNX Runtime
are loaded.
"""

from __future__ import annotations

import ctypes
import itertools
import multiprocessing
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentpress._typing import Pixels
    from latentpress.bench.codec_protocol import Codec

    # the original's file, a decoded picture, uint8 (H, W, 3), and metrics
    Cell = tuple[Path, Pixels, list[str]]
    Values = dict[str, float]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "LATENTPRESS_THREADS",  # ONNX Runtime asks for none of the others
)


class Workers(ProcessPoolExecutor):
    """Fresh processes that begin with Ctrl-C held back: `start` comes too late for one that arrives
    while they import.
    """

    def __init__(self, workers: int, threads: int | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.count = workers
        self._is_canceled = context.RawValue(ctypes.c_bool)
        super().__init__(workers, context, initializer=start, initargs=(threads, self._is_canceled))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As ever; a process that this starts inherits the mask."""
        if not hasattr(signal, "pthread_sigmask"):  # Windows
            return super().submit(fn, *args, **kwargs)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As ever; where what waits is canceled, grading ends with the picture that it is at."""
        if cancel_futures:
            self._is_canceled.value = True
        super().shutdown(wait, cancel_futures=cancel_futures)


def pool(workers: int) -> Workers:
    """Processes with one thread each, for `grade_by`: as many metrics at a time as there are
    workers.
    """
    return Workers(workers, 1)


_is_canceled: ctypes.c_bool | None = None  # of a worker


def start(threads: int | None, is_canceled: ctypes.c_bool) -> None:
    """Prepare a worker: the terminal's Ctrl-C is for the process that started it; None leaves the
    threads alone.
    """
    global _is_canceled
    _is_canceled = is_canceled
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if threads is not None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))


def grade(cells: Iterable[Cell], gray: bool) -> Iterator[Values]:
    """Metrics of each decoded picture against its original: name -> value. What metrics find in an
    original is computed once for the cells of it that follow each other.
    """
    from latentpress.bench.datasets import read_pixels
    from latentpress.metrics import Reference

    for original, of_original in itertools.groupby(cells, lambda cell: cell[0]):
        reference = Reference(read_pixels(original), gray=gray)
        for _, decoded, metrics in of_original:
            yield reference.assess(decoded, metrics)


def grade_by(workers: Workers, cells: Sequence[Cell], gray: bool) -> Iterator[Values]:
    """The same by processes, each of which takes cells of one original at a time."""
    most = -(-len(cells) // workers.count)
    parts: list[list[Cell]] = []
    for _, of_original in itertools.groupby(cells, lambda cell: cell[0]):
        while part := list(itertools.islice(of_original, most)):
            parts.append(part)
    for graded in [workers.submit(_grade_part, part, gray) for part in parts]:
        values, error = graded.result()
        yield from values
        if error is not None:
            raise error


def _grade_part(cells: Sequence[Cell], gray: bool) -> tuple[list[Values], Exception | None]:
    """Values of the cells up to the one that fails, and why it does."""
    values: list[Values] = []
    try:
        for each in grade(cells, gray):
            values.append(each)
            if _is_canceled is not None and _is_canceled.value:
                break
    except Exception as error:
        return values, error
    return values, None


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
