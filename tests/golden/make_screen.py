"""Write the golden files with a screen layer anew:  PYTHONPATH=tests python
tests/golden/make_screen.py --replace

Each is a small file with the picture that it must decode to, a PNG. Encoders of AV1 and of WebP
change, so other versions of Pillow write other bytes: the files that are there are what must be
read.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import latentpress
from golden.folders import emptied
from latentpress import container
from latentpress.container import GRAY, LATENT_TYPES, SCREEN, SCREEN_WHOLE
from latentpress.image.lossless_webp import encode_webp
from latentpress.screen.layer import pack_pieces
from latentpress.screen.mask import boxes, pack_mask
from latentpress.screen.pieces import encode_piece
from latentpress.spaces import LP1

FOLDER = Path(__file__).parent / "screen_v1"
SAMPLES = Path(__file__).parents[2] / "samples"


def page(width: int, height: int) -> Image.Image:
    """Lines of text in several colors."""
    image = Image.new("RGB", (width, height), (250, 248, 240))
    draw = ImageDraw.Draw(image)
    for i, y in enumerate(range(4, height - 10, 13)):
        draw.text((5, y), "a line of a page, and its end", (200 * (i % 2), 40, 90 + 50 * (i % 3)))
    return image


def with_mask(image: Image.Image, mask: np.ndarray, pieces: list[bytes]) -> bytes:
    """A file whose latent is that of the picture, beside pieces of a layer."""
    header, chunks = container.unpack(latentpress.compress(image, quality=50, content="photo"))
    body = pack_mask(mask) + pack_pieces(pieces)
    latent = {kind: chunk for kind, chunk in chunks.items() if kind in LATENT_TYPES}
    return container.pack(
        LP1,
        bytes.fromhex(header.model_hash),
        *image.size,
        50,
        {**latent, SCREEN: body},
    )


def pieces_of(image: Image.Image, mask: np.ndarray, quality: int) -> list[bytes]:
    """The piece of each box."""
    pixels = np.asarray(image)
    return [
        encode_piece(pixels[b.top : b.bottom, b.left : b.right], quality)
        for b in boxes(mask, *image.size)
    ]


def cases() -> dict[str, bytes]:
    """Name -> file."""
    photo = Image.open(SAMPLES / "coffee.jpg").convert("RGB").resize((130, 100))
    mixed = photo.copy()
    mixed.paste(page(70, 100), (60, 0))
    right = np.zeros((4, 5), bool)
    right[:, 2:] = True
    holes = np.zeros((4, 5), bool)
    holes[1:3, 1:4] = True
    holes[1, 2] = False
    wide = photo.resize((2100, 33))
    ends = np.zeros((2, 66), bool)
    ends[0, [2, 65]] = True
    whole = encode_webp(page(90, 50), 4)
    assert whole is not None
    model = bytes.fromhex(
        container.read_header(latentpress.compress(photo, content="photo")).model_hash
    )
    clear = page(60, 40).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    return {
        "photo-and-text": with_mask(mixed, right, pieces_of(mixed, right, 60)),
        "holes": with_mask(mixed, holes, pieces_of(mixed, holes, 90)),
        "two-tiles": with_mask(wide, ends, pieces_of(wide, ends, 70)),
        "color-piece": with_mask(photo, holes, [bytes([200, 0, 40])]),
        "whole-av1": latentpress.compress(photo.effect_spread(3), quality=70, content="screen"),
        "whole-gray": latentpress.compress(photo.convert("L"), quality=60, content="screen"),
        "whole-alpha": latentpress.compress(clear, quality=60, content="screen"),
        "whole-webp": container.pack(LP1, model, 90, 50, 60, {SCREEN_WHOLE: whole}),
        "whole-webp-gray": container.pack(LP1, model, 90, 50, 60, {SCREEN_WHOLE: whole, GRAY: b""}),
        "whole-color": latentpress.compress(
            Image.new("RGB", (512, 512), (3, 200, 90)), quality=50, content="screen"
        ),
    }


def main() -> None:
    """Replace all golden files."""
    emptied(FOLDER, __doc__)
    for name, data in cases().items():
        (FOLDER / f"{name}.ltp").write_bytes(data)
        decoded = latentpress.decompress(data)
        decoded.info.clear()
        decoded.save(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
