"""Where the borders of a screen layer lie, and what is seen there:

    python -m benchmarks.sweeps.layer_borders

Panels of drawings (benchmarks/data/screens) lie over photographs of samples/, at places that are no
multiples of a cell. They are pressed with masks that follow a drawing for 0, 2, 4, and any number
of cells beyond what looks drawn (`STEPS` of content/regions.py). A row for each number: the mean
share of the picture that the layer shows, bytes, SSIMULACRA 2, pairs of pixels of one color that
the mask's border parts, and by how many levels the error differs on both sides of these pairs.
Prints the table.
"""

import argparse
from unittest import mock

import numpy as np
from numpy.typing import NDArray

import latentpress
from benchmarks.data.screens import HELD_OUT_SEED, PHOTOS, SIDE, photo, screens
from latentpress.content import screen_layer
from latentpress.image.picture import read_picture
from latentpress.metrics.ssimulacra2 import ssimulacra2
from latentpress.options import EncodeOptions
from latentpress.screen.mask import CELL

Pixels = NDArray[np.uint8]
STEPS = {"0": 0, "2": 2, "4": 4, "any": 1000}
PAGES = 12
KINDS = ("document", "screen", "chart")


def page(index: int) -> Pixels:
    """A photograph with one or two panels over it."""
    rng = np.random.default_rng(HELD_OUT_SEED + 700 + index)
    drawn = [image for name, image in screens().items() if name.startswith(KINDS)]
    image = photo(PHOTOS[index % len(PHOTOS)], SIDE, SIDE, rng)
    for _ in range(1 + index % 2):
        width, height = (int(n) for n in rng.integers(150, 340, 2))
        left, right = (int(n) for n in rng.integers(0, SIDE - width, 2))
        top, bottom = (int(n) for n in rng.integers(0, SIDE - height, 2))
        panel = drawn[int(rng.integers(len(drawn)))]
        image.paste(panel.crop((right, bottom, right + width, bottom + height)), (left, top))
    return np.asarray(image)


def figures(pixels: Pixels, options: EncodeOptions) -> list[float] | None:
    """The figures of a page; None where it has no layer with a mask."""
    layer = screen_layer(read_picture(pixels), options)
    if layer is None or layer.is_whole:
        return None
    data = latentpress.compress(pixels, options=options)
    decoded = np.asarray(latentpress.decompress(data).convert("RGB"))
    error = (decoded.astype(np.float64) - pixels).mean(2)
    mask = layer.mask.repeat(CELL, 0).repeat(CELL, 1)[: pixels.shape[0], : pixels.shape[1]]
    jumps = np.zeros(0)
    for axis in (0, 1):
        is_border = np.diff(mask, axis=axis)
        is_one_color = (np.diff(pixels.astype(np.int16), axis=axis) == 0).all(2)
        found = np.abs(np.diff(error, axis=axis))[is_border & is_one_color]
        jumps = np.concatenate([jumps, found])
    score = ssimulacra2(pixels, decoded)
    return [layer.mask.mean(), len(data), score, len(jumps), float(jumps.sum())]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quality", type=float, default=40)
    options = EncodeOptions(quality=parser.parse_args().quality, content="auto")
    pages = [page(i) for i in range(PAGES)]
    print("| cells | pages | share | bytes | SSIMULACRA 2 | pairs parted | levels a pair |")
    print("|---" * 7 + "|")
    for name, steps in STEPS.items():
        with mock.patch("latentpress.content.regions.STEPS", steps):
            found = [row for row in (figures(pixels, options) for pixels in pages) if row]
        share, size, score, pairs, jump = (sum(column) for column in zip(*found, strict=True))
        count = len(found)
        print(
            f"| {name} | {count} | {share / count:.3f} | {size / count:,.0f} | "
            f"{score / count:.1f} | {pairs / count:.0f} | {jump / max(pairs, 1):.1f} |"
        )


if __name__ == "__main__":
    main()
