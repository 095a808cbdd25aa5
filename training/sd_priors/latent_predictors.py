"""Fit the linear predictors of latents as data.

    python -m training.sd_priors.latent_predictors LATENTS_DIR

LATENTS_DIR holds sd15.npy, sdxl.npy, sd3.npy and flux1.npy, each (N, C, H, W) float32; `--make`
writes them from photographs with the tiny autoencoders. The result is
`src/latentpress/latents/methods/predictors.npz`: integers, and nothing is recomputed where the
codec runs.

The weights of the values are least squares over all latents, with a ridge of step^2 / 12 that
stands for the noise of quantization. The weights of the magnitudes are fitted on the residuals of
one level and are not negative.
"""

import argparse
import math
import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.optimize import nnls

from latentpress.entropy import cdf_tables
from latentpress.entropy.multistage_passes import own_taps
from latentpress.latents.methods.predictive_coding import pass_view
from latentpress.latents.methods.predictors import (
    FILE,
    LEVEL_STEPS,
    MAGNITUDE_BITS,
    PASSES,
    REACH,
    WEIGHT_BITS,
)

Tap = tuple[int, int, int]  # channel, rows down, columns right
Where = tuple[int, int, int]  # first row, first column, stride of a pass

SPACES = {"sd15": "taesd", "sdxl": "taesdxl", "sd3": "taesd3", "flux1": "taef1"}
OWN = 14  # positions of the own channel whose values are seen
OWN_NEAR = 8  # and whose magnitudes are seen
EVERYWHERE = (0, 0, 1)  # all positions
CROSS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
SQUARE = (*CROSS, (-1, -1), (-1, 1), (1, -1), (1, 1))
NEAR_CHANNELS = 4  # earlier channels whose magnitudes are seen in a cross; of others only the place
REFERENCE = 1  # the level whose residuals the magnitudes are fitted on
RIDGE = 1e-3  # beside the noise of quantization

LOOKUP = 2048  # entries
MEAN_MAGNITUDE = 0.7979  # of a Gaussian of deviation 1: sqrt(2 / pi)
MAGNITUDE_UNIT = 16  # magnitudes are counted in sixteenths of a deviation
MAGNITUDE_MAX = 255
MAGNITUDE_FITTED = 60  # larger ones count as this in the fit
USUAL = 13  # the mean magnitude in that unit: what the border holds, and the constant's input

CROP = 512
SCALES = (1, 0.75, 0.5)  # of a photograph before its crop
GENERIC_LATENTS = 80  # channels of all spaces that the generic model is fitted on


def near_taps(number: int) -> list[tuple[int, int]]:
    """The nearest positions of the same channel that the passes before a pass decoded."""
    return own_taps(number)[:OWN]


def columns(padded: np.ndarray, taps: list[Tap], where: Where) -> np.ndarray:
    """What a pass sees of latents with a border, (N, C, h, w).

    Returns:
        (positions of all latents, taps) float64.
    """
    if not taps:
        return np.zeros((sum(pass_view(p, 0, where).size for p in padded), 0))
    return np.concatenate(
        [np.stack([pass_view(p, c, where, y, x).ravel() for c, y, x in taps], 1) for p in padded]
    )


def border(latents: np.ndarray, value: float) -> np.ndarray:
    """Latents (N, C, h, w) with a value in REACH positions all around."""
    return np.pad(latents, ((0, 0), (0, 0), (REACH, REACH), (REACH, REACH)), constant_values=value)


class Moments(NamedTuple):
    """The products of a channel's taps over all positions of all latents.

    taps: k of them, the channel's own value first. gram: (k, k). amount: positions. A pass has no
    place of its own in a photograph, so all positions teach all passes.
    """

    taps: list[Tap]
    gram: np.ndarray
    amount: int


def moments(values: np.ndarray, c: int, around: list[Tap]) -> Moments:
    """The products of channel c's own taps in all passes, and of those in earlier channels."""
    own = {(c, y, x) for number in range(len(PASSES)) for y, x in near_taps(number)}
    taps = [(c, 0, 0), *sorted(own), *around]
    everywhere = columns(values, taps, EVERYWHERE)
    return Moments(taps, everywhere.T @ everywhere, len(everywhere))


def solve(found: Moments, taps: list[Tap], step: float) -> np.ndarray:
    """The weights (taps,) that predict a value best from its taps at a quantization step."""
    if not taps:
        return np.zeros(0)
    chosen = [found.taps.index(tap) for tap in taps]
    ridge = np.eye(len(taps)) * found.amount * (step**2 / 12 + RIDGE)
    part = found.gram[np.ix_(chosen, chosen)]
    return np.linalg.solve(part + ridge, found.gram[chosen, 0])


def magnitudes(residual: np.ndarray, latents: int) -> np.ndarray:
    """Residuals of some latents, one after the other -> their magnitudes, in MAGNITUDE_UNIT.

    They are against the mean of their own latent, as the base scale is.
    """
    size = np.abs(residual).reshape(latents, -1)
    means = size.mean(axis=1, keepdims=True)
    return np.minimum(MAGNITUDE_UNIT * MEAN_MAGNITUDE * size / means, MAGNITUDE_MAX).ravel()


def put(sizes: np.ndarray, c: int, where: Where, size: np.ndarray) -> None:
    """Enter a pass's magnitudes into those of all latents, (N, C, h, w) with a border."""
    at = 0
    for p in sizes:
        place = pass_view(p, c, where)
        place[...] = size[at : at + place.size].reshape(place.shape)
        at += place.size


