"""What exactness costs, on Kodak:  python -m training.lp1.exactness [--run RUN] [--images DIR]

For each image and quality: bits of the shipped codec's stream where every symbol is rounded alone
(latent chunk 02), the model's estimate of the same symbols (real-valued Gaussians at the tables'
scales), and the bits that the same torch model needs with its prior in floats: activations not
rounded, scales on no grid, true rounding of the latent. Writes results/exactness.csv and prints the
means: coded bits may be 1.005 x estimate + 64, and 1.01 x the float prior's. `latentpress bench`
makes the rate-distortion table.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks import provenance
from latentpress import codec
from latentpress.container import LATENT_HYPERPRIOR
from latentpress.entropy import cdf_tables
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.rans import CRC_BYTES
from training.grids import ACT, ACT_MAX, gaussian_bits, table_sigma
from training.lp1 import codec as torch_codec
from training.lp1 import prior as torch_prior
from training.lp1.checkpoint import load_run
from training.lp1.codec import Codec
from training.lp1.export import OUT
from training.lp1.shape import LEVELS
from training.lp1.shipped import shipped_codec

ROOT = Path(__file__).parents[2]
QUALITIES = (10, 30, 50, 70, 90)
COLUMNS = ("image", "quality", "coded_bits", "estimated_bits", "float_prior_bits")


def float_act(t: Tensor) -> Tensor:
    """`training.grids.act` without its grid."""
    return t.float().clamp(0, ACT_MAX / ACT)


def float_sigma(log_sigma: Tensor, hard: bool) -> Tensor:
    """`training.grids.table_sigma` without its grid, whatever `hard` says."""
    return table_sigma(log_sigma, False)


@contextmanager
def float_prior() -> Iterator[None]:
    """Within it, torch priors compute in floats, without rounding.

    The prior and the codec look up both functions in their modules whenever they are run.
    """
    with (
        patch.object(torch_prior, "act", float_act),
        patch.object(torch_codec, "table_sigma", float_sigma),
    ):
        yield


@torch.inference_mode()
def float_bits(net: Codec, pixels: np.ndarray, quality: float) -> float:
    """Bits of a picture (H, W, 3) uint8 by the model in torch with its prior in floats."""
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    level = torch.tensor([quality / 100 * (LEVELS - 1)])
    with float_prior():
        return float(net(x, level, hard=True).bits)


def estimated_bits(prior: HyperpriorCoder, y: np.ndarray) -> float:
    """Bits of a latent y (C, h, w) of one segment, by Gaussians at the scales of its tables."""
    z, passes, _ = prior.model_segment(y * prior.gain)
    parts = [(z, prior.z_tables(z.shape))]
    parts += [(found.alone, one.tables) for one, found in passes]
    total = 0.0
    for symbols, numbers in parts:
        sigma = torch.from_numpy(cdf_tables.sigmas()[numbers]).double()
        total += float(gaussian_bits(torch.from_numpy(symbols).double(), sigma).sum())
    return total


Row = tuple[str, int, int, float, float]  # as COLUMNS


def measure(net: Codec, path: Path) -> list[Row]:
    """The rows of a picture, one a quality. It must be one segment, as Kodak's are."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    y = codec.encode_latent(pixels)
    rows = []
    for quality in QUALITIES:
        prior = HyperpriorCoder("lp1", quality, chunk_type=LATENT_HYPERPRIOR)
        coded = 8 * (len(prior.encode([y])) - CRC_BYTES)
        estimate = round(estimated_bits(prior, y), 1)
        real = round(float_bits(net, pixels, quality), 1)
        rows.append((path.name, quality, coded, estimate, real))
    return rows


def print_means(rows: list[Row]) -> None:
    """Print the ratios of the sums at each quality, and the worst image's."""
    print("quality  coded/estimate  worst (coded - 64)/estimate  coded/float prior")
    for quality in QUALITIES:
        coded, estimate, real = np.array([row[2:] for row in rows if row[1] == quality]).T
        mean = coded.sum() / estimate.sum()
        worst = ((coded - 64) / estimate).max()
        against_float = coded.sum() / real.sum()
        print(f"{quality:7} {mean:15.5f} {worst:28.5f} {against_float:18.5f}")


def main() -> None:
    """Measure a folder of pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--run", help="the run that was exported; without it the shipped model is read back"
    )
    parser.add_argument("--images", default=str(ROOT.parent / "shared/data/kodak"))
    args = parser.parse_args()
    net = load_run(args.run) if args.run else shipped_codec()
    rows = []
    for path in sorted(Path(args.images).glob("*.png")):
        rows += measure(net, path)
        print(path.name, flush=True)
    out = ROOT / "results/exactness.csv"
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    provenance.record(out, "coded bits against the estimate and a prior in floats", ["builtin"])
    print_means(rows)
    print(out, "model", json.loads((OUT / "model.json").read_text(encoding="utf-8"))["model_hash"])


if __name__ == "__main__":
    main()
