"""Stage 2 of 5, the shipped model: pixels <-> latent of space lp1, tile by tile."""

from collections.abc import Iterable, Iterator

import numpy as np

from latentpress import models
from latentpress._typing import Floats, Pixels
from latentpress.errors import UsageError
from latentpress.image.picture import Picture
from latentpress.spaces import LP1
from latentpress.transforms.tiling import (
    is_large,
    padded_pixels,
    strips,
    tile_columns,
    tile_positions,
    windows,
    with_halo,
)

SPACE = LP1
FACTOR = SPACE.factor


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
        for first, end in strips(rows):
            low, high = with_halo(first, end, self.halo, rows)
            y = np.empty((SPACE.channels, end - first, columns), np.float32)
            for left, right in tile_columns(
                high - low, columns, self.halo, tile_positions(rows, columns)
            ):
                a, b = with_halo(left, right, self.halo, columns)
                pixels = padded_pixels(
                    picture, FACTOR * low, FACTOR * high, FACTOR * a, FACTOR * b
                )[None]
                tile = models.run(
                    SPACE.name,
                    "analysis.onnx",
                    self.device,
                    frugal=is_large(rows, columns),
                    pixels=pixels,
                )[0][0]
                y[:, :, left:right] = tile[:, first - low : end - low, left - a : right - a]
            yield y
            del y

    def synthesize(self, latent: Iterable[Floats], width: int, height: int) -> Iterator[Pixels]:
        """Strips of the quantized latent, as `analyze` gives them -> strips of pixels (up to 1024,
        width, 3), rounded.
        """
        rows, columns = -(-height // FACTOR), -(-width // FACTOR)
        done = 0
        for parts, first, end in windows(latent, rows, self.halo):
            window_rows = sum(p.shape[1] for p in parts)
            pixels = np.empty((min(FACTOR * (end - first), height - done), width, 3), np.uint8)
            for left, right in tile_columns(
                window_rows, columns, self.halo, tile_positions(rows, columns)
            ):
                a, b = with_halo(left, right, self.halo, columns)
                y = np.concatenate([p[:, :, a:b] for p in parts], axis=1)[None]
                tile = models.run(
                    SPACE.name, "synthesis.onnx", self.device, frugal=is_large(rows, columns), y=y
                )[0][0]
                own = tile[FACTOR * first :, FACTOR * (left - a) : FACTOR * (right - a)]
                pixels[:, FACTOR * left : FACTOR * right] = own[
                    : len(pixels), : width - FACTOR * left
                ]
            done += len(pixels)
            yield pixels
            del pixels


def load(model: str | None, device: str) -> Lp1Transform:
    """The shipped model; UsageError where another is asked for."""
    if model not in (None, "", "builtin", "lp1"):
        raise UsageError(
            "the built-in codec has one model, the shipped one: --model is for sd15, sdxl, sd3 "
            "and flux1"
        )
    return Lp1Transform(device)


def runs_on(device: str) -> list[str]:
    """What runs the analysis and the synthesis on a device, a line each: "analysis: runtime on
    device in precision: why". UsageError as of `runtimes.choice.choose`.
    """
    names = ("analysis", "synthesis")
    return [f"{n}: {models.choice_of(SPACE.name, f'{n}.onnx', device)}" for n in names]


def verify() -> list[tuple[str, str]]:
    """(file, SHA-256) of every file of the shipped model; WeightsError where one is missing or
    altered.
    """
    names = models.manifest(SPACE.name)["sha256"]
    for name in names:
        models.read_file(SPACE.name, name)
    return list(names.items())
