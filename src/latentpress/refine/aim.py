"""What a search minimises beside the rate: squared error alone, or the perceptual loss the model was trained for."""

from latentpress.errors import UsageError
from latentpress.metrics.lpips import missing

AIMS = ("mse", "perceptual")


def choose_aim(wanted: str | None) -> tuple[str, list[str]]:
    """(one of AIMS, notices). None means perceptual, which becomes mse where LPIPS cannot be computed here, with a notice that says so.
    UsageError for another word.
    """
    if wanted not in (None, *AIMS):
        raise UsageError(f"optimize for one of {', '.join(AIMS)}, not {wanted!r}")
    reason = None if wanted == "mse" else missing("alex")
    notice = f"optimized for mse, since LPIPS cannot be computed here: {reason}"
    return ("mse" if wanted == "mse" or reason else "perceptual"), [notice] if reason else []
