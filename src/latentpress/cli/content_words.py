"""Which part of a file's picture is a latent and which a screen layer, in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from latentpress.container import SCREEN, SCREEN_WHOLE, Header

if TYPE_CHECKING:
    from latentpress.screen.layer import Layer


def layer_of(header: Header, chunks: Mapping[int, bytes]) -> Layer | None:
    """The screen layer of a file; None where all of it is a latent. FormatError where it is
    damaged.
    """
    if SCREEN not in chunks and SCREEN_WHOLE not in chunks:
        return None
    from latentpress.screen import layer

    return layer.layer_of(header, chunks)


def share_words(share: float) -> str:
    """What a line about a file says of the screen layer, by that share: nothing where there is
    none.
    """
    if not share:
        return ""
    return ", a screen layer" + ("" if share == 1 else f" for {100 * share:.1f} % of the picture")


def told(layer: Layer) -> dict[str, Any]:
    """As JSON has it: the share of the picture that the layer shows, and its pieces."""
    from latentpress.screen.pieces import kind_of

    pieces = zip(layer.boxes, layer.pieces, strict=True)
    return {
        "screen_share": round(layer.share, 4),
        "screen_pieces": [
            {"box": [b.left, b.top, b.right, b.bottom], "kind": kind_of(p), "bytes": len(p)}
            for b, p in pieces
        ],
    }


def words(header: Header, layer: Layer | None) -> str:
    """As people read it."""
    if layer is None:
        return "latent"
    from latentpress.screen.pieces import kind_of

    kinds = ", ".join(f"{kind_of(piece)} {len(piece):,} bytes" for piece in layer.pieces)
    if not header.has_latent:
        return f"screen layer ({kinds})"
    return f"latent, and a screen layer for {100 * layer.share:.1f} % of the picture ({kinds})"
