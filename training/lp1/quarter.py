"""Fit the map from the latent to a picture at a quarter of the size.

    python -m training.lp1.quarter PHOTOGRAPHS --pictures 160

PHOTOGRAPHS is a folder of JPEG files. Crops of them are compressed at random qualities and decoded;
the 3 x 3 neighborhood of each position of y_hat is mapped to the 4 x 4 pixels of the decoded
picture, reduced, by least squares with a small ridge. Then the map's rank is lowered to RANK, by
the singular vectors that the latent's variance weighs, and the taps are fitted once more behind
these. The last tenth of the pictures is held out and judged. Writes models/lp1/quarter.npz, in
float16, and its SHA-256 into model.json: to be repeated with every new model, whose hash the file
names.
"""

import argparse
import hashlib
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentpress import codec, compress, container
from latentpress.parts import load_transform
from latentpress.spaces import LP1
from latentpress.transforms.lp1_quarter import CELL, FILE, REDUCTION
from training.lp1.export import OUT

SIDE = 384  # pixels of a crop, at most
QUALITIES = (5, 15, 25, 35, 45, 55, 65, 75, 90, 100)
RANK = 48
RIDGE = 3e-3  # of the full map, as a share of each input's variance
RIDGE_TAPS = 1e-5  # of the taps behind the projection
OUTPUTS = 3 * CELL**2

Floats = NDArray[np.float64]
Pair = tuple[NDArray[np.float32], Floats]  # y_hat (C, h, w), cells (h w, OUTPUTS)


def pairs(folder: Path, pictures: int) -> Iterator[Pair]:
    """y_hat and the reduced picture of a crop of each photograph."""
    rng = random.Random(0)
    files = sorted(folder.glob("*.jpg"))
    rng.shuffle(files)
    transform = load_transform(LP1, device="cpu")
    for file in files[:pictures]:
        quality = rng.choice(QUALITIES)
        image = Image.open(file).convert("RGB")
        left, top = (rng.randrange(max(1, side - SIDE)) for side in image.size)
        width, height = (min(SIDE, side) // LP1.factor * LP1.factor for side in image.size)
        crop = image.crop((left, top, left + width, top + height))
        header, chunks = container.unpack(compress(crop, quality=quality, content="photo"))
        strips = list(codec.decode(header, chunks))
        pixels = np.concatenate(list(transform.synthesize(strips, width, height)))
        yield np.concatenate(strips, axis=1), cells(pixels)


def cells(pixels: NDArray[np.uint8]) -> Floats:
    """(H, W, 3) -> the means of REDUCTION x REDUCTION pixels, CELL x CELL of them a position."""
    h, w = pixels.shape[0] // LP1.factor, pixels.shape[1] // LP1.factor
    blocks = pixels.reshape(h, CELL, REDUCTION, w, CELL, REDUCTION, 3).mean((2, 5))
    return blocks.transpose(0, 2, 1, 3, 4).reshape(h * w, OUTPUTS)


def neighborhoods(t: NDArray[np.float32]) -> Floats:
    """(R, h, w) -> (h w, 9 R + 1): the neighbors in raster order, and 1."""
    h, w = t.shape[1:]
    padded = np.pad(t, ((0, 0), (1, 1), (1, 1)), mode="edge")
    views = [padded[:, dy : dy + h, dx : dx + w] for dy in range(3) for dx in range(3)]
    ones = np.ones((1, h, w), np.float32)
    return np.concatenate([*views, ones]).reshape(-1, h * w).T.astype(np.float64)


def least_squares(
    data: list[Pair], ridge: float, prepare: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> tuple[Floats, Floats]:
    """The map (9 R + 1, OUTPUTS) of the neighborhoods of prepared latents, and the sums of their
    products.
    """
    products, targets = 0.0, 0.0
    for y, wanted in data:
        x = neighborhoods(prepare(y))
        products, targets = products + x.T @ x, targets + x.T @ wanted
    penalty = ridge * np.diag(products)
    penalty[-1] = 0  # of the bias
    return np.linalg.solve(products + np.diag(penalty), targets), products


def projection(full: Floats, products: Floats) -> NDArray[np.float32]:
    """(RANK, C): the directions of the latent that the full map needs most, each of variance 1."""
    channels = LP1.channels
    middle = slice(4 * channels, 5 * channels)
    variance = products[middle, middle] / products[-1, -1]
    values, vectors = np.linalg.eigh(variance)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    by_channel = full[:-1].reshape(9, channels, OUTPUTS).transpose(1, 0, 2).reshape(channels, -1)
    left = np.linalg.svd(root @ by_channel, full_matrices=False)[0][:, :RANK]
    floor = 1e-6 * np.trace(root) / channels * np.eye(channels)
    found: NDArray[np.float32] = np.linalg.solve(root + floor, left).T.astype(np.float32)
    return found


def psnr(map_: Floats, data: list[Pair], prepare: Callable[..., NDArray[np.float32]]) -> float:
    """Mean PSNR of the map's small pictures against the reduced ones, in dB."""
    errors = [
        np.mean(((neighborhoods(prepare(y)) @ map_).clip(0, 255) - wanted) ** 2)
        for y, wanted in data
    ]
    return float(np.mean(10 * np.log10(255**2 / np.array(errors))))


def main() -> None:
    """Fit, judge and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--pictures", type=int, default=160)
    options = parser.parse_args()
    data = list(pairs(options.photographs, options.pictures))
    held_out = data[-(len(data) // 10) :]
    data = data[: -len(held_out)]
    full, products = least_squares(data, RIDGE, lambda y: y)
    project = projection(full, products).astype(np.float16)
    prepare = lambda y: np.tensordot(project.astype(np.float32), y, 1)
    taps, _ = least_squares(data, RIDGE_TAPS, prepare)
    taps = taps.astype(np.float16)
    print(
        f"full map {psnr(full, held_out, lambda y: y):.2f} dB on held-out pictures, of rank "
        f"{RANK} {psnr(taps.astype(np.float64), held_out, prepare):.2f} dB"
    )

    card = json.loads((OUT / "model.json").read_text(encoding="utf-8"))
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        project=project,
        taps=taps[:-1].reshape(3, 3, RANK, OUTPUTS),
        bias=taps[-1],
        model_hash=np.frombuffer(bytes.fromhex(card["model_hash"]), np.uint8),
    )
    (OUT / FILE).write_bytes(buffer.getvalue())
    card["sha256"][FILE] = hashlib.sha256(buffer.getvalue()).hexdigest()
    card["sha256"] = dict(sorted(card["sha256"].items()))
    (OUT / "model.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(f"{FILE}: {len(buffer.getvalue())} bytes")


if __name__ == "__main__":
    main()
