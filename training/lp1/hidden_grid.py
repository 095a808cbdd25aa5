"""Does synthesis hide a grid where LPIPS does not look?  python -m training.lp1.hidden_grid [--images KODAK] [--bpp 0.12]

Share of the periods 4 and 2 (the 4 x 4 shuffle, AlexNet's stride) in the fine detail of a smooth 96 x 96 patch: power
of the Hann-windowed luma at those frequencies over its power beyond an eighth of the sampling rate.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import latentpress
from latentpress import targets

SIDE, PERIOD = 96, 4
PATCHES = {
    "kodim21.png": (64, 160),
    "kodim04.png": (330, 150),
    "kodim13.png": (380, 400),
}  # top, left: sky, skin, water


def share(pixels: np.ndarray, top: int, left: int) -> float:
    patch = pixels[top : top + SIDE, left : left + SIDE].astype(float).mean(2)
    window = np.hanning(SIDE)
    power = np.abs(np.fft.fft2((patch - patch.mean()) * window[:, None] * window)) ** 2
    at = np.arange(0, SIDE, SIDE // PERIOD)
    distance = np.minimum(np.arange(SIDE), SIDE - np.arange(SIDE))
    fine = np.add.outer(distance, distance) > SIDE // 8
    return float((power[np.ix_(at, at)].sum() - power[0, 0]) / power[fine].sum())


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("--images", type=Path, default=Path(__file__).parents[3] / "shared/data/kodak")
    ap.add_argument("--bpp", type=float, default=0.12)
    args = ap.parse_args()
    for name, (top, left) in PATCHES.items():
        with Image.open(args.images / name) as file:
            picture = file.convert("RGB")
        decoded = latentpress.decompress(targets.to_rate(picture, args.bpp))
        print(
            f"{name}: original {share(np.asarray(picture), top, left):.2%}, decoded {share(np.asarray(decoded), top, left):.2%}"
        )


if __name__ == "__main__":
    main()
