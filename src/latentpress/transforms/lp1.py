"""Stage 2 of 5, the shipped model: pixels <-> latent of space lp1. A small picture goes through a
graph at once, a large one in bands of rows, and in tiles where the runtime takes no bands.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from latentpress import models
from latentpress._typing import Floats, Pixels
from latentpress.errors import UsageError
from latentpress.image.picture import Picture
from latentpress.spaces import LP1
from latentpress.transforms.bands import Bands, open_bands, regrouped
from latentpress.transforms.tiling import (
    TILE_POSITIONS,
    padded_pixels,
    strips,
    tile_columns,
    windows,
    with_halo,
)

SPACE = LP1
FACTOR = SPACE.factor
ANALYSIS, SYNTHESIS = "analysis.onnx", "synthesis.onnx"


class Lp1Transform:
    """Analysis and synthesis of lp1. device: auto, cpu, cuda or mps (`runtimes.choice`)."""

    space = SPACE

    def __init__(self, device: str = "auto") -> None:
        self.device = device
        self.name = "latentpress lp1"
        self.model_hash = bytes.fromhex(models.manifest(SPACE.name)["model_hash"])
        self.halo: int = models.manifest(SPACE.name)["halo"]

    def analyze(self, picture: Picture) -> Iterator[Floats]:
        """The latent in strips (C, up to 64, w), top to bottom; w = ceil(width / 16)."""
        rows, columns = -(-picture.height // FACTOR), -(-picture.width // FACTOR)
        if found := open_bands(SPACE.name, ANALYSIS, self.device, rows, columns, self.halo):
            bands = self._analyze_bands(found, picture, rows)
            return regrouped(bands, (end - first for first, end in strips(rows)))
        return self._analyze_tiles(picture, rows, columns)

    def synthesize(self, latent: Iterable[Floats], width: int, height: int) -> Iterator[Pixels]:
        """Strips of the quantized latent, as `analyze` gives them -> strips of pixels (up to 1024,
        width, 3), rounded.
        """
        rows, columns = -(-height // FACTOR), -(-width // FACTOR)
        if found := open_bands(SPACE.name, SYNTHESIS, self.device, rows, columns, self.halo):
            pixels = self._synthesize_bands(found, latent, rows)
        else:
            pixels = self._synthesize_tiles(latent, rows, columns)
        return _cropped(pixels, width, height)

    def _analyze_bands(self, streamed: Bands, picture: Picture, rows: int) -> Iterator[Floats]:
        for top, bottom in streamed.bands():
            parts = []
            for i, ((left, right), (a, b)) in enumerate(streamed.tiles):
                window = padded_pixels(
                    picture, FACTOR * top, FACTOR * bottom, FACTOR * a, FACTOR * b
                )
                y = streamed.run(i, bottom == rows, pixels=window[None])[0]
                parts.append(y[:, :, left - a : right - a])
            yield np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]

    def _synthesize_bands(
        self, streamed: Bands, latent: Iterable[Floats], rows: int
    ) -> Iterator[Pixels]:
        bands = streamed.bands()
        heights = [bottom - top for top, bottom in bands]
        for (_, bottom), y in zip(bands, regrouped(latent, heights), strict=True):
            parts = []
            for i, ((left, right), (a, b)) in enumerate(streamed.tiles):
                window = np.ascontiguousarray(y[:, :, a:b])[None]
                pixels = streamed.run(i, bottom == rows, y=window)[0]
                parts.append(pixels[:, FACTOR * (left - a) : FACTOR * (right - a)])
            yield np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def _analyze_tiles(self, picture: Picture, rows: int, columns: int) -> Iterator[Floats]:
        for first, end in strips(rows):
            low, high = with_halo(first, end, self.halo, rows)
            y = np.empty((SPACE.channels, end - first, columns), np.float32)
            for left, right in tile_columns(high - low, columns, self.halo, TILE_POSITIONS):
                a, b = with_halo(left, right, self.halo, columns)
                window = padded_pixels(picture, FACTOR * low, FACTOR * high, FACTOR * a, FACTOR * b)
                tile = models.run(SPACE.name, ANALYSIS, self.device, pixels=window[None])[0][0]
                y[:, :, left:right] = tile[:, first - low : end - low, left - a : right - a]
            yield y
            del y

    def _synthesize_tiles(
        self, latent: Iterable[Floats], rows: int, columns: int
    ) -> Iterator[Pixels]:
        for parts, first, end in windows(latent, rows, self.halo):
            window_rows = sum(p.shape[1] for p in parts)
            pixels = np.empty((FACTOR * (end - first), FACTOR * columns, 3), np.uint8)
            for left, right in tile_columns(window_rows, columns, self.halo, TILE_POSITIONS):
                a, b = with_halo(left, right, self.halo, columns)
                y = np.concatenate([p[:, :, a:b] for p in parts], axis=1)[None]
                tile = models.run(SPACE.name, SYNTHESIS, self.device, y=y)[0][0]
                pixels[:, FACTOR * left : FACTOR * right] = tile[
                    FACTOR * first : FACTOR * end, FACTOR * (left - a) : FACTOR * (right - a)
                ]
            yield pixels
            del pixels


def _cropped(strips_of_pixels: Iterable[Pixels], width: int, height: int) -> Iterator[Pixels]:
    """Strips of pixels without what is beside and below the picture."""
    done = 0
    for pixels in strips_of_pixels:
        own = pixels[: height - done, :width]
        done += len(own)
        del pixels
        yield own
        del own


def load(model: str | None, device: str) -> Lp1Transform:
    """The shipped model; UsageError where another is asked for, or the device is not there."""
    if model not in (None, "", "builtin", "lp1"):
        raise UsageError(
            "the built-in codec has one model, the shipped one: --model is for sd15, sdxl, sd3 "
            "and flux1"
        )
    models.choice_of(SPACE.name, ANALYSIS, device)  # now, and not where a network first runs
    return Lp1Transform(device)


def runs_on(device: str) -> list[str]:
    """What runs the analysis and the synthesis on a device, and the prior, a line each: "analysis:
    runtime on device in precision: why". UsageError as of `runtimes.choice.choose`.
    """
    names = ("analysis", "synthesis")
    transforms = [f"{n}: {models.choice_of(SPACE.name, f'{n}.onnx', device)}" for n in names]
    return [*transforms, f"prior: {models.choice_of(SPACE.name, models.INTEGERS[0], None)}"]


def verify() -> list[tuple[str, str]]:
    """(file, SHA-256) of every file of the shipped model; WeightsError where one is missing or
    altered.
    """
    names = models.manifest(SPACE.name)["sha256"]
    for name in names:
        models.read_file(SPACE.name, name)
    return list(names.items())
