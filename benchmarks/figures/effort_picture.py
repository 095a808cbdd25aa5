"""What effort looks like: one picture at one size, original beside effort 0 and effort 9, with PSNR
and LPIPS.

    python -m benchmarks.figures.effort_picture kodak/kodim04.png --size 10kB
        --crop 130,180,360,300 -o docs/measurements/effort.jpg

The whole picture is compressed; the crop (left, top, width, height in pixels) is cut afterwards,
unscaled. Needs torch, LPIPS's weights.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import latentpress
from benchmarks.rows import ROOT
from latentpress import targets
from latentpress.cli.units import parse_size
from latentpress.image.panels import side_by_side
from latentpress.metrics import Reference
from latentpress.options import EncodeOptions


def main() -> None:
    """Compress twice, draw, print the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", type=Path)
    parser.add_argument("--size", type=parse_size, default="10kB")
    parser.add_argument("--efforts", default="0,9")
    parser.add_argument("--optimize-for", default=None)
    parser.add_argument("--codec", default="builtin")
    parser.add_argument("--model")
    parser.add_argument("--crop", help="left,top,width,height")
    parser.add_argument(
        "-o", "--output", type=Path, default=ROOT / "docs" / "measurements" / "effort.jpg"
    )
    arguments = parser.parse_args()
    with Image.open(arguments.image) as file:
        original = file.convert("RGB")
    images, captions = [original], [f"original\n{original.width} x {original.height}"]
    reference = Reference(np.asarray(original))
    for effort in map(int, arguments.efforts.split(",")):
        how = {
            "codec": arguments.codec,
            "model": arguments.model,
            "effort": effort,
            "optimize_for": arguments.optimize_for,
        }
        data = targets.to_size(original, arguments.size, options=EncodeOptions(**how))
        decoded = latentpress.decompress(data, model=arguments.model).convert("RGB")
        values = reference.assess(np.asarray(decoded), ("psnr", "lpips"))
        bpp = 8 * len(data) / (original.width * original.height)
        images.append(decoded)
        captions.append(
            f"effort {effort}: {len(data) / 1000:.2f} kB, {bpp:.3f} bpp\n"
            f"{values['psnr']:.2f} dB, LPIPS {values['lpips']:.3f}"
        )
        print(captions[-1].replace("\n", ", "), flush=True)
    if arguments.crop:
        left, top, width, height = map(int, arguments.crop.split(","))
        images = [image.crop((left, top, left + width, top + height)) for image in images]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    side_by_side(images, captions).save(arguments.output, quality=92)
    print(arguments.output)


if __name__ == "__main__":
    main()
