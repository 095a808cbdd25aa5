"""Stage 4 of 5: entropy coders, latent <-> bytes. Each has a chunk type of its own in the file.

hyperprior.py   space lp1; gaussian_conditional.py: one pass of it
masking.py      steps of lp1 that follow the activity
multistage.py   the Stable Diffusion spaces; multistage_passes.py, multistage_network.py: its passes
factorized.py   the Stable Diffusion spaces, tiny or made-up pictures
smallest.py     the encoder: of several coders the one that takes the fewest bytes
quantizer.py    stage 3; rdoq.py, trellis.py: quantization by rate and distortion
rans.py         symbols <-> bytes, under the integer tables of cdf_tables.py
integers.py     the integer arithmetic that all of them share
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from latentpress._typing import Floats


class Encoder(Protocol):
    """Makes the latent chunk of a file at one quality. Strips are (C, r, w) float32, top to
    bottom.
    """

    def encode(self, strips_of_y: Iterable[Floats]) -> tuple[int, bytes]:
        """Strips of y -> (type, body) of the latent chunk."""
        ...


class Coder(Protocol):
    """Codes a latent at one quality, both ways, as one type of chunk.

    gain: of each channel, steps of the quantizer a unit of the latent.
    """

    gain: Floats

    @property
    def chunk_type(self) -> int:
        """Of the latent chunk that holds the body."""
        ...

    def encode(self, strips_of_y: Iterable[Floats]) -> bytes:
        """Strips of y -> the body of the latent chunk."""
        ...

    def decode(self, body: bytes, rows: int, columns: int) -> Iterator[Floats]:
        """The body -> strips of y_hat; FormatError where the symbols are not those that were
        coded.
        """
        ...
