"""Make what restorations are trained on:  python -m training.sd_restoration.data sd15 PACKS

The crops of `training.sd_priors.latents` are drawn again (same seed, same order), and their latents
in runs/priors/SPACE.npy go through the shipped multistage prior: quantized in its closed loop at
random qualities, half of them with dead zones of a random error weight. Writes
runs/restoration/SPACE.npz: pixels (N, 320, 320, 3) uint8, y (N, C, 40, 40) float16, y_hat
(N, VARIANTS, C, 40, 40) float16 and step (N, VARIANTS) float32, in the latent's unit.
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
VARIANTS = 4  # quantizations of a latent
QUALITIES = 80  # they lie between 0 and this
ERROR_WEIGHTS = (15, 60)


def draw(rng: random.Random) -> tuple[float, float | None]:
    """A quality, low ones more often, and an error weight, or None for plain rounding."""
    least, greatest = ERROR_WEIGHTS
    weight = least * (greatest / least) ** rng.random()
    quality = QUALITIES * rng.random() ** 1.3
    return quality, weight if rng.random() < 0.5 else None


def restored_from(prior: MultistageCoder, y: np.ndarray) -> np.ndarray:
    """A latent y (C, h, w) -> what its file would decode to before restoration, float16."""
    return (prior.fine(prior.model(y.astype(np.float32))) / FINE).astype(np.float16)


def pixels_of(packs: Path, amount: int) -> np.ndarray:
    """The first crops that `training.sd_priors.latents` drew, (amount, SIDE, SIDE, 3) uint8."""
    crops = Crops(packs, seed=4)
    as_bytes = lambda x: (255 * x.permute(1, 2, 0)).round().byte().numpy()
    return np.stack([as_bytes(crops.batch(1, SIDE)[0]) for _ in range(amount)])


def main() -> None:
    """Quantize the latents of a space and write them beside their crops."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("space")
    parser.add_argument("packs", type=Path)
    parser.add_argument("--crops", type=int, default=1200)
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    space = space_of_codec(options.space)
    rng = random.Random(1)
    y = np.load(LATENTS / f"{options.space}.npy")[: options.crops]
    pixels = pixels_of(options.packs, len(y))
    y_hat = np.empty((len(y), VARIANTS, *y.shape[1:]), np.float16)
    step = np.empty((len(y), VARIANTS), np.float32)
    for i, latent in enumerate(y):
        for k in range(VARIANTS):
            prior = MultistageCoder(space, *draw(rng))
            y_hat[i, k] = restored_from(prior, latent)
            step[i, k] = prior.step / FINE
        if i % 100 == 0:
            print(i, flush=True)
    np.savez(OUT / f"{options.space}.npz", pixels=pixels, y=y, y_hat=y_hat, step=step)


if __name__ == "__main__":
    main()
