"""Stage 2 of 5, bounded memory: a graph of lp1 over a picture in bands of rows, top to bottom.

A band goes through the streaming form of the graph (`runtimes/streaming.py`), which computes no row
twice and needs memory for a band alone. A picture that is wider than WIDEST is cut into tiles of
columns, each with a halo to its sides and a state of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from latentpress import models
from latentpress._typing import Floats
from latentpress.runtimes.running import RunningRows
from latentpress.runtimes.threads import check_canceled
from latentpress.transforms.tiling import STRIP_ROWS, WHOLE_POSITIONS, tile_columns, with_halo

ROLLING_POSITIONS = 768  # latent positions a band of `Rolling`: about 25 MB
BAND_POSITIONS = 2_000  # latent positions a band: about 50 MB of activations
WIDEST = 400  # latent columns of a tile, its halo included


class Bands(Protocol):
    """A graph of a model over a latent of rows x columns positions.

    tiles: (first, end) latent columns of each tile, and of what it is given: its halo included.
    """

    tiles: list[tuple[tuple[int, int], tuple[int, int]]]

    def bands(self) -> list[tuple[int, int]]:
        """(first, end) latent rows of each band."""
        ...

    def run(self, tile: int, is_last: bool, **feed: NDArray[Any]) -> NDArray[Any]:
        """The graph's input for the next band of a tile, with its halo -> the rows of the output
        that are known by then. is_last: whether the picture ends with this band.
        """
        ...


class Rolling:
    """`Bands` of a runtime that takes rows as they come, in one tile of any width."""

    def __init__(self, space: str, name: str, device: str, rows: int, columns: int) -> None:
        self.place = space, name, device
        self.rows, self.columns = rows, columns
        self.tiles = [((0, columns), (0, columns))]
        self._running: RunningRows | None = None

    def bands(self) -> list[tuple[int, int]]:
        """As of Bands."""
        height = min(STRIP_ROWS, max(1, ROLLING_POSITIONS // self.columns))
        edges = [*range(0, self.rows, height), self.rows]
        return list(itertools.pairwise(edges))

    def run(self, tile: int, is_last: bool, **feed: NDArray[Any]) -> NDArray[Any]:
        """As of Bands."""
        check_canceled()
        [rows] = feed.values()
        if self._running is None:
            width = rows.shape[2 if rows.dtype == np.uint8 else 3]
            self._running = models.open_rows(*self.place, width)
        return self._running.put(rows, is_last)


class Streamed:
    """`Bands` of a streaming graph on ONNX Runtime, on the CPU."""

    def __init__(
        self, space: str, name: str, device: str, rows: int, columns: int, halo: int
    ) -> None:
        self.space, self.name, self.device = space, name, device
        self.rows = rows
        self.graph = models.streaming_graph(space, name)
        self.tiles = [
            (own, with_halo(*own, halo, columns)) for own in tile_columns(1, columns, halo, WIDEST)
        ]
        self._states: list[list[NDArray[Any]] | None] = [None] * len(self.tiles)

    def bands(self) -> list[tuple[int, int]]:
        """(first, end) latent rows of each band: first as many as the graph needs, last a single
        one, for with it come all the rows that are still missing.
        """
        widest = max(right - left for _, (left, right) in self.tiles)
        height = min(STRIP_ROWS, max(1, BAND_POSITIONS // widest))
        first, last = self.graph.first, self.rows - 1
        if last <= first:
            return [(0, self.rows)]
        edges = [0, *range(first, last, height), last, self.rows]
        return list(itertools.pairwise(edges))

    def run(self, tile: int, is_last: bool, **feed: NDArray[Any]) -> NDArray[Any]:
        """As of Bands."""
        [(name, rows)] = feed.items()
        columns = rows.shape[2 if rows.dtype == np.uint8 else 3]
        is_first = self._states[tile] is None
        state = self.graph.feeds(self._states[tile], columns, is_last)
        self._states[tile] = None  # let go as soon as the graph has read it
        output, *self._states[tile] = models.run(
            self.space,
            self.name,
            self.device,
            frugal=is_first or is_last,  # which take the most memory
            in_bands=True,
            **{name: rows},
            **state,
        )
        return output


def open_bands(
    space: str, name: str, device: str, rows: int, columns: int, halo: int
) -> Bands | None:
    """A graph for a picture in bands; None where the picture goes through at once or in tiles."""
    if rows * columns <= WHOLE_POSITIONS:
        return None
    if models.takes_rows(space, name, device):
        return Rolling(space, name, device, rows, columns)
    if can_stream(space, name, device, rows):
        return Streamed(space, name, device, rows, columns, halo)
    return None


def can_stream(space: str, name: str, device: str, rows: int) -> bool:
    """Whether a latent of so many rows has enough for a first band of a streaming graph."""
    has_bands = models.takes_bands(space, name, device)
    return has_bands and rows >= models.streaming_graph(space, name).first


def regrouped(arrays: Iterable[Floats], heights: Iterable[int]) -> Iterator[Floats]:
    """Rows (C, r, w) that come in some heights -> the same rows in others."""
    source = iter(arrays)
    held = np.empty((0, 0, 0), np.float32)  # rows that have come and are not given yet
    for height in heights:
        if not held.shape[1]:
            held = next(source)
        rows = held[:, :height]
        held = held[:, height:]
        if rows.shape[1] < height:
            whole = np.empty((rows.shape[0], height, rows.shape[2]), np.float32)
            done = rows.shape[1]
            whole[:, :done] = rows
            while done < height:
                held = next(source)
                taken = min(height - done, held.shape[1])
                whole[:, done : done + taken] = held[:, :taken]
                held = held[:, taken:]
                done += taken
            rows = whole
            del whole
        if not held.shape[1]:
            held = np.empty((0, 0, 0), np.float32)
        yield rows
        del rows  # before the next one is made
