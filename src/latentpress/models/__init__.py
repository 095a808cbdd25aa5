"""The shipped models: verified bytes of their files, and ONNX Runtime sessions that run them.

models/lp1/ holds five ONNX graphs (analysis, synthesis, hyper_analysis, features, context),
levels.npz, and model.json with the SHA-256 of each; those of the Stable Diffusion spaces hold
prior.npz and, where there is one, restoration.onnx. The cards are docs/models.md.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.errors import LatentpressError, UsageError, WeightsError
from latentpress.system.environment import whole_number
from latentpress.system.once import once

FOLDER = Path(__file__).parent
PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
DEVICES = ("auto", "cpu", *PROVIDERS)
MOST_THREADS = 1024
TRANSFORMS = ("analysis.onnx", "synthesis.onnx")  # whose device the user chooses
# in what ONNX Runtime says where memory is short
NO_MEMORY = ("bad_alloc", "Failed to allocate", "BFCArena")


@cache
def manifest(space: str) -> dict[str, Any]:
    """model.json of the space: model_hash (8 hex digits), halo (latent positions), sha256 (file ->
    hex).
    """
    try:
        loaded: dict[str, Any] = json.loads((FOLDER / space / "model.json").read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"the {space} model of this installation is missing or damaged: reinstall latentpress"
        ) from error
    return loaded


def read_file(space: str, name: str) -> bytes:
    """A model file's bytes; WeightsError unless its SHA-256 is the manifest's."""
    try:
        data = (FOLDER / space / name).read_bytes()
    except OSError as error:
        raise WeightsError(
            f"the model file {space}/{name} is missing: reinstall latentpress"
        ) from error
    if hashlib.sha256(data).hexdigest() != manifest(space)["sha256"][name]:
        raise WeightsError(
            f"the model file {space}/{name} is altered: its SHA-256 does not match; reinstall "
            "latentpress"
        )
    return data


@once
def arrays(space: str, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz model file."""
    with np.load(io.BytesIO(read_file(space, name))) as f:
        return dict(f)


def session_options() -> Any:
    """Options of every session. The environment variable LATENTPRESS_THREADS sets the threads
    (default: all cores).
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = whole_number("LATENTPRESS_THREADS", 0, 0, MOST_THREADS)
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # half the peak memory, at no measured cost in time
    return options


def provider(device: str) -> str:
    """auto|cpu|cuda|mps -> ONNX Runtime's name of an available provider; UsageError where it is not
    installed.
    """
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if device not in DEVICES:
        raise UsageError(f"unknown device {device!r}: choose one of {', '.join(DEVICES)}")
    if device == "auto":
        return next(
            (p for p in PROVIDERS.values() if p in available and p != "CoreMLExecutionProvider"),
            "CPUExecutionProvider",
        )
    name = PROVIDERS.get(device, "CPUExecutionProvider")
    if name not in available:
        raise UsageError(
            f"device {device!r} needs an onnxruntime build with {name}; this one has "
            f"{', '.join(available)}"
        )
    return name


@once
def session(space: str, name: str, device: str = "cpu") -> Any:
    """The ONNX Runtime session of a model file, verified and kept. The prior's graphs always run on
    the CPU.
    """
    import onnxruntime

    data = read_file(space, name)
    providers = list(dict.fromkeys([provider(device), "CPUExecutionProvider"]))
    with naming_failures(f"{space}/{name}"):
        return onnxruntime.InferenceSession(data, session_options(), providers=providers)


def open_ahead(space: str, names: Sequence[str], device: str) -> None:
    """Make the sessions of graphs in a thread, in the order in which they will be run, while the
    caller goes on importing and reading. What fails here fails again, and is told, when it is run.

    device: of a transform's graphs, `TRANSFORMS`.
    """

    def work() -> None:
        for name in names:
            with suppress(Exception):
                session(space, name, device if name in TRANSFORMS else "cpu")

    Thread(target=work, name="latentpress sessions").start()


def run(
    space: str, name: str, device: str = "cpu", *, frugal: bool = False, **feeds: NDArray[Any]
) -> list[NDArray[Any]]:
    """Run a model file on named arrays -> its outputs. frugal: give its working memory back, so
    that graphs do not add up.

    MemoryError where there is too little of it, RuntimeError for whatever else ONNX Runtime cannot
    do.
    """
    options = None
    if frugal:
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    opened = session(space, name, device)
    with naming_failures(f"{space}/{name}"):
        outputs: list[NDArray[Any]] = opened.run(None, feeds, options)
    return outputs


@contextmanager
def naming_failures(graph: str) -> Iterator[None]:
    """ONNX Runtime's exceptions, which share no base class but Exception, as MemoryError or
    RuntimeError that names the graph.
    """
    try:
        yield
    except (LatentpressError, MemoryError, RuntimeError):
        raise
    except Exception as error:
        if any(sign in str(error) for sign in NO_MEMORY):
            raise MemoryError(f"{graph}: not enough memory") from error
        raise RuntimeError(f"{graph}: {error}") from error
