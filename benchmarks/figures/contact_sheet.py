"""What the numbers look like: crops of faces, text, sky, foliage and night, beside AVIF and WebP at
the same bytes.

    python -m benchmarks.figures.contact_sheet [--bpp 0.12] [--data FOLDER]
        [--output results/contact_sheet.jpg]

FOLDER holds kodak/ and science-fair/. Whole pictures are compressed, in latentpress at the rate
asked for and in AVIF (speed 6) and WebP (method 6) at the quality whose bytes come closest; the
crops are cut afterwards, unscaled.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks import provenance
from benchmarks.figures.rivals import RIVALS, Pressed, at_size
from benchmarks.rows import DATA, ROOT
from latentpress.metrics import psnr

CROPS = {  # what -> (file, left, top)
    "face": ("kodak/kodim04.png", 130, 180),
    "face, paint": ("kodak/kodim15.png", 250, 60),
    "text": ("kodak/kodim05.png", 250, 130),
    "foliage, water": ("kodak/kodim13.png", 380, 260),
    "sky": ("kodak/kodim21.png", 130, 60),
    "fine lines": ("kodak/kodim19.png", 130, 440),
    "night": ("science-fair/original_03.png", 140, 150),
}
SIDE, GAP, LINE = 224, 6, 15  # pixels


class Crop(NamedTuple):
    """A row of a sheet: a name, a picture, what `at_size` makes of it, left and top of the crop."""

    name: str
    picture: Image.Image
    pressed: Pressed
    left: int
    top: int


def sheet_of(crops: Sequence[Crop], rivals: Sequence[str] = tuple(RIVALS)) -> Image.Image:
    """A row for each crop: the original, latentpress and rivals at the same bytes."""
    columns = ["original", "latentpress", *rivals]
    sheet = Image.new(
        "RGB",
        (len(columns) * (SIDE + GAP) + GAP, len(crops) * (SIDE + 2 * LINE + GAP) + GAP),
        "white",
    )
    ink, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for row, (name, picture, pressed, left, top) in enumerate(crops):
        pixels = picture.width * picture.height
        for column, codec in enumerate(columns):
            x, y = GAP + column * (SIDE + GAP), GAP + row * (SIDE + 2 * LINE + GAP)
            image, lines = picture, (name, "original")
            if codec in pressed:
                image, size = pressed[codec]
                quality = psnr(np.asarray(picture), np.asarray(image))
                lines = (codec, f"{8 * size / pixels:.3f} bpp, {quality:.1f} dB")
            for i, line in enumerate(lines):
                ink.text((x, y + i * LINE), line, "black", font)
            sheet.paste(image.crop((left, top, left + SIDE, top + SIDE)), (x, y + 2 * LINE))
    return sheet


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bpp", type=float, default=0.12)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "contact_sheet.jpg")
    arguments = parser.parse_args()
    crops = []
    for what, (name, left, top) in CROPS.items():
        with Image.open(arguments.data / name) as file:
            picture = file.convert("RGB")
        pressed = at_size(picture, int(arguments.bpp * picture.width * picture.height / 8))
        crops.append(Crop(f"{what} ({Path(name).stem})", picture, pressed, left, top))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    sheet_of(crops).save(arguments.output, quality=92)
    provenance.record(arguments.output, "crops beside AVIF and WebP at the same bytes", ["builtin"])
    print(arguments.output)


if __name__ == "__main__":
    main()
