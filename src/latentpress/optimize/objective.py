"""What a latent optimization minimizes beside the rate: squared error alone, or the perceptual loss
the model was trained for.
"""

from latentpress.metrics.lpips import missing
from latentpress.options import check_objective


def choose_objective(objective: str | None) -> tuple[str, list[str]]:
    """(one of options.OBJECTIVES, notices). None means perceptual, which becomes mse where LPIPS
    cannot be computed here, with a notice that says so. UsageError for another word.
    """
    check_objective(objective)
    reason = None if objective == "mse" else missing("alex")
    notice = f"optimized for mse, since LPIPS cannot be computed here: {reason}"
    return ("mse" if objective == "mse" or reason else "perceptual"), [notice] if reason else []
