"""Stage 4 of 5: entropy coders, latent <-> bytes. Each has a chunk type of its own in the file."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentpress.container import LATENT_LEARNED
from latentpress.transforms.spaces import Space


class Encoder(Protocol):
    """Makes the bytes of a latent at one quality. Strips are (C, r, w) float32, top to bottom."""

    def encode(self, strips_of_y: Iterable[NDArray[np.float32]]) -> bytes:
        """Strips of y -> the body of the latent chunk."""
        ...


class Coder(Encoder, Protocol):
    """Codes a latent at one quality, both ways. gain: of each channel, steps of the quantiser a unit of the latent."""

    gain: NDArray[np.float32]

    def decode(self, body: bytes, rows: int, columns: int) -> Iterator[NDArray[np.float32]]:
        """The body -> strips of y_hat; FormatError where the symbols are not those that were coded."""
        ...


def open_coder(space: Space, chunk_type: int, quality: float, error_weight: float | None = None) -> Coder:
    """The coder of a latent chunk's type in a space. error_weight: of an encoder's dead zones; None rounds to the nearest."""
    if chunk_type == LATENT_LEARNED:
        from latentpress.entropy.learned import LearnedPrior

        return LearnedPrior(space.name, quality, error_weight)
    from latentpress.entropy.static import StaticTables

    return StaticTables(space, quality, error_weight)
