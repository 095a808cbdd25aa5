"""Stage 4 of 5: entropy coders, latent <-> bytes. Each has a chunk type of its own in the file."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentpress.container import LATENT_LATTICE, LATENT_LEARNED, LATENT_STATIC
from latentpress.errors import ImageError
from latentpress.transforms.spaces import Space


class Encoder(Protocol):
    """Makes the bytes of a latent at one quality. Strips are (C, r, w) float32, top to bottom."""

    @property
    def chunk_type(self) -> int:
        """Of the bytes that were made last."""
        ...

    def encode(self, strips_of_y: Iterable[NDArray[np.float32]]) -> bytes:
        """Strips of y -> the body of the latent chunk."""
        ...


class Coder(Encoder, Protocol):
    """Codes a latent at one quality, both ways."""

    def decode(self, body: bytes, rows: int, columns: int) -> Iterator[NDArray[np.float32]]:
        """The body -> strips of y_hat; FormatError where the symbols are not those that were coded."""
        ...


def open_coder(space: Space, chunk_type: int, quality: float) -> Coder:
    """The coder of a latent chunk's type in a space."""
    if chunk_type == LATENT_LEARNED:
        from latentpress.entropy.learned import LearnedPrior

        return LearnedPrior(space.name, quality)
    if chunk_type == LATENT_LATTICE:
        from latentpress.entropy.lattice_prior import LatticePrior

        return LatticePrior(space, quality)
    from latentpress.entropy.static import StaticTables

    return StaticTables(space, quality)


def open_encoder(space: Space, quality: float) -> Encoder:
    """What codes a space best."""
    return open_coder(space, LATENT_LEARNED, quality) if space.name == "lp1" else Smaller(space, quality)


class Smaller:
    """Encoder of a Stable Diffusion space: the learned prior, the static tables where these take fewer bytes (tiny or made-up pictures)."""

    def __init__(self, space: Space, quality: float) -> None:
        self._coders = [open_coder(space, kind, quality) for kind in (LATENT_LATTICE, LATENT_STATIC)]
        self.chunk_type = LATENT_LATTICE

    def encode(self, strips_of_y: Iterable[NDArray[np.float32]]) -> bytes:
        """Strips of y (C, r, w) -> the latent chunk's body. ImageError where neither holds it."""
        strips, found, refused = list(strips_of_y), list[tuple[int, int, bytes]](), list[ImageError]()
        for coder in self._coders:
            try:
                body = coder.encode(strips)
            except ImageError as error:
                refused.append(error)
            else:
                found.append((len(body), coder.chunk_type, body))
        if not found:
            raise refused[-1]
        _, self.chunk_type, body = min(found, key=lambda f: f[0])
        return body
