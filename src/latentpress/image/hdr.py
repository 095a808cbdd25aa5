"""PQ and HLG pictures (ITU-R BT.2100) to 8-bit SDR.

Light of 203 cd/m2, BT.2408's reference white, becomes 1. Up to KNEE of that nothing changes; above,
Reinhard's curve in its extended form takes the rest, up to PEAK, to 1, on the largest of a pixel's
channels, so that hues stay. What is brighter than PEAK or outside the gamut is clipped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentpress.image.cicp import BT709, DISPLAY_P3, HLG, PQ, PRIMARIES, SRGB_CURVE, Cicp
from latentpress.image.colorimetry import adaptation, to_xyz, white_of

Light = NDArray[np.float32]

REFERENCE_WHITE = 203.0  # cd/m2; ITU-R BT.2408-7, table 1
PEAK = 1000.0  # cd/m2: HLG's nominal display (BT.2100), and what most PQ pictures are mastered for
KNEE = 0.75  # of the reference white
HLG_GAMMA = 1.2  # the system gamma of a display of 1,000 cd/m2 (BT.2100, table 5)
BT2020_LUMA = (0.2627, 0.6780, 0.0593)
WIDE = (9, 11, 12)  # primaries whose pictures become Display P3, others sRGB
BAND = 1 << 20  # pixels at a time
STEPS = 4096  # of the table from linear light to sRGB's samples, over its square root


def sdr_primaries(cicp: Cicp) -> int:
    """The primaries that `to_sdr` gives: Display P3 for wide ones, else BT.709."""
    return DISPLAY_P3 if cicp.primaries in WIDE else BT709


def pq_light(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """PQ samples 0..1 -> cd/m2, 0 to 10,000 (BT.2100, table 4)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = sample ** (1 / m2)
    return 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def hlg_scene(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """HLG samples 0..1 -> scene light 0..1, before the OOTF (BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    high = (np.exp((np.maximum(sample, 0.5) - c) / a) + b) / 12
    return np.where(sample <= 0.5, sample**2 / 3, high)


def tone_map(light: Light) -> Light:
    """Relative light, 1 at the reference white -> 0..1; slope 1 up to the knee and at it."""
    top = (PEAK / REFERENCE_WHITE - KNEE) / (1 - KNEE)
    u = np.maximum(light - KNEE, 0) / (1 - KNEE)
    shoulder = KNEE + (1 - KNEE) * u * (1 + u / top**2) / (1 + u)
    return np.minimum(np.where(light <= KNEE, light, shoulder), 1).astype(np.float32)


def to_sdr(image: Image.Image, cicp: Cicp) -> Image.Image:
    """A picture in mode L, RGB or RGBA whose samples are PQ or HLG -> L or RGB (alpha left out), in
    the curve of sRGB and the primaries of `sdr_primaries`.
    """
    out = Image.new("L" if image.mode == "L" else "RGB", image.size)
    rows = max(1, BAND // image.width)
    for top in range(0, image.height, rows):
        part = image.crop((0, top, image.width, min(top + rows, image.height)))
        samples = np.asarray(part)
        samples = samples[..., None] if samples.ndim == 2 else samples[..., :3]
        done = _encoded(_mapped(samples, cicp))
        out.paste(Image.fromarray(done[..., 0] if out.mode == "L" else done), (0, top))
    return out


def _mapped(samples: NDArray[np.uint8], cicp: Cicp) -> Light:
    """(rows, columns, 1 or 3), 0..255 -> light 0..1 of the SDR picture."""
    levels = np.arange(256) / 255
    if cicp.transfer == PQ:
        light = (pq_light(levels) / REFERENCE_WHITE).astype(np.float32)[samples]
    else:
        assert cicp.transfer == HLG
        scene = hlg_scene(levels).astype(np.float32)[samples]
        gray = samples.shape[-1] == 1
        luma = scene if gray else scene @ np.array(BT2020_LUMA, np.float32)[:, None]
        light = scene * np.float32(PEAK / REFERENCE_WHITE) * luma ** (HLG_GAMMA - 1)
    if samples.shape[-1] == 3:
        light = np.maximum(light @ _matrix(cicp).T.astype(np.float32), np.float32(0))
    largest = light.max(-1, keepdims=True)
    return light * (tone_map(largest) / np.maximum(largest, np.float32(1e-9)))


def _matrix(cicp: Cicp) -> NDArray[np.float64]:
    """(3, 3): linear RGB in the picture's primaries -> in those of the SDR picture."""
    source, target = PRIMARIES[cicp.primaries], PRIMARIES[sdr_primaries(cicp)]
    adapted = adaptation(white_of(source), white_of(target)) @ to_xyz(source)
    return np.asarray(np.linalg.solve(to_xyz(target), adapted), np.float64)


def _encoded(light: Light) -> NDArray[np.uint8]:
    """Linear light 0..1 -> sRGB's samples 0..255, by a table over the square root of light."""
    g, a, b, c, d = SRGB_CURVE
    x = (np.arange(STEPS + 1) / STEPS) ** 2
    table = np.where(x < c * d, x / c, (np.maximum(x, 1e-9) ** (1 / g) - b) / a)
    index = np.rint(np.sqrt(np.clip(light, 0, 1)) * STEPS).astype(np.uint16)
    return np.rint(table * 255).astype(np.uint8)[index]
