"""Coding-independent code points (ITU-T H.273): the color space that PNG's cICP chunk, the `nclx`
boxes of AVIF and HEIC and the `cicp` tag of ICC profiles name by two numbers.

A transfer curve here is what a display does: (g, a, b, c, d), which takes a sample x in 0..1 to
linear light (a x + b)^g where x >= d, else c x; ICC.1:2022, 10.18, parametric function 3.
"""

from __future__ import annotations

from dataclasses import dataclass

Curve = tuple[float, float, float, float, float]

PQ, HLG = 16, 18  # transfer characteristics of high dynamic range (ITU-R BT.2100)
BT709, DISPLAY_P3, BT2020 = 1, 12, 9  # color primaries

SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # IEC 61966-2-1

_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
# (x, y) of red, green, blue and white: H.273 (07/2024), table 2; 10 (CIE XYZ) is left out
PRIMARIES: dict[int, tuple[float, ...]] = {
    1: (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65),
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
    22: (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65),
}
PRIMARIES[2] = PRIMARIES[1]  # unspecified

NAMES = {1: "BT.709", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}

# H.273, table 3. The camera curves of television (1, 6, 11, 12, 14, 15) are shown as sRGB: so do
# Chromium, Firefox and libavif's programs, for pictures are mastered on displays. 2: unspecified.
TRANSFERS: dict[int, Curve] = {
    **dict.fromkeys((1, 2, 6, 11, 12, 13, 14, 15), SRGB_CURVE),
    4: (2.2, 1.0, 0.0, 0.0, 0.0),
    5: (2.8, 1.0, 0.0, 0.0, 0.0),
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 4 * 0.0228),
    8: (1.0, 1.0, 0.0, 0.0, 0.0),
    17: (2.6, 1.0, 0.0, 0.0, 0.0),  # SMPTE ST 428-1, its white scaled to 1
}


@dataclass(frozen=True)
class Cicp:
    """Color primaries, transfer characteristics, and whether the samples that were read fill 0 to
    255 (as they do wherever a decoder has made RGB of them).
    """

    primaries: int
    transfer: int
    full_range: bool = True

    @property
    def is_known(self) -> bool:
        """Whether both numbers are in the tables here."""
        return self.primaries in PRIMARIES and (self.transfer in TRANSFERS or self.is_hdr)

    @property
    def is_hdr(self) -> bool:
        """Whether the transfer is PQ or HLG."""
        return self.transfer in (PQ, HLG)

    @property
    def is_unspecified(self) -> bool:
        """Whether it says nothing: both numbers are 2 (or the reserved 0, which some write so)."""
        return self.primaries in (0, 2) and self.transfer in (0, 2)
