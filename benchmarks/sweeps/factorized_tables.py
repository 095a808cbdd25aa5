"""Bytes of the static tables against order-0 entropy.

    python -m benchmarks.sweeps.factorized_tables WEIGHTS_FOLDER [--every 4]

For each Stable Diffusion space, with its tiny autoencoder in WEIGHTS_FOLDER (taesd, taesdxl,
taesd3, taef1), on every k-th Kodak image and three qualities: bits of the whole latent chunk over
the empirical order-0 entropy of the same integers, channel by channel. Writes results/static.csv
and prints means and maxima.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from benchmarks import provenance
from benchmarks.rows import DATA, ROOT
from latentpress import codec
from latentpress.entropy.factorized import FactorizedCoder
from latentpress.spaces import STABLE_DIFFUSION

WEIGHTS = {"sd15": "taesd", "sdxl": "taesdxl", "sd3": "taesd3", "flux1": "taef1"}
QUALITIES = (10, 50, 90)


def entropy_bits(symbols: np.ndarray) -> float:
    """Empirical order-0 entropy of (C, h, w) integers, a distribution a channel, in bits."""
    total = 0.0
    for channel in symbols:
        amounts = np.unique(channel, return_counts=True)[1]
        total -= float((amounts * np.log2(amounts / amounts.sum())).sum())
    return total


def main() -> None:
    """Measure all spaces."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--images", type=Path, default=DATA / "kodak")
    arguments = parser.parse_args()
    rows = []
    for space in STABLE_DIFFUSION:
        for path in sorted(arguments.images.glob("*.png"))[:: arguments.every]:
            y = codec.encode_latent(
                path, codec=space.name, model=str(arguments.weights / WEIGHTS[space.name])
            )
            for quality in QUALITIES:
                coder = FactorizedCoder(space, quality)
                body = coder.encode([y])
                y_hat = next(coder.decode(body, *y.shape[1:]))
                # the same integers, but for an offset
                symbols = np.rint((y_hat - y_hat[:, :1, :1]) / coder.step).astype(int)
                rows.append(
                    (space.name, path.name, quality, 8 * len(body), round(entropy_bits(symbols), 1))
                )
    output = ROOT / "results/static.csv"
    with output.open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(["space", "image", "quality", "coded_bits", "order0_entropy_bits"])
        writer.writerows(rows)
    provenance.record(output, "bytes of the static tables against order-0 entropy", [])
    for space in WEIGHTS:
        for quality in QUALITIES:
            ratios = [r[3] / r[4] for r in rows if r[0] == space and r[2] == quality]
            print(
                f"{space:6} q{quality}: coded / entropy mean {np.mean(ratios):.4f}, "
                f"worst {max(ratios):.4f}"
            )


if __name__ == "__main__":
    main()
