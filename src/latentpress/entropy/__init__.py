"""Stage 4 of 5: entropy coders, latent <-> bytes. Each has a chunk type of its own in the file."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latentpress.container import (
    LATENT_FACTORIZED,
    LATENT_MASKED,
    LATENT_MULTISTAGE,
    LATENT_TRELLIS,
    LP1_TYPES,
)
from latentpress.errors import ImageError
from latentpress.spaces import Space


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
    """Codes a latent at one quality, both ways. gain: of each channel, steps of the quantiser a
    unit of the latent.
    """

    gain: NDArray[np.float32]

    def decode(self, body: bytes, rows: int, columns: int) -> Iterator[NDArray[np.float32]]:
        """The body -> strips of y_hat; FormatError where the symbols are not those that were
        coded.
        """
        ...


def open_coder(
    space: Space, chunk_type: int, quality: float, lagrangian_weight: float | None = None
) -> Coder:
    """The coder of a latent chunk's type in a space. lagrangian_weight: of an encoder's dead zones;
    None rounds to the nearest.
    """
    if chunk_type in LP1_TYPES:
        from latentpress.entropy.hyperprior import HyperpriorCoder

        return HyperpriorCoder(space.name, quality, lagrangian_weight, chunk_type)
    if chunk_type == LATENT_MULTISTAGE:
        from latentpress.entropy.multistage import MultistageCoder

        return MultistageCoder(space, quality, lagrangian_weight)
    from latentpress.entropy.factorized import FactorizedCoder

    return FactorizedCoder(space, quality, lagrangian_weight)


def latent_type(space: Space, *, masking: bool = True) -> int:
    """The type of the latent chunk that a space's learned prior makes. masking: whether lp1's steps
    follow the activity, at a cost in squared error.
    """
    if space.name == "lp1":
        return LATENT_MASKED if masking else LATENT_TRELLIS
    return LATENT_MULTISTAGE


def open_encoder(
    space: Space, quality: float, lagrangian_weight: float | None = None, *, masking: bool = True
) -> Encoder:
    """What codes a space best. lagrangian_weight: as of `open_coder`. masking: as of
    `latent_type`.
    """
    learned = open_coder(space, latent_type(space, masking=masking), quality, lagrangian_weight)
    return (
        learned
        if space.name == "lp1"
        else Smaller([learned, open_coder(space, LATENT_FACTORIZED, quality, lagrangian_weight)])
    )


class Smaller:
    """Encoder of a Stable Diffusion space: the learned prior, the static tables where these take
    fewer bytes (tiny or made-up pictures).
    """

    def __init__(self, coders: Sequence[Coder]) -> None:
        self._coders = coders
        self.chunk_type = coders[0].chunk_type

    def encode(self, strips_of_y: Iterable[NDArray[np.float32]]) -> bytes:
        """Strips of y (C, r, w) -> the latent chunk's body. ImageError where neither holds it."""
        strips = list(strips_of_y)
        found = list[tuple[int, int, bytes]]()
        refused = list[ImageError]()
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
