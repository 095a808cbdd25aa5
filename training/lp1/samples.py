"""Samples of what flows through the convolutions of a shipped graph, and what follows from them:
the ranges and steps of bytes.
"""

import itertools
import re

import numpy as np
from numpy.typing import NDArray

from training.lp1.limits import least_error_limits, least_error_steps
from training.lp1.watched import Feed, Watched

SAMPLES = 4000  # numbers kept of a tensor and crop; its extremes always are
PLACES = 400  # of a tensor and crop, whose channels are kept
# Convolutions that stay float on the runtime native. All of the picture goes through most of them,
# not only what a block adds to it; bytes would cost more there than in all other blocks together.
# Those of the analysis at a quarter of the picture's sides cost LPIPS at the highest qualities.
TRUNK = r"^(ga\.deep\.(1\.[ab]|[269])|gs\.(trunk\.[038]|coarse\.0|linear\.0))$"


class Samples:
    """Samples of the tensors of a graph, run by run."""

    def __init__(self, graph: Watched) -> None:
        self._graph = graph
        self._seen: dict[str, list[NDArray[np.float32]]] = {}
        self._channels: dict[str, list[NDArray[np.float32]]] = {}  # (C, places) of inputs
        self._extremes: dict[str, NDArray[np.float32]] = {}  # (C,) of the same, their largest sizes
        self._signed: set[str] = set()  # those with values below 0

    def add(self, rng: np.random.Generator, feed: Feed, is_painted: bool) -> None:
        """Keep samples of the tensors of one run: of a painted one for the steps alone."""
        graph = self._graph
        values = graph.values(feed)
        for name in () if is_painted else sorted(set(itertools.chain(*graph.ends.values()))):
            numbers = values[name].ravel()
            kept = numbers[rng.integers(0, numbers.size, SAMPLES)]
            self._seen.setdefault(name, []).append(
                np.concatenate([kept, [numbers.min(), numbers.max()]]).astype(np.float32)
            )
        for name in sorted({x for x, _ in graph.ends.values()} & set(graph.tensors)):
            channels = values[name][0].reshape(values[name].shape[1], -1)
            kept = channels[:, rng.integers(0, channels.shape[1], PLACES)]
            self._channels.setdefault(name, []).append(kept)
            ends = np.stack([channels.min(axis=1), channels.max(axis=1)])
            self._extremes[name] = np.maximum(self._extremes.get(name, 0), np.abs(ends).max(axis=0))
            self._signed |= {name} if ends[0].min() < 0 else set()

    def steps(self) -> dict[str, list[float]]:
        """{convolution: step of each channel of its input}, of those that take bytes."""
        ends = self._graph.ends
        names = [name for name in ends if not re.search(TRUNK, name)]
        inputs = {ends[name][0] for name in names}
        found = {
            x: least_error_steps(
                np.concatenate(self._channels[x], 1), self._extremes[x], x in self._signed
            )
            for x in sorted(inputs)
        }
        return {name: found[ends[name][0]] for name in names}

    def ranges(self) -> dict[str, dict[str, list[float]]]:
        """{convolution: {"input": [low, high], "output": [low, high]}}."""
        limits = {name: least_error_limits(np.concatenate(v)) for name, v in self._seen.items()}
        return {
            name: {"input": limits[x], "output": limits[y]}
            for name, (x, y) in self._graph.ends.items()
        }
