"""Latent optimization in the encoder (efforts 7 to 9): the same bitstream, found by gradients
through the decoder and the prior, with stochastic Gumbel annealing (Yang, Bamler and Mandt 2020,
arXiv:2006.04240).

lp1_optimizer.py               space lp1; torch_hyperprior.py: its prior with gradients
stable_diffusion_optimizer.py  the Stable Diffusion spaces
loss.py                        what is minimized; rate.py, torch_lpips.py, objective.py: its terms
annealing.py                   the descent, through rounding that is annealed from soft to hard
onnx_torch.py                  the shipped ONNX graphs as torch functions
progress.py                    how far it is

torch is imported only by an optimization.
"""

from importlib.util import find_spec

from latentpress.errors import UsageError

EXTRA = "efforts 7 to 9 search the latent with torch: pip install 'latentpress[sd]'"


def check_torch() -> None:
    """UsageError where torch is not installed."""
    if find_spec("torch") is None:
        raise UsageError(EXTRA)