def solve_magnitudes(b: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The weights (taps,), not negative, that give a magnitude from its neighbors' b.

    b: (positions, taps). size: (positions,). The weights' mean is that of the magnitudes.
    """
    target = b.T @ np.minimum(size, MAGNITUDE_FITTED)
    v, _ = nnls(b.T @ b + np.eye(b.shape[1]) * len(b), target)
    v *= size.mean() / (b @ v).mean()
    return v


def around_magnitudes(c: int) -> list[Tap]:
    """Where channel c sees the magnitudes of earlier channels."""
    near = lambda k: CROSS if k >= c - NEAR_CHANNELS else CROSS[:1]
    return [(k, y, x) for k in range(c) for y, x in near(k)]


def fit(latents: np.ndarray, generic: bool) -> dict[str, np.ndarray]:
    """The arrays of one model.

    Args:
        latents: (N, C, H, W) of zero mean and unit deviation.
        generic: Fit the first channel alone.
    """
    values = border(latents, 0)
    sizes = border(np.zeros_like(latents), USUAL)
    channels = latents.shape[1]
    taps: list[Tap] = []
    near: list[Tap] = []
    near_weights: list[int] = []
    weights: list[list[int]] = [[] for _ in LEVEL_STEPS]
    rows: list[list[tuple[int, int, int, int]]] = []
    constants: list[list[int]] = []
    for c in range(1 if generic else channels):
        rows.append([])
        constants.append([])
        shape = SQUARE if channels <= 4 else CROSS
        around = [(k, y, x) for k in range(c) for y, x in shape]
        found = moments(values, c, around)
        for number, where in enumerate(PASSES):
            own = [(c, y, x) for y, x in near_taps(number)]
            t = own + around
            n = own[:OWN_NEAR] + around_magnitudes(c)
            for level, step in enumerate(LEVEL_STEPS):
                w = solve(found, t, step)
                if level == REFERENCE:
                    a = columns(values, t, where)
                    residual = columns(values, [(c, 0, 0)], where)[:, 0] - a @ w
                whole = np.rint(w * 2**WEIGHT_BITS)
                weights[level] += np.clip(whole, -32768, 32767).astype(int).tolist()
            size = magnitudes(residual, len(latents))
            put(sizes, c, where, size)
            constant = np.full(len(size), float(USUAL))
            v = solve_magnitudes(np.column_stack([columns(sizes, n, where), constant]), size)
            rows[-1].append((len(taps), len(taps) + len(t), len(near), len(near) + len(n)))
            constants[-1].append(round(USUAL * v[-1] * 2**MAGNITUDE_BITS))
            taps += t
            near += n
            near_weights += np.rint(v[:-1] * 2**MAGNITUDE_BITS).astype(int).tolist()
    table = lambda triples: np.array(triples, np.int8).reshape(-1, 3)
    return {
        "taps": table(taps),
        "near": table(near),
        "weights": np.array(weights, np.int16),
        "near_weights": np.array(near_weights, np.int16),
        "rows": np.array(rows, np.int32),
        "constant": np.array(constants, np.int32),
    }


def lookup() -> np.ndarray:
    """Scales above the base for an expected magnitude in 1/256 deviations, (LOOKUP,) int8."""
    log_step = math.log(float(cdf_tables.sigmas()[1] / cdf_tables.sigmas()[0]))
    expected = (np.arange(LOOKUP) + 0.5) / (256 * MEAN_MAGNITUDE)
    return np.rint(np.log(expected) / log_step).clip(-63, 63).astype(np.int8)


def unit(latents: np.ndarray) -> np.ndarray:
    """Zero mean a channel; one deviation for all, since all have one step. float64."""
    centered = latents.astype(np.float64) - latents.mean((0, 2, 3), keepdims=True)
    return centered / centered.std()


def crops_of(photographs: Path, amount: int) -> list[np.ndarray]:
    """CROP x CROP crops of at most so many photographs of a folder, at three scales. uint8."""
    rng = random.Random(1)
    files = sorted(p for p in photographs.iterdir() if p.suffix in (".jpg", ".png"))
    rng.shuffle(files)
    crops: list[np.ndarray] = []
    for file in files:
        image = Image.open(file).convert("RGB")
        scale = max(CROP / min(image.size), rng.choice(SCALES))
        if scale > 1 or len(crops) == amount:
            continue
        sides = [max(CROP, round(side * scale)) for side in image.size]
        image = image.resize((sides[0], sides[1]), Image.Resampling.LANCZOS)
        x = rng.randrange(image.width - CROP + 1)
        y = rng.randrange(image.height - CROP + 1)
        crops.append(np.asarray(image.crop((x, y, x + CROP, y + CROP))))
    return crops


def make(photographs: Path, weights: Path, folder: Path, amount: int) -> None:
    """Write the latents of `crops_of` photographs by the tiny autoencoder of each space."""
    from latentpress.codec import encode_latent

    crops = crops_of(photographs, amount)
    folder.mkdir(parents=True, exist_ok=True)
    for space, tiny in SPACES.items():
        model = str(weights / tiny)
        latents = [encode_latent(c, codec=space, model=model, device="cpu") for c in crops]
        np.save(folder / f"{space}.npy", np.stack(latents))


def main() -> None:
    """Fit the model of each space whose latents are there, then the generic one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("latents", type=Path)
    parser.add_argument("--make", type=Path, metavar="PHOTOGRAPHS")
    parser.add_argument("--weights", type=Path, help="folder with taesd, taesdxl, taesd3, taef1")
    parser.add_argument("--amount", type=int, default=40, help="photographs that --make takes")
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
    generic = np.concatenate(pool)[:GENERIC_LATENTS]
    generic = generic / generic.std((2, 3), keepdims=True)
    arrays |= {f"generic_{k}": v for k, v in fit(generic, generic=True).items()}
    np.savez_compressed(FILE, **arrays)
    print(FILE.name, FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
