"""The demonstration: python -m benchmarks.figures.demo [--quality 40] [--output demo]

Compresses the photographs in samples/ with the built-in model, decompresses them in another
process, and lays them beside the original and beside AVIF (speed 6) and WebP (method 6) of the
installed Pillow at the quality whose bytes come closest. Prints the table. Numbers are of real
files.
"""

import argparse
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.figures.rivals import RIVALS, rival
from benchmarks.rows import ROOT
from latentpress.image.formats import write_image
from latentpress.image.panels import side_by_side
from latentpress.metrics import psnr, ssim


def main() -> None:
    """Run the demonstration."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quality", type=float, default=40)
    parser.add_argument("--output", type=Path, default=ROOT / "demo")
    arguments = parser.parse_args()
    out: Path = arguments.output
    photographs = sorted(p for p in (ROOT / "samples").iterdir() if p.suffix in (".jpg", ".png"))
    command: Callable[..., object] = lambda *words: subprocess.run(
        [sys.executable, "-m", "latentpress", *words, "--overwrite"], check=True
    )
    command("compress", *map(str, photographs), "-o", f"{out}/", "-q", str(arguments.quality))
    command(
        "decompress", *[str(out / p.with_suffix(".ltp").name) for p in photographs], "-o", f"{out}/"
    )

    title = "real files; AVIF and WebP at the quality whose bytes come closest"
    table = Table("picture", "codec", "bytes", "bpp", "PSNR dB", "SSIM", title=title)
    for path in photographs:
        original = Image.open(path).convert("RGB")
        files = {"latentpress": (out / path.with_suffix(".ltp").name).read_bytes()}
        images = {"latentpress": Image.open(out / path.with_suffix(".png").name).convert("RGB")}
        for name, options in RIVALS.items():
            files[name] = rival(original, options, len(files["latentpress"]))
            images[name] = Image.open(io.BytesIO(files[name])).convert("RGB")
        captions = [f"{path.name}\noriginal, {path.stat().st_size / 1000:.0f} kB"]
        for name, image in images.items():
            a, b = np.asarray(original), np.asarray(image)
            bpp = 8 * len(files[name]) / (original.width * original.height)
            table.add_row(
                path.stem,
                name,
                f"{len(files[name]):,}",
                f"{bpp:.3f}",
                f"{psnr(a, b):.2f}",
                f"{ssim(a, b):.4f}",
            )
            captions.append(f"{name}\n{len(files[name]) / 1000:.1f} kB, {bpp:.3f} bpp")
        table.add_section()
        write_image(
            side_by_side([original, *images.values()], captions),
            out / f"{path.stem}.compare.png",
            overwrite=True,
        )
    Console().print(table)
    print(f"files, decoded pictures and side-by-sides (*.compare.png): {out}")


if __name__ == "__main__":
    main()
