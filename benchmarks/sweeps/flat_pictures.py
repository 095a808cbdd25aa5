"""What a picture of one color costs under lp1: python -m benchmarks.sweeps.flat_pictures

Bits per pixel of pictures of a single color at some qualities, for the default aim and for mse.
Prints a row a color and size.
"""

import argparse

from PIL import Image

import latentpress

COLORS = {
    "gray": (128, 128, 128),
    "red": (200, 30, 40),
    "blue": (20, 60, 160),
    "white": (255, 255, 255),
}
SIZES = (512, 1024)
AIMS = ("perceptual", "mse")


def rate(image: Image.Image, quality: float, aim: str) -> float:
    """Bits per pixel of a picture's file."""
    data = latentpress.compress(image, quality=quality, optimize_for=aim, content="photo")
    return 8 * len(data) / (image.width * image.height)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--qualities", default="50,80")
    qualities = [float(q) for q in parser.parse_args().qualities.split(",")]
    columns = [(q, aim) for q in qualities for aim in AIMS]
    print("| color | size | " + " | ".join(f"{q:g}, {aim}" for q, aim in columns) + " |")
    print("|---" * (2 + len(columns)) + "|")
    for size in SIZES:
        for name, color in COLORS.items():
            image = Image.new("RGB", (size, size), color)
            rates = " | ".join(f"{rate(image, *column):.3f}" for column in columns)
            print(f"| {name} | {size} x {size} | {rates} |")


if __name__ == "__main__":
    main()
