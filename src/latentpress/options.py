"""How long a search lasts, and how it tells."""

import time
from collections.abc import Callable

from latentpress.errors import UsageError

Progress = Callable[[float, float], None]  # (share done 0 to 1, seconds left)
FIRST_EFFORT = 7
AIMS = ("mse", "perceptual")
# Bits a step^2 of squared error, of the dead zones of efforts 4 to 6.
LEARNED_WEIGHTS = {"mse": {4: 60.0, 5: 40.0, 6: 25.0}, "perceptual": {}}  # space lp1
LATTICE_WEIGHTS = {"mse": {4: 60.0, 5: 30.0, 6: 20.0}, "perceptual": dict.fromkeys((4, 5, 6), 60.0)}  # the Stable Diffusion spaces
ITERATIONS = {7: 50, 8: 130, 9: 300}  # of the search, a tile
EXTRA = "efforts 7 to 9 search the latent with torch: pip install 'latentpress[sd]'"


def check_effort(effort: int) -> int:
    """effort as it is; UsageError outside 0..9."""
    if effort not in range(10):
        raise UsageError(f"effort must be a whole number from 0 to 9, not {effort}")
    return effort


def check_aim(wanted: str | None) -> None:
    """UsageError for what is neither None nor one of AIMS."""
    if wanted not in (None, *AIMS):
        raise UsageError(f"optimize for one of {', '.join(AIMS)}, not {wanted!r}")


def error_weight(effort: int, optimize_for: str | None, lp1: bool) -> float | None:
    """Of the dead zones of an effort below FIRST_EFFORT; None for plain rounding. optimize_for: one of AIMS, None for perceptual.

    In lp1, which was trained with LPIPS, zeros take away texture that LPIPS misses. In the Stable Diffusion spaces a restoration puts
    back what rounding took, but not what a zero took (docs/method.md): wide dead zones serve PSNR alone.
    """
    return (LEARNED_WEIGHTS if lp1 else LATTICE_WEIGHTS)[optimize_for or "perceptual"].get(effort)


def has_masking(effort: int, optimize_for: str | None) -> bool:
    """Whether lp1's steps follow the activity: not for least squared error, which pays for it, nor at efforts that search, whose files
    have the same steps everywhere, as have those in which a search for a size or a metric finds where to begin.
    """
    return effort < FIRST_EFFORT and optimize_for != "mse"


class Clock:
    """Counts the steps of a search and tells a Progress."""

    def __init__(self, steps: float, progress: Progress | None) -> None:
        self._steps, self._progress, self._done, self._start = steps, progress, 0.0, time.monotonic()

    def tick(self, steps: float) -> None:
        """So many steps are done."""
        self._done = min(self._done + steps, self._steps)
        if self._progress is not None:
            gone = time.monotonic() - self._start
            self._progress(self._done / self._steps, gone * (self._steps / self._done - 1))
