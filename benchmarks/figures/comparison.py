"""The picture of README: a face and a texture, the original beside latentpress, AVIF and WebP at
the same bytes.

    python -m benchmarks.figures.comparison [--bpp 0.1] [--output docs/comparison.jpg]

Whole photographs of samples/ are compressed: in latentpress at the rate asked for, or at that of
WebP's smallest file where WebP does not go so low, and in AVIF (speed 6, tune=iq) and WebP (method
6) at the quality whose bytes come closest. The crops are cut afterwards and shown enlarged, each
pixel as a square. The rate of the whole file stands under each.
"""

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from benchmarks.figures.rivals import RIVALS, at_size, rival
from benchmarks.rows import ROOT

CROPS = {"astronaut.jpg": (150, 20), "coffee.jpg": (0, 236)}  # file -> left, top
SIDE, ZOOM, GAP, LINE = 160, 2, 8, 34  # pixels; SIDE before it is enlarged


def main() -> None:
    """Draw the picture, print the rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bpp", type=float, default=0.1)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "comparison.jpg")
    arguments = parser.parse_args()
    shown = SIDE * ZOOM
    sheet = Image.new(
        "RGB", (4 * shown + 3 * GAP, len(CROPS) * (shown + LINE + GAP) - GAP), "white"
    )
    ink, font = ImageDraw.Draw(sheet), ImageFont.load_default(24)
    for row, (name, (left, top)) in enumerate(CROPS.items()):
        with Image.open(ROOT / "samples" / name) as file:
            picture = file.convert("RGB")
        pixels = picture.width * picture.height
        least = len(rival(picture, RIVALS["WebP"], 0))
        panels = {"original": picture}
        for codec, (image, size) in at_size(
            picture, max(int(arguments.bpp * pixels / 8), least)
        ).items():
            panels[f"{codec}, {8 * size / pixels:.3f} bpp"] = image
            print(f"{name}: {codec}, {size} bytes")
        for column, (caption, image) in enumerate(panels.items()):
            x, y = column * (shown + GAP), row * (shown + LINE + GAP)
            crop = image.crop((left, top, left + SIDE, top + SIDE))
            sheet.paste(crop.resize((shown, shown), Image.Resampling.NEAREST), (x, y))
            ink.text((x + shown / 2, y + shown + LINE / 2), caption, "black", font, anchor="mm")
    sheet.save(arguments.output, quality=90)
    print(arguments.output)


if __name__ == "__main__":
    main()
