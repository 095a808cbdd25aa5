"""Fit src/latentpress/latents/predictors.npz: python -m training.sd_priors.latent_predictors LATENTS_DIR

LATENTS_DIR holds sd15.npy, sdxl.npy, sd3.npy, flux1.npy, each (N, C, H, W) float32 (`--make` writes them from photographs with the
tiny autoencoders). Least squares over all latents, a ridge of step^2 / 12 standing for the noise of quantization; then the weights
become integers, and nothing is recomputed where the codec runs. The magnitudes' weights are fitted on the residuals, not negative.
"""

import argparse
import math
import random
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.optimize import nnls

from latentpress.entropy import cdf_tables
from latentpress.latents.methods.predictive_coding import pass_view
from latentpress.latents.methods.predictors import (
    FILE,
    LEVEL_STEPS,
    MAGNITUDE_BITS,
    PASSES,
    REACH,
    WEIGHT_BITS,
)

SPACES = {"sd15": "taesd", "sdxl": "taesdxl", "sd3": "taesd3", "flux1": "taef1"}
OWN, OWN_NEAR, LOOKUP = 14, 8, 2048
CROSS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
SQUARE = (*CROSS, (-1, -1), (-1, 1), (1, -1), (1, 1))
REFERENCE = 1  # the level whose residuals the magnitudes are fitted on


def own_taps(number: int) -> list[tuple[int, int]]:
    """The nearest positions of the same channel that earlier passes decoded."""
    decoded = {
        (y % 4, x % 4)
        for top, left, s in PASSES[:number]
        for y in range(top, 8, s)
        for x in range(left, 8, s)
    }
    top, left, _ = PASSES[number]
    around = [
        (y, x)
        for y in range(-REACH, REACH + 1)
        for x in range(-REACH, REACH + 1)
        if ((top + y) % 4, (left + x) % 4) in decoded
    ]
    return sorted(around, key=lambda t: (t[0] ** 2 + t[1] ** 2, t))[:OWN]


def columns(
    padded: np.ndarray, taps: list[tuple[int, int, int]], where: tuple[int, int, int]
) -> np.ndarray:
    """(positions of all latents, taps) float64."""
    if not taps:
        return np.zeros((sum(pass_view(p, 0, where).size for p in padded), 0))
    return np.concatenate(
        [np.stack([pass_view(p, c, where, y, x).ravel() for c, y, x in taps], 1) for p in padded]
    )


def border(latents: np.ndarray, value: float) -> np.ndarray:
    return np.pad(latents, ((0, 0), (0, 0), (REACH, REACH), (REACH, REACH)), constant_values=value)


def fit(latents: np.ndarray, generic: bool) -> dict[str, np.ndarray]:
    """The arrays of one model from latents (N, C, H, W) of zero mean and unit deviation."""
    values, channels = border(latents, 0), latents.shape[1]
    sizes = border(np.zeros_like(latents), 13)
    taps, weights, near, near_weights, rows, constants = (
        [],
        [[] for _ in LEVEL_STEPS],
        [],
        [],
        [],
        [],
    )
    for c in range(channels):
        rows.append([]), constants.append([])
        around = SQUARE if channels <= 4 else CROSS
        union = [
            (c, 0, 0),
            *sorted({(c, y, x) for n in range(len(PASSES)) for y, x in own_taps(n)}),
        ]
        union += [(k, y, x) for k in range(c) for y, x in around]
        everywhere = columns(
            values, union, (0, 0, 1)
        )  # a lattice has no place in a photograph: all positions teach all passes
        gram, amount = everywhere.T @ everywhere, len(everywhere)
        del everywhere
        for number, where in enumerate(PASSES):
            own = own_taps(number)
            t = [(c, y, x) for y, x in own] + [(k, y, x) for k in range(c) for y, x in around]
            n = [(c, y, x) for y, x in own[:OWN_NEAR]] + [
                (k, y, x) for k in range(c) for y, x in (CROSS if k >= c - 4 else CROSS[:1])
            ]
            a, target = columns(values, t, where), columns(values, [(c, 0, 0)], where)[:, 0]
            chosen = [union.index(tap) for tap in t]
            part, moment = gram[np.ix_(chosen, chosen)], gram[chosen, 0]
            for level, step in enumerate(LEVEL_STEPS):
                w = (
                    np.linalg.solve(part + np.eye(len(t)) * amount * (step**2 / 12 + 1e-3), moment)
                    if t
                    else np.zeros(0)
                )
                weights[level] += (
                    np.clip(np.rint(w * 2**WEIGHT_BITS), -32768, 32767).astype(int).tolist()
                )
                if level == REFERENCE:
                    residual = target - a @ w
            size = np.abs(residual).reshape(
                len(latents), -1
            )  # against the mean of its own latent, as the base scale is
            size = np.minimum(16 * 0.7979 * size / size.mean(axis=1, keepdims=True), 255).ravel()
            at = 0
            for p in sizes:
                place = pass_view(p, c, where)
                place[...] = size[at : at + place.size].reshape(place.shape)
                at += place.size
            b = np.column_stack([columns(sizes, n, where), np.full(len(a), 13.0)])
            v, _ = nnls(b.T @ b + np.eye(b.shape[1]) * len(b), b.T @ np.minimum(size, 60))
            v *= size.mean() / (b @ v).mean()
            rows[-1].append((len(taps), len(taps) + len(t), len(near), len(near) + len(n)))
            constants[-1].append(round(13 * v[-1] * 2**MAGNITUDE_BITS))
            taps, near = taps + t, near + n
            near_weights += np.rint(v[:-1] * 2**MAGNITUDE_BITS).astype(int).tolist()
        if generic:
            break
    table = lambda triples: np.array(triples, np.int8).reshape(-1, 3)
    arrays = {"weights": weights, "near_weights": near_weights, "rows": rows, "constant": constants}
    kinds = {"weights": np.int16, "near_weights": np.int16, "rows": np.int32, "constant": np.int32}
    return {"taps": table(taps), "near": table(near)} | {
        k: np.array(v, kinds[k]) for k, v in arrays.items()
    }


