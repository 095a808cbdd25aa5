"""Which .ltp files the page can show: told before a page is made of one."""

from latentpress.container import unpack
from latentpress.errors import FormatError
from latentpress.parts import open_decoder
from latentpress.spaces import LP1

MAX_PIXELS = 64_000_000  # as in web/src/decoder.js


def check_shown(data: bytes) -> None:
    """Refuse what the page would refuse.

    data: a whole .ltp file.

    FormatError where it is damaged, too large or has a latent of a Stable Diffusion space;
    WeightsError where another lp1 model coded it.
    """
    header, chunks = unpack(data)
    if header.has_latent and header.latent_space != LP1:
        raise FormatError(
            f"a page holds the built-in model only, and this file is of the space {header.space}: "
            "`latentpress decompress` makes a picture of it"
        )
    if header.width * header.height > MAX_PIXELS:
        raise FormatError(
            f"{header.width} x {header.height} pixels are more than the {MAX_PIXELS:,} that a page "
            "shows"
        )
    if header.has_latent:
        open_decoder(header, chunks)
