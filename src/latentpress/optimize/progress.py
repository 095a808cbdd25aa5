"""How far a latent optimisation is, and how long it will still take."""

import time

from latentpress.options import Progress


class Clock:
    """Counts the iterations of an optimisation, and reports the share done and the seconds left.

    steps: iterations of all tiles together. progress: called after each of them, or None.
    """

    def __init__(self, steps: float, progress: Progress | None) -> None:
        self._steps = steps
        self._progress = progress
        self._done = 0.0
        self._start = time.monotonic()

    def tick(self, steps: float) -> None:
        """So many iterations are done."""
        self._done = min(self._done + steps, self._steps)
        if self._progress is not None:
            seconds_gone = time.monotonic() - self._start
            self._progress(self._done / self._steps, seconds_gone * (self._steps / self._done - 1))
