"""What a stack of symbols does that codes a run at a time."""

from abc import ABC, abstractmethod
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Ints


class RunStack(ABC):
    """A stack of symbols that holds words.

    A run is a group of symbols that share a table and are coded together; those beyond the table's
    radius are escaped, 16 raw bits each, after all others of their run.
    """

    @abstractmethod
    def words(self) -> NDArray[np.uint32]:
        """Everything that is on the stack."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether everything has been taken off."""

    @abstractmethod
    def push_runs(self, symbols: Ints, tables: NDArray[np.uint16], ends: NDArray[np.int64]) -> None:
        """Put symbols (n,) on the stack, the last run first. ValueError for one beyond the range.

        tables: of each run. ends: of each run, the index after its last symbol.
        """

    def pop_runs(self, tables: NDArray[np.uint16], ends: NDArray[np.int64]) -> Ints:
        """Take the symbols that `push_runs` put there off the stack: int32 (n,). FormatError for a
        symbol of -ESCAPE_LIMIT.
        """
        bounds = [0, *ends.tolist()]
        symbols = np.empty(bounds[-1], np.int32)
        for table, (start, end) in zip(tables.tolist(), pairwise(bounds), strict=True):
            symbols[start:end] = self.pop_run(table, end - start)
        return symbols

    @abstractmethod
    def pop_run(self, table: int, amount: int) -> Ints:
        """Take `amount` symbols that share a table off the stack: first all of them, then those
        that were escaped. FormatError as of `pop_runs`.
        """
