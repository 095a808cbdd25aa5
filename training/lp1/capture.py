"""Parts of a step as CUDA graphs, which the host starts with one call.

A part is captured on the stream that everything of a run is on, after some steps that were not
captured: what libraries set up for a stream is then there and lies outside the graph's memory.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import torch


class CaptureError(RuntimeError):
    """A part could not be captured, or does something else than before.

    Torch is not sure to compute on afterwards: its generator of random numbers and its memory
    still believe in the capture. A process that goes on must be a new one.
    """


class Pool:
    """Memory that all graphs of a run share: they never run at once and leave nothing in it.

    A small graph lives as long as the pool: torch refuses a pool whose graphs are all gone.
    """

    def __init__(self) -> None:
        self.handle: Any = None
        self.anchor: Any = None

    def capture(self, part: Callable[[], None]) -> Callable[[], None]:
        """What runs a part as a graph.

        Raises:
            CaptureError: It could not be captured.
        """
        try:
            if self.handle is None:
                self.handle = torch.cuda.graph_pool_handle()
                self.anchor = self._graph(_nearly_nothing)
            return self._graph(part).replay
        except Exception as error:  # whatever CUDA says
            raise CaptureError(reason(error)) from error

    def _graph(self, part: Callable[[], None]) -> Any:
        stream = torch.cuda.current_stream()
        own = None if stream == torch.cuda.default_stream() else stream
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, self.handle, own, capture_error_mode="thread_local"):
            part()
        return graph


def reason(error: BaseException) -> str:
    """The first of the errors that led to an error: a capture that ends hides why."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _nearly_nothing() -> None:
    torch.zeros(8, device="cuda")


def mend() -> None:
    """Do what can be done after a `CaptureError` so that a rehearsal may try the next thing."""
    device = torch.cuda.current_device()
    fresh = torch.Generator("cuda")
    with contextlib.suppress(Exception):
        torch.cuda.default_generators[device].graphsafe_set_state(fresh.graphsafe_get_state())
    torch.cuda.set_stream(torch.cuda.Stream())
    with contextlib.suppress(Exception):
        torch.cuda.synchronize()
