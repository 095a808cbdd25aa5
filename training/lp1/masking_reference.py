"""What masking's REFERENCE should be:  python -m training.lp1.masking_reference PACKS

Prints a row a level: the reference at which the held-out images together take as many bytes under
steps that follow the activity (latent chunk 05) as under the same steps everywhere (04), by
secants. To be run after a new model was exported; the numbers go by hand into
`src/latentpress/entropy/masking.py`, `training/lp1/masking.py`, `web/src/masking.js` and
`docs/formats/ltp.md`, before the golden files are made.
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
    """Bytes of latents (C, h, w) together, each as the body of a latent chunk of a kind."""
    return sum(len(HyperpriorCoder("lp1", quality, chunk_type=kind).encode([y])) for y in latents)


def masked_size(latents: list[NDArray[np.float32]], quality: float, reference: int) -> int:
    """`size` of masked latents under one reference at all levels."""
    kept = masking.REFERENCE
    masking.REFERENCE = np.full_like(kept, reference)
    try:
        return size(latents, quality, LATENT_MASKED)
    finally:
        masking.REFERENCE = kept


def reference(latents: list[NDArray[np.float32]], quality: float) -> tuple[int, float]:
    """The reference at a quality.

    Returns:
        The reference, and the logarithm of the bytes' ratio to those wanted there.
    """
    wanted = size(latents, quality, LATENT_TRELLIS)
    guess = int(interpolate(masking.REFERENCE, quality)[0])
    tried: dict[int, float] = {}
    for _ in range(TRIES):
        tried[guess] = math.log(masked_size(latents, quality, guess) / wanted)
        (b, f), *others = sorted(tried.items(), key=lambda t: abs(t[1]))
        if abs(f) < CLOSE:
            break
        slope = (f - others[0][1]) / (b - others[0][0]) if others else 0.0
        move = f / slope if slope > 0 else math.copysign(FIRST, f)
        guess = round(b - move)
    return b, f


def main() -> None:
    """Print a row a level."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", type=Path)
    args = parser.parse_args()
    as_pixels = lambda x: (x[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    latents = [codec.encode_latent(as_pixels(x)) for x in load_held_out(args.packs)]
    for level in range(LEVELS):
        found, off = reference(latents, 100 * level / (LEVELS - 1))
        print(f"level {level}: {found}, bytes {100 * math.expm1(off):+.2f} %", flush=True)


if __name__ == "__main__":
    main()
