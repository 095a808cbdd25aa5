"""Make what restorations are trained on: python -m training.sd_restoration.data sd15 PACKS

The crops of `training.sd_priors.latents` are drawn again (same seed, same order), and their latents in runs/priors/SPACE.npy go through the shipped
lattice prior: quantised in its closed loop at random qualities, half of them with dead zones of a random error weight. Writes
runs/restoration/SPACE.npz: pixels (N, 320, 320, 3) uint8, y (N, C, 40, 40), y_hat (N, VARIANTS, C, 40, 40) float16, step (N, VARIANTS).
"""

import argparse
import random
from pathlib import Path

import numpy as np

from latentpress.entropy.multistage import FINE, MultistageCoder
from latentpress.spaces import space_of_codec
from training.data.batches import Crops
from training.sd_priors.latents import OUT as LATENTS
from training.sd_priors.latents import SIDE

OUT = Path(__file__).parents[2] / "runs/restoration"
VARIANTS, QUALITIES, ERROR_WEIGHTS = 4, 80, (15, 60)


def draw(rng: random.Random) -> tuple[float, float | None]:
    """A quality, low ones more often, and an error weight or plain rounding."""
    weight = ERROR_WEIGHTS[0] * (ERROR_WEIGHTS[1] / ERROR_WEIGHTS[0]) ** rng.random()
    return QUALITIES * rng.random() ** 1.3, weight if rng.random() < 0.5 else None


def restored_from(prior: MultistageCoder, y: np.ndarray) -> np.ndarray:
    """y (C, h, w) -> what its file would decode to, float16."""
    return (prior.fine(prior.model(y.astype(np.float32))) / FINE).astype(np.float16)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("space")
    parser.add_argument("packs", type=Path)
    parser.add_argument("--crops", type=int, default=1200)
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    space, rng = space_of_codec(options.space), random.Random(1)
    y = np.load(LATENTS / f"{options.space}.npy")[: options.crops]
    crops = Crops(options.packs, seed=4)
    pixels = np.stack(
        [(255 * crops.batch(1, SIDE)[0].permute(1, 2, 0)).round().byte().numpy() for _ in y]
    )
    del crops
    y_hat, step = (
        np.empty((len(y), VARIANTS, *y.shape[1:]), np.float16),
        np.empty((len(y), VARIANTS), np.float32),
    )
    for i, latent in enumerate(y):
        for k in range(VARIANTS):
            prior = MultistageCoder(space, *draw(rng))
            y_hat[i, k], step[i, k] = restored_from(prior, latent), prior.step / FINE
        if i % 100 == 0:
            print(i, flush=True)
    np.savez(OUT / f"{options.space}.npz", pixels=pixels, y=y, y_hat=y_hat, step=step)


if __name__ == "__main__":
    main()
