"""Does synthesis hide a grid where LPIPS does not look?

    python -m training.lp1.hidden_grid [--images KODAK] [--bpp 0.12]

Prints, of the original and of what is decoded, the share of the periods 4 and 2 (the 4 x 4 shuffle,
AlexNet's stride) in the fine detail of a smooth 96 x 96 patch: power of the Hann-windowed luma at
those frequencies over its power beyond an eighth of the sampling rate.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import latentpress
from latentpress import targets

SIDE = 96
PERIOD = 4
# top, left: sky, skin, water
PATCHES = {
    "kodim21.png": (64, 160),
    "kodim04.png": (330, 150),
    "kodim13.png": (380, 400),
}


def share(pixels: np.ndarray, top: int, left: int) -> float:
    """The share of the grid's frequencies in the fine detail of a patch, in 0..1.

    pixels: (H, W, 3). top, left: where its patch of SIDE x SIDE begins.
    """
    patch = pixels[top : top + SIDE, left : left + SIDE].astype(float).mean(2)
    window = np.hanning(SIDE)
    power = np.abs(np.fft.fft2((patch - patch.mean()) * window[:, None] * window)) ** 2
    at = np.arange(0, SIDE, SIDE // PERIOD)
    distance = np.minimum(np.arange(SIDE), SIDE - np.arange(SIDE))
    fine = np.add.outer(distance, distance) > SIDE // 8
    return float((power[np.ix_(at, at)].sum() - power[0, 0]) / power[fine].sum())


def main() -> None:
    """Print a line a patch."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kodak = Path(__file__).parents[3] / "shared/data/kodak"
    parser.add_argument("--images", type=Path, default=kodak)
    parser.add_argument("--bpp", type=float, default=0.12)
    args = parser.parse_args()
    for name, (top, left) in PATCHES.items():
        with Image.open(args.images / name) as file:
            picture = file.convert("RGB")
        decoded = latentpress.decompress(targets.to_rate(picture, args.bpp))
        before = share(np.asarray(picture), top, left)
        after = share(np.asarray(decoded), top, left)
        print(f"{name}: original {before:.2%}, decoded {after:.2%}")


if __name__ == "__main__":
    main()
