"""How far a latent optimization is, and how long it will still take."""

import time

from latentpress.options import Progress


class Clock:
    """Counts the iterations of an optimization and reports the share done and the seconds left.

    It reports from the second iteration on: the first takes several times as long, since networks
    are set up in it, and says nothing of the others.

    Args:
        steps: of all tiles together, an iteration in a tile counted as its positions.
        progress: called at each iteration, or None.
    """

    def __init__(self, steps: float, progress: Progress | None) -> None:
        self._steps = steps
        self._progress = progress
        self._done = 0.0
        self._first: tuple[float, float] | None = None  # when the first was done, and its steps

    def tick(self, steps: float) -> None:
        """So many steps are done."""
        self._done = min(self._done + steps, self._steps)
        now = time.monotonic()
        if self._first is None:
            self._first = now, self._done
        begin, before = self._first
        if self._progress is not None and (self._done > before or self._done == self._steps):
            speed = (now - begin) / max(self._done - before, 1e-9)  # seconds a step
            self._progress(self._done / self._steps, speed * (self._steps - self._done))
