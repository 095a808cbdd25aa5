"""The encoder of a file's latent: of several coders the one that takes the fewest bytes."""

from collections.abc import Iterable, Sequence

from latentpress._typing import Floats
from latentpress.entropy import Coder
from latentpress.errors import ImageError


class Smallest:
    """Encoder of a latent by one coder, or by each of several.

    coders: at one quality, the preferred one first. A single one takes the strips as they come; for
    several all strips are in memory.
    """

    def __init__(self, coders: Sequence[Coder]) -> None:
        self._coders = coders

    def encode(self, strips_of_y: Iterable[Floats]) -> tuple[int, bytes]:
        """Strips of y (C, r, w) -> (type, body) of the smallest latent chunk.

        ImageError where no coder holds the latent.
        """
        if len(self._coders) == 1:
            [coder] = self._coders
            return coder.chunk_type, coder.encode(strips_of_y)
        strips = list(strips_of_y)
        chunks: list[tuple[int, bytes]] = []
        refused: list[ImageError] = []
        for coder in self._coders:
            try:
                chunks.append((coder.chunk_type, coder.encode(strips)))
            except ImageError as error:
                refused.append(error)
        if not chunks:
            raise refused[-1]
        return min(chunks, key=lambda chunk: len(chunk[1]))
