"""What files of the shipped model say that no run of `latentpress bench` holds.

They are made with `--content photo`: it is the model that is judged, and not the screen layer that
stands in for it where it is bad.
"""

import colorsys
import math
import statistics
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import latentpress
from benchmarks.data.patterns import PATTERNS
from benchmarks.data.screens import screens
from benchmarks.panel.goals import PICO_GOALS
from benchmarks.tables.screens import AVIF, avif, psnr, ratio
from latentpress.metrics import METRICS, assess
from latentpress.options import QUALITY_UNIT, EncodeOptions
from latentpress.targets import Analyzed, to_rate

Pixels = NDArray[np.uint8]
PHOTO = EncodeOptions(content="photo")
# bits a pixel of PICO's files of these pictures (arXiv:2605.05148, assets/bpp_data.json)
PICO_BPP = {"kodim04": 0.297, "kodim15": 0.268, "kodim23": 0.217}
SCREEN_QUALITIES = (0, 15, 30, 45, 60, 75, 90, 100)
HUES = 12
SINGLE_PIXELS = ("rows-1", "checker-1", "bayer")
SKY = (512, 2048)
SEGMENT = 1024  # columns
MARGIN = 8  # columns on each side of a border that are compared


def values(kodak: Path) -> Iterator[tuple[str, float]]:
    """Key of a goal, and its value. kodak: the folder of Kodak's pictures."""
    graded = [_at_rate(kodak / f"{name}.png", bpp) for name, bpp in PICO_BPP.items()]
    for metric in PICO_GOALS:
        yield f"PICO {metric}", statistics.fmean(one[metric] for one in graded)
    logs = [math.log(_screen(np.asarray(image))) for image in screens().values()]
    yield "screens", math.exp(statistics.fmean(logs))
    yield "color", max(len(_files(one, 50)[0]) for one in _colors())
    patterns = [PATTERNS[name]() for name in SINGLE_PIXELS]
    decoded = [_pixels(_files(one, 100)[0]) for one in patterns]
    pairs = list(zip(patterns, decoded, strict=True))
    yield "patterns psnr", min(psnr(a, b) for a, b in pairs)
    yield "patterns color", max(_moved(a, b) for a, b in pairs)
    yield "sky", _step(_pixels(_files(_sky(), 15)[0]))
    folder = Path(latentpress.__file__).parent / "models" / "lp1"
    yield "megabytes", sum(file.stat().st_size for file in folder.iterdir()) / 1e6


def _at_rate(file: Path, bpp: float) -> dict[str, float]:
    """A photograph's metrics at a rate."""
    pixels = np.asarray(Image.open(file).convert("RGB"))
    return assess(pixels, _pixels(to_rate(file, bpp, options=PHOTO)), list(PICO_GOALS))


def _screen(pixels: Pixels) -> float:
    """Bytes at equal SSIMULACRA 2, AVIF's being 1."""
    files = _files(pixels, *SCREEN_QUALITIES)
    score = METRICS["ssimulacra2"].against(pixels)
    ours = [(score(_pixels(data)), len(data)) for data in files]
    theirs = [avif(pixels, quality) for quality in AVIF]
    return ratio(ours, [(score(decoded), size) for size, decoded in theirs])


def _files(pixels: Pixels, *qualities: int) -> list[bytes]:
    analyzed = Analyzed(pixels, PHOTO)
    return [analyzed.write(QUALITY_UNIT * quality) for quality in qualities]


def _pixels(data: bytes) -> Pixels:
    return np.asarray(latentpress.decompress(data).convert("RGB"))


def _colors() -> Iterator[Pixels]:
    """512 x 512 pixels of each hue, saturated, and as bright as it can be."""
    for i in range(HUES):
        color = np.rint(255 * np.array(colorsys.hsv_to_rgb(i / HUES, 1, 1)))
        yield np.full((512, 512, 3), color, np.uint8)


def _moved(a: Pixels, b: Pixels) -> float:
    """How far the mean color of a picture moves, in levels, of the channel that moves most."""
    return float(np.abs(a.mean((0, 1)) - b.mean((0, 1))).max())


def _sky() -> Pixels:
    """A clear sky, dark blue above and bright below, the same in all columns."""
    height, width = SKY
    down = np.linspace(0, 1, height)[:, None]
    top, bottom = np.array([54.0, 96, 168]), np.array([188.0, 214, 236])
    column = np.rint(top + down * (bottom - top)).astype(np.uint8)
    return np.repeat(column[:, None], width, axis=1)


def _step(pixels: Pixels) -> float:
    """The largest step between the columns on both sides of a border of segments: of means over
    MARGIN columns and 16 rows, in levels.
    """
    sides = [
        pixels[:, SEGMENT + begin : SEGMENT + begin + MARGIN].astype(np.float64).mean(1)
        for begin in (-MARGIN, 0)
    ]
    difference = (sides[1] - sides[0]).reshape(-1, 16, 3).mean(1)
    return float(np.abs(difference).max())
