"""A few steps of a learner before the clock of its training starts, taken back afterwards.

Libraries choose their algorithms here, graphs are captured, and what would fail later fails now.
"""

import math
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch

from training.lp1.capture import CaptureError
from training.lp1.learner import EAGER_STEPS, Learner

ALIKE = 0.2  # largest |log ratio| of a batch's losses with and without a graph; noise differs


class Rehearsed(NamedTuple):
    """Of one size of crops (n, side): milliseconds of a step without and with graphs.

    Where nothing was captured, `captured` is 0.
    """

    size: tuple[int, int]
    eager: float
    captured: float

    def line(self) -> str:
        """For a reader."""
        n, side = self.size
        best = self.captured or self.eager
        shown = f"{n} of {side}: {self.eager:.1f} ms a step"
        shown += f", captured {self.captured:.1f} ms" if self.captured else ""
        return f"{shown}, {n * side**2 / 1000 / best:.2f} Mpx/s"


def rehearse(learner: Learner, graphs: bool) -> list[Rehearsed]:
    """Try every size of crops of a learner. The learner is as before, but for its graphs.

    Args:
        learner: Fresh, or about to go on.
        graphs: Whether its steps are captured (CUDA only).

    Raises:
        CaptureError: Steps could not be captured.
        FloatingPointError: A loss or a parameter is no number.
    """
    found = []
    with learner.trial():
        sizes: set[tuple[int, int]] = set()
        for share, n, side in learner.variant.crops:
            if (n, side) in sizes:
                continue
            sizes.add((n, side))
            eager = steps(learner, share)
            captured = 0.0
            if graphs:
                learner.capture((n, side))
                compare(learner)
                captured = steps(learner, share)
            found.append(Rehearsed((n, side), eager, captured))
        learner.optimizer.pace(found[0].captured or found[0].eager, partial(timed, learner))
    return found


def steps(learner: Learner, share: float) -> float:
    """Take EAGER_STEPS steps. Returns the milliseconds of the fastest, host and device.

    Raises:
        FloatingPointError: A loss or a parameter is no number.
    """
    times = []
    for _ in range(EAGER_STEPS):
        begun = time.perf_counter()
        learner.step(share)
        learner.finish()
        times.append(1000 * (time.perf_counter() - begun))
    loss = float(learner.flat.loss)
    if not math.isfinite(loss) or not bool(learner.flat.values.isfinite().all()):
        raise FloatingPointError(f"a loss of {loss} after {learner.steps} steps")
    return min(times)


def compare(learner: Learner) -> None:
    """Hold a captured part against what it was captured of, on one batch.

    Raises:
        CaptureError: Their losses or gradients differ by more than noise can explain.
    """
    assert learner.size is not None
    learner.send(learner.size)
    rows = []
    for part in (learner.compute, learner.run_compute):
        learner.flat.exchanged.zero_()
        part()
        rows.append((float(learner.flat.loss), float(learner.flat.gradients.norm())))
    (loss, norm), (again, other) = rows
    fine = again > 0 and abs(math.log(again / loss)) < ALIKE and 0.3 < other / norm < 3
    if not fine:
        raise CaptureError(f"a loss of {loss:.4g} is {again:.4g} from the graph")


def timed(learner: Learner, job: Callable[[], None]) -> float:
    """Milliseconds of a job on a learner's device, the second time."""
    for _ in range(2):
        learner.finish()
        begun = time.perf_counter()
        job()
        learner.finish()
    return 1000 * (time.perf_counter() - begun)


def memory() -> str:
    """The most memory that the device has lent so far; nothing on a processor."""
    if not torch.cuda.is_available():
        return ""
    return f", {torch.cuda.max_memory_reserved() / 2**30:.1f} GiB"
