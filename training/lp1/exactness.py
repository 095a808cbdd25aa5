"""What exactness costs, on Kodak:  python -m training.lp1.exactness [--run RUN] [--images DIR]

For each image and quality: bits of the shipped codec's stream where every symbol is rounded alone (latent chunk 02), the
model's estimate of the same symbols (real-valued Gaussians at the tables' scales), and the bits that the same torch model
needs with its prior in floats: activations not rounded, scales on no grid, true rounding of the latent. Writes
results/exactness.csv and prints the means: coded bits may be 1.005 x estimate + 64, and 1.01 x the float prior's.
`latentpress bench` makes the rate-distortion table.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from latentpress import codec
from latentpress.container import LATENT_HYPERPRIOR
from latentpress.entropy import cdf_tables
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.rans import CRC_BYTES
from training import grids
from training.grids import gaussian_bits
from training.lp1 import codec as torch_codec
from training.lp1 import prior as torch_prior
from training.lp1.checkpoint import load_run
from training.lp1.codec import Codec
from training.lp1.export import OUT
from training.lp1.shape import LEVELS
from training.lp1.shipped import shipped_codec

ROOT = Path(__file__).parents[2]
QUALITIES = (10, 30, 50, 70, 90)


def float_prior() -> None:
    """Take the rounding out of the torch prior."""
    torch_prior.act = lambda t: t.float().clamp(0, grids.ACT_MAX / grids.ACT)
    torch_codec.table_sigma = lambda log_sigma, hard: grids.table_sigma(log_sigma, False)


@torch.inference_mode()
def float_bits(net: Codec, pixels: np.ndarray, quality: float) -> float:
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    return float(net(x, torch.tensor([quality / 100 * (LEVELS - 1)]), hard=True).bits)


def estimated_bits(prior: HyperpriorCoder, y: np.ndarray) -> float:
    total = 0.0
    z, passes, _ = prior.model_segment(y * prior.gain)
    for symbols, numbers in (
        (z, prior.z_tables(z.shape)),
        *((found.alone, one.tables) for one, found in passes),
    ):
        sigma = torch.from_numpy(cdf_tables.sigmas()[numbers]).double()
        total += float(gaussian_bits(torch.from_numpy(symbols).double(), sigma).sum())
    return total


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--run", help="the run that was exported; without it the shipped model is read back"
    )
    ap.add_argument("--images", default=str(ROOT.parent / "shared/data/kodak"))
    args = ap.parse_args()
    net = load_run(args.run) if args.run else shipped_codec()
    float_prior()
    rows = []
    for path in sorted(Path(args.images).glob("*.png")):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        y = codec.encode_latent(pixels)  # Kodak is one segment: a single stream
        for quality in QUALITIES:
            prior = HyperpriorCoder("lp1", quality, chunk_type=LATENT_HYPERPRIOR)
            coded = 8 * (len(prior.encode([y])) - CRC_BYTES)
            rows.append(
                (
                    path.name,
                    quality,
                    coded,
                    round(estimated_bits(prior, y), 1),
                    round(float_bits(net, pixels, quality), 1),
                )
            )
        print(path.name, flush=True)
    out = ROOT / "results/exactness.csv"
    with out.open("w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["image", "quality", "coded_bits", "estimated_bits", "float_prior_bits"])
        writer.writerows(rows)
    print("quality  coded/estimate  worst (coded - 64)/estimate  coded/float prior")
    for quality in QUALITIES:
        coded, estimate, real = np.array([r[2:] for r in rows if r[1] == quality]).T
        print(
            f"{quality:7} {coded.sum() / estimate.sum():15.5f} {((coded - 64) / estimate).max():28.5f} {coded.sum() / real.sum():18.5f}"
        )
    print(out, "model", (OUT / "model.json").read_text().split('"model_hash": "')[1][:8])


if __name__ == "__main__":
    main()
