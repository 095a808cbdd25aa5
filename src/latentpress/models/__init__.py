"""The shipped models: their graphs, of verified files, ready to run.

models/lp1/ holds five ONNX graphs (analysis, synthesis, hyper_analysis, features, context),
levels.npz, ranges.json (of the convolutions that int8 takes) and model.json with the SHA-256 of
each; those of the Stable Diffusion spaces hold prior.npz and, where there is one, restoration.onnx.
The cards are docs/models/*.md. What runs a graph is chosen by `runtimes`.
"""

import io
import json
import os
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import cache, partial
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats
from latentpress.errors import LatentpressError
from latentpress.runtimes.checkerboard import halved
from latentpress.runtimes.choice import EXACT, OWN_INTEGERS, Choice, choose, choose_prior
from latentpress.runtimes.quantize import Ranges
from latentpress.runtimes.running import RunningGraph, RunningRows, open_graph
from latentpress.runtimes.threads import check_canceled, threads
from latentpress.shipped import FOLDER as FOLDER
from latentpress.shipped import manifest as manifest
from latentpress.shipped import read_file as read_file
from latentpress.system.once import once

if TYPE_CHECKING:
    from latentpress.runtimes.streaming import StreamingGraph

RANGES = "ranges.json"
TRANSFORMS = ("analysis.onnx", "synthesis.onnx")  # whose device the user chooses
# graphs that `run_halved` takes, and the input that brings the anchors
HALVED = {"context.onnx": "white"}
INTEGERS = ("features.onnx", "context.onnx")  # graphs whose numbers are the same everywhere
HYPER_ANALYSIS = "hyper_analysis.onnx"
# in what ONNX Runtime says where memory is short
NO_MEMORY = ("bad_alloc", "Failed to allocate", "BFCArena")


@once
def streaming_graph(space: str, name: str) -> "StreamingGraph":
    """The form of a model's graph that takes a picture in bands of rows."""
    from latentpress.runtimes.streaming import streaming  # large pictures alone need it

    return streaming(read_file(space, name))


