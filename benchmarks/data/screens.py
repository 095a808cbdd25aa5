"""The test set of screens and pages: python -m benchmarks.data.screens

Writes benchmarks/data/screens/*.webp, lossless: 24 screens, documents, charts, comics and pieces of
pixel art, painted by `training.data.painters` from fixed seeds. They are this project's own work,
under its license. The painters take the typefaces of the system, so the files are shipped: another
system would paint other letters. `mixed` lays photographs of samples/ over some of them, when it is
asked.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from training.data.painters import PAINTERS
from training.data.painters.fonts import Fonts

FOLDER = Path(__file__).parent / "screens"
SAMPLES = Path(__file__).parents[2] / "samples"
SIDE = 640  # pixels
AMOUNTS = {"text": 7, "interface": 6, "chart": 4, "line_art": 4, "pixel_art": 3}
NAMES = {
    "text": "document",
    "interface": "screen",
    "chart": "chart",
    "line_art": "comic",
    "pixel_art": "pixels",
}
PHOTOS = ("astronaut", "china", "coffee", "flower")
MIXED = 12
LEAST_INK = (
    0.03  # share of pixel pairs that differ: pictures with less are drawn again, as nearly empty
)
HELD_OUT_SEED = 90_000  # training draws its own from small ones


def painted(kind: str, seed: int) -> Image.Image:
    """The first picture of a kind from a seed on that is not nearly empty."""
    fonts = Fonts.found(None)
    while True:
        pixels = PAINTERS[kind](np.random.default_rng(seed), SIDE, fonts)[:, :, :3]
        if (pixels[:, 1:] != pixels[:, :-1]).any(2).mean() >= LEAST_INK:
            return Image.fromarray(np.ascontiguousarray(pixels))
        seed += 1000


def photo(name: str, width: int, height: int, rng: np.random.Generator) -> Image.Image:
    """A part of a photograph, reduced by at most three to fit."""
    image = Image.open(SAMPLES / f"{name}.jpg").convert("RGB")
    scale = max(width / image.width, height / image.height, rng.uniform(0.34, 0.9))
    size = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.LANCZOS)
    left, top = (
        int(rng.integers(0, size[0] - width + 1)),
        int(rng.integers(0, size[1] - height + 1)),
    )
    return image.crop((left, top, left + width, top + height))


def mixed(index: int) -> Image.Image:
    """One of the MIXED pages with one to three photographs in it, which take about a tenth to a
    half of it.
    """
    rng = np.random.default_rng(HELD_OUT_SEED + 500 + index)
    page = screens()[("document-{}", "screen-{}", "document-{}")[index % 3].format(index % 6)]
    for i in range(1 + index % 3):
        width, height = (int(n) for n in rng.integers(170, 420 - 60 * (index % 3), 2))
        left, top = int(rng.integers(0, SIDE - width)), int(rng.integers(0, SIDE - height))
        page.paste(photo(PHOTOS[(index + i) % len(PHOTOS)], width, height, rng), (left, top))
    return page


def screens() -> dict[str, Image.Image]:
    """Name -> picture of the shipped files."""
    return {file.stem: Image.open(file).convert("RGB") for file in sorted(FOLDER.glob("*.webp"))}


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for kind, amount in AMOUNTS.items():
        for i in range(amount):
            file = FOLDER / f"{NAMES[kind]}-{i}.webp"
            painted(kind, HELD_OUT_SEED + i).save(file, lossless=True, quality=100, method=6)


if __name__ == "__main__":
    main()
