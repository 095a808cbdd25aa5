"""Uses the installed package as a newcomer would, by its command: python tests/use_installed.py

Each command is a process of its own, in an empty folder, so that decompressing has the bytes alone.
`make dist` runs this where nothing but the built wheel and its requirements is installed.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import latentpress

WIDTH, HEIGHT = 181, 123  # pixels; no multiples of the latent's grid
LEAST_PSNR = 30  # dB, of a smooth picture at quality 60


def command(folder: Path, *words: str) -> str:
    """What `latentpress WORDS` prints, run in the folder."""
    return subprocess.run(
        [sys.executable, "-m", "latentpress", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def main() -> None:
    """Compress, show, decompress, compare."""
    place = Path(latentpress.__file__).resolve()
    if not place.is_relative_to(Path(sys.prefix).resolve()):
        raise SystemExit(f"this is not the installed package: {place}")
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    waves = (
        np.stack([127 + 90 * np.sin(x / 23 + k) * np.cos(y / 19 - k) for k in range(3)], axis=-1)
        .round()
        .astype(np.uint8)
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(waves).save(folder / "waves.png")
        command(folder, "compress", "waves.png", "-q", "60")
        header = json.loads(command(folder, "info", "waves.ltp", "--json"))
        command(folder, "decompress", "waves.ltp", "-o", "back.png")
        size = (folder / "waves.ltp").stat().st_size
        with Image.open(folder / "back.png") as image:
            back = np.asarray(image.convert("RGB"), float)
    psnr = 10 * np.log10(255**2 / np.mean((back - waves) ** 2))
    print(f"latentpress {latentpress.__version__}: {size} bytes, {psnr:.1f} dB, header {header}")
    if back.shape != waves.shape or psnr < LEAST_PSNR:
        raise SystemExit(
            f"decoded {back.shape} at {psnr:.1f} dB instead of {waves.shape} at {LEAST_PSNR}"
        )


if __name__ == "__main__":
    main()