@once
def arrays(space: str, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz model file."""
    with np.load(io.BytesIO(read_file(space, name))) as f:
        return dict(f)


@cache
def ranges(space: str) -> Mapping[str, Ranges]:
    """The ranges of the convolutions that int8 takes, by their names; none where the model has
    none.
    """
    return {
        name: Ranges(tuple(one["input"]), tuple(one["output"]))
        for name, one in _int8(space).get("convolutions", {}).items()
    }


@cache
def steps(space: str) -> Mapping[str, Floats]:
    """Of the convolutions that take bytes on the runtime native, by their names: the step of each
    input channel; none where the model has none.
    """
    return {n: np.array(one, np.float32) for n, one in _int8(space).get("steps", {}).items()}


@cache
def turned(space: str) -> Mapping[str, NDArray[np.uint8]]:
    """Of the same convolutions, by their names: the weights that are not rounded to the nearest
    level, as of `layers.pack` of the runtime native; none where the model has none.
    """
    found = _int8(space).get("turned", {}).items()
    return {name: np.frombuffer(b64decode(one), np.uint8) for name, one in found}


def choice_of(space: str, name: str, device: str | None) -> Choice:
    """What runs a transform's graph on a device, auto, cpu, cuda or mps, or another graph, where
    device is None. UsageError as of `choose`.
    """
    if device is None:
        is_prior = name in INTEGERS or name == HYPER_ANALYSIS
        return choose_prior(has_integers=name in INTEGERS) if is_prior else EXACT
    return choose(device, int8_is_good=name in _int8(space).get("int8", ()))


@cache
def _int8(space: str) -> dict[str, Any]:
    """ranges.json: convolutions (name -> limits), int8 (the graphs that take it unasked), steps
    (name -> step of each input channel), turned (name -> bits of the weights, in base64).
    """
    if RANGES not in manifest(space)["sha256"]:
        return {}
    loaded: dict[str, Any] = json.loads(read_file(space, RANGES))
    return loaded


def takes_bands(space: str, name: str, device: str) -> bool:
    """Whether what runs a transform's graph takes its streaming form, which has inputs of changing
    shapes: ONNX Runtime on the CPU.
    """
    choice = choice_of(space, name, device)
    return (choice.runtime, choice.device) == ("onnxruntime", "cpu")


def takes_rows(space: str, name: str, device: str) -> bool:
    """Whether what runs a transform's graph takes rows of a picture as they come: the runtime
    native.
    """
    return choice_of(space, name, device).runtime == "native"


def open_rows(space: str, name: str, device: str, columns: int) -> RunningRows:
    """A transform's graph for one picture of so many columns of its input, that comes in bands of
    rows of any height, where `takes_rows`.
    """
    opened: Any = graph(space, name, device)
    rows: RunningRows = opened.rows(columns)
    return rows


def graph(
    space: str,
    name: str,
    device: str | None = None,
    in_bands: bool = False,
    is_halved: bool = False,
) -> RunningGraph:
    """A model file ready to run, verified and kept. device, in_bands: as of `run`. is_halved: for
    `run_halved`.
    """
    choice = choice_of(space, name, device)
    return _opened(space, name, choice, threads(), in_bands, is_halved, os.getpid())


@once
def _opened(
    space: str,
    name: str,
    choice: Choice,
    count: int,
    in_bands: bool,
    is_halved: bool,
    process: int,
) -> RunningGraph:
    """process: in a forked one a runtime's threads are missing, so that it opens its own."""
    data = streaming_graph(space, name).data if in_bands else read_file(space, name)
    if is_halved:
        data = halved(data, HALVED[name])
    with naming_failures(f"{space}/{name}"):
        try:
            return open_graph(data, choice, count, ranges(space), steps(space), turned(space))
        except Exception:
            if choice.is_asked or choice.runtime == "onnxruntime":
                raise
        return open_graph(data, EXACT, count, {})


def open_ahead(
    space: str, names: Sequence[str], device: str, then: Callable[[], None] = lambda: None
) -> None:
    """Make graphs ready to run in a thread, in the order in which they will be run, while the
    caller goes on importing and reading. What fails here fails again, and is told, when it is run.

    device: of a transform's graphs, `TRANSFORMS`. then: what else is made ready.
    """

    def work() -> None:
        for name in names:
            with suppress(Exception):
                where = device if name in TRANSFORMS else None
                graph(space, name, where, is_halved=name in HALVED)
        with suppress(Exception):
            then()

    run_here = partial(copy_context().run, work)  # with the caller's limit of threads
    Thread(target=run_here, name="latentpress sessions").start()


def run(
    space: str,
    name: str,
    device: str | None = None,
    *,
    frugal: bool = False,
    in_bands: bool = False,
    **feeds: NDArray[Any],
) -> list[NDArray[Any]]:
    """Run a model file on named arrays -> its outputs.

    device: auto, cpu, cuda or mps of a transform, whose runtime and precision are then chosen
    (`runtimes.choice`); None for graphs whose integers must be exact. frugal: give its working
    memory back, so that graphs do not add up. in_bands: run the graph's streaming form.

    MemoryError where there is too little of it, RuntimeError for whatever else a runtime cannot do;
    Canceled as of `runtimes.threads`.
    """
    check_canceled()
    opened = graph(space, name, device, in_bands)
    with naming_failures(f"{space}/{name}"):
        return opened.run(feeds, frugal=frugal)


def run_halved(
    space: str, name: str, feeds: Mapping[str, NDArray[Any]], *, frugal: bool = False
) -> list[NDArray[Any]]:
    """Run a graph of HALVED at half of the cells, as of `runtimes.checkerboard`. Integers are
    exact; frugal and errors as of `run`.
    """
    check_canceled()
    opened = graph(space, name, is_halved=True)
    with naming_failures(f"{space}/{name}"):
        return opened.run(feeds, frugal=frugal)


def takes_bytes(space: str) -> bool:
    """Whether what runs the graphs of INTEGERS takes `run_bytes`."""
    return choice_of(space, INTEGERS[0], None) == OWN_INTEGERS


def run_bytes(space: str, name: str, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Run a graph of INTEGERS on bytes, as of `IntegerGraph.run_bytes`, where `takes_bytes`: one
    of HALVED at half of the cells. Errors as of `run`.
    """
    check_canceled()
    opened: Any = graph(space, name, is_halved=name in HALVED)
    with naming_failures(f"{space}/{name}"):
        outputs: list[NDArray[Any]] = opened.run_bytes(feeds)
        return outputs


@contextmanager
def naming_failures(graph: str) -> Iterator[None]:
    """A runtime's exceptions, of which ONNX Runtime's share no base class but Exception, as
    MemoryError or RuntimeError that names the graph.
    """
    try:
        yield
    except (LatentpressError, MemoryError, RuntimeError):
        raise
    except Exception as error:
        if any(sign in str(error) for sign in NO_MEMORY):
            raise MemoryError(f"{graph}: not enough memory") from error
        raise RuntimeError(f"{graph}: {error}") from error
