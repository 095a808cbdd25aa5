"""What the benchmark asks of a codec: who it is, at which qualities it is tried, pixels to bytes
and back.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from latentpress._typing import Pixels


def quality_text(quality: float) -> str:
    """A quality as rows and commands have it, 1000000 and not 1e+06: 15 digits."""
    return f"{quality:.15g}"


@dataclass(frozen=True)
class Codec(ABC):
    """A codec of a run.

    name: as it is asked for, and the folder of its files. label: for people. version: of the
    library that does the work. settings: everything but the quality, in words. suffix: of its
    files, with the dot. ladder: its qualities, lowest rate first, so that they cover its useful
    range about evenly in log rate. lossless: it has one setting, and is no curve.
    """

    name: str
    label: str
    version: str
    settings: str
    suffix: str
    ladder: tuple[float, ...]
    lossless: bool = False
    kind: ClassVar[str] = ""
    ours: ClassVar[bool] = False

    @property
    def has_quality(self) -> bool:
        """Whether one may be chosen."""
        return not self.lossless

    def qualities(self, points: int) -> list[float]:
        """`points` qualities spread over the ladder, ends included, whole numbers, each once (so a
        short range gives fewer).
        """
        if len(self.ladder) < 2 or points == 1:
            return [self.ladder[len(self.ladder) // 2]]
        at = np.linspace(0, len(self.ladder) - 1, points)
        return sorted(
            {float(round(q)) for q in np.interp(at, range(len(self.ladder)), self.ladder)}
        )

    def setting(self, quality: float) -> str:
        """The name of a quality in the rows and among the folders of the files."""
        return "lossless" if self.lossless else f"q{quality_text(quality)}"

    def entry(self) -> dict[str, Any]:
        """What run.json says of it."""
        who = {
            "name": self.name,
            "label": self.label,
            "version": self.version,
            "settings": self.settings,
        }
        return who | {
            "ours": self.ours,
            "lossless": self.lossless,
            "suffix": self.suffix,
            "kind": self.kind,
        }

    @abstractmethod
    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """uint8 (H, W, 3) -> the bytes of a whole file."""

    @abstractmethod
    def decode(self, data: bytes) -> Pixels:
        """The bytes of a file -> uint8 (H, W, 3)."""

    def screen_share(self, data: bytes) -> float | None:
        """Of a file's picture, the share that a screen layer shows; None of files that have no such
        layers.
        """
        return None
