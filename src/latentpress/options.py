"""What an encoder is asked for: the quality grid, the effort, the objective, and what follows from
them.
"""

from collections.abc import Callable

from latentpress.errors import UsageError

Progress = Callable[[float, float], None]  # (share done 0 to 1, seconds left)
QUALITY_UNIT = 100  # steps of the quality grid in one unit of quality
TOP_STEP = 100 * QUALITY_UNIT  # the quality grid: 0 to TOP_STEP, hundredths of a unit
FIRST_EFFORT = 7  # efforts from here on optimise the latent
OBJECTIVES = ("mse", "perceptual")
# Bits a step^2 of squared error, of the dead zones of efforts 4 to 6.
LP1_WEIGHTS = {"mse": {4: 60.0, 5: 40.0, 6: 25.0}, "perceptual": {}}  # space lp1
STABLE_DIFFUSION_WEIGHTS = {
    "mse": {4: 60.0, 5: 30.0, 6: 20.0},
    "perceptual": dict.fromkeys((4, 5, 6), 60.0),
}  # the Stable Diffusion spaces
ITERATIONS = {7: 50, 8: 130, 9: 300}  # of the search, a tile
EXTRA = "efforts 7 to 9 search the latent with torch: pip install 'latentpress[sd]'"


def grid_step(quality: float) -> int:
    """Quality 0..100 -> its step on the quality grid, 0..TOP_STEP: the integer of the header."""
    return round(quality * QUALITY_UNIT)


def check_quality(quality: float) -> float:
    """Quality as the file will hold it (hundredths); UsageError outside 0..100."""
    if not 0 <= quality <= 100:
        raise UsageError(f"quality must lie in 0..100, not {quality}")
    return grid_step(quality) / QUALITY_UNIT


def check_effort(effort: int) -> int:
    """effort as it is; UsageError outside 0..9."""
    if effort not in range(10):
        raise UsageError(f"effort must be a whole number from 0 to 9, not {effort}")
    return effort


def check_objective(wanted: str | None) -> None:
    """UsageError for what is neither None nor one of OBJECTIVES."""
    if wanted not in (None, *OBJECTIVES):
        raise UsageError(f"optimize for one of {', '.join(OBJECTIVES)}, not {wanted!r}")


def lagrangian_weight(effort: int, optimize_for: str | None, lp1: bool) -> float | None:
    """Of the dead zones of an effort below FIRST_EFFORT; None for plain rounding. optimize_for: one
    of OBJECTIVES, None for perceptual.

    In lp1, which was trained with LPIPS, zeros take away texture that LPIPS misses. In the Stable
    Diffusion spaces a restoration puts back what rounding took, but not what a zero took
    (docs/method.md): wide dead zones serve PSNR alone.
    """
    return (LP1_WEIGHTS if lp1 else STABLE_DIFFUSION_WEIGHTS)[optimize_for or "perceptual"].get(
        effort
    )


def has_masking(effort: int, optimize_for: str | None) -> bool:
    """Whether lp1's steps follow the activity: not for least squared error, which pays for it, nor
    at efforts that search, whose files have the same steps everywhere, as have those in which a
    search for a size or a metric finds where to begin.
    """
    return effort < FIRST_EFFORT and optimize_for != "mse"
