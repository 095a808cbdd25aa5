"""What masking's REFERENCE should be:  python -m training.lp1.masking_reference PACKS

A row a level: the reference at which the held-out images together take as many bytes under steps that follow the activity (latent
chunk 05) as under the same steps everywhere (04), by secants. To be run after a new model was exported; the numbers go by hand into
`src/latentpress/entropy/masking.py` and `docs/format.md`, before the golden files are made.
"""

import argparse
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentpress import codec
from latentpress.container import LATENT_MASKED, LATENT_TRELLIS
from latentpress.entropy import masking
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.quantizer import interpolate
from training.data.store import load_held_out
from training.lp1.shape import LEVELS

CLOSE = 0.003  # of the bytes
FIRST = 20  # of the reference's units, for the second try
TRIES = 6


def size(latents: list[NDArray[np.float32]], quality: float, kind: int) -> int:
    return sum(len(HyperpriorCoder("lp1", quality, chunk_type=kind).encode([y])) for y in latents)


def reference(latents: list[NDArray[np.float32]], quality: float) -> tuple[int, float]:
    """The reference at a quality, and by what share the bytes differ there."""
    wanted, tried = size(latents, quality, LATENT_TRELLIS), dict[int, float]()
    guess = int(interpolate(masking.REFERENCE, quality)[0])
    kept = masking.REFERENCE
    for _ in range(TRIES):
        masking.REFERENCE = np.full_like(kept, guess)
        tried[guess] = math.log(size(latents, quality, LATENT_MASKED) / wanted)
        masking.REFERENCE = kept
        (b, f), *others = sorted(tried.items(), key=lambda t: abs(t[1]))
        if abs(f) < CLOSE:
            break
        slope = (f - others[0][1]) / (b - others[0][0]) if others else 0.0
        guess = round(b - f / slope) if slope > 0 else b - (FIRST if f > 0 else -FIRST)
    return b, f


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", type=Path)
    args = parser.parse_args()
    pixels = [
        (x[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        for x in load_held_out(args.packs)
    ]
    latents = [codec.encode_latent(a) for a in pixels]
    for level in range(LEVELS):
        found, off = reference(latents, 100 * level / (LEVELS - 1))
        print(f"level {level}: {found}, bytes {100 * math.expm1(off):+.2f} %", flush=True)


if __name__ == "__main__":
    main()
