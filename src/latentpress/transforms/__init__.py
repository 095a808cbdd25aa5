"""Stage 2 of 5: analysis and synthesis transforms, pixels <-> latent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from latentpress.spaces import Space

if TYPE_CHECKING:
    from latentpress._typing import Floats, Pixels
    from latentpress.image.picture import Picture


class Transform(Protocol):
    """A model of a latent space. Latents travel in strips of rows (C, r, w) float32, top to
    bottom.
    """

    space: Space
    name: str
    model_hash: bytes

    def analyze(self, picture: Picture) -> Iterator[Floats]:
        """Pixels -> strips of the latent; h, w = ceil(size / factor)."""
        ...

    def synthesize(self, strips: Iterable[Floats], width: int, height: int) -> Iterator[Pixels]:
        """Strips of the latent -> strips of pixels (rows, width, 3), rounded, cropped to width x
        height.
        """
        ...