def lookup() -> np.ndarray:
    """Scales above the base for an expected magnitude in 1/256 deviations."""
    log_step = math.log(float(cdf_tables.sigmas()[1] / cdf_tables.sigmas()[0]))
    expected = (np.arange(LOOKUP) + 0.5) / (256 * 0.7979)
    return np.rint(np.log(expected) / log_step).clip(-63, 63).astype(np.int8)


def unit(latents: np.ndarray) -> np.ndarray:
    """Zero mean a channel; one deviation for all, since all have one step."""
    centred = latents.astype(np.float64) - latents.mean((0, 2, 3), keepdims=True)
    return centred / centred.std()


def make(photographs: Path, weights: Path, folder: Path, amount: int) -> None:
    """Latents of 512 x 512 crops, at three scales, with the tiny autoencoder of each space."""
    from latentpress.codec import encode_latent

    rng = random.Random(1)
    files = sorted(p for p in photographs.iterdir() if p.suffix in (".jpg", ".png"))
    rng.shuffle(files)
    crops: list[np.ndarray] = []
    for file in files:
        image = Image.open(file).convert("RGB")
        scale = max(512 / min(image.size), rng.choice((1, 0.75, 0.5)))
        if scale > 1 or len(crops) == amount:
            continue
        image = image.resize(
            (max(512, round(image.width * scale)), max(512, round(image.height * scale))),
            Image.Resampling.LANCZOS,
        )
        x, y = rng.randrange(image.width - 511), rng.randrange(image.height - 511)
        crops.append(np.asarray(image.crop((x, y, x + 512, y + 512))))
    folder.mkdir(parents=True, exist_ok=True)
    for space, tiny in SPACES.items():
        np.save(
            folder / f"{space}.npy",
            np.stack(
                [
                    encode_latent(c, codec=space, model=str(weights / tiny), device="cpu")
                    for c in crops
                ]
            ),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("latents", type=Path)
    parser.add_argument("--make", type=Path, metavar="PHOTOGRAPHS")
    parser.add_argument("--weights", type=Path, help="folder with taesd, taesdxl, taesd3, taef1")
    parser.add_argument("--amount", type=int, default=40)
    options = parser.parse_args()
    if options.make:
        make(options.make, options.weights, options.latents, options.amount)
    arrays = {"lookup": lookup()}
    pool = []
    for space in SPACES:
        if not (options.latents / f"{space}.npy").exists():
            print(f"{space}: no latents, left out")
            continue
        latents = unit(np.load(options.latents / f"{space}.npy"))
        pool.append(latents.reshape(-1, 1, *latents.shape[2:])[:: max(1, latents.shape[1] // 4)])
        arrays |= {f"{space}_{k}": v for k, v in fit(latents, generic=False).items()}
        print(space, "fitted", flush=True)
    generic = np.concatenate(pool)[:80]
    arrays |= {
        f"generic_{k}": v
        for k, v in fit(generic / generic.std((2, 3), keepdims=True), generic=True).items()
    }
    np.savez_compressed(FILE, **arrays)
    print(FILE.name, FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
