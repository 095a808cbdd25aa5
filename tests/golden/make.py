"""Write the golden files anew:  PYTHONPATH=tests python tests/golden/make.py --replace

Only when the format or a model was meant to change. Each is a small file with what it must decode
to: pixels (a PNG) or, where weights are not shipped, the quantized latent (in golden.json with the
symbols' checksums).
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import latentpress
from golden.folders import emptied
from helpers.chunks import with_chunk
from latentpress import codec, container
from latentpress.container import (
    LATENT_FACTORIZED,
    LATENT_HYPERPRIOR,
    LATENT_MASKED,
    LATENT_TRELLIS,
    LATENT_TYPES,
    unpack,
)
from latentpress.entropy.factorized import FactorizedCoder
from latentpress.image.picture import Picture, read_picture
from latentpress.spaces import STABLE_DIFFUSION

FOLDER = Path(__file__).parent / "v1"
SAMPLES = Path(__file__).parents[2] / "samples"


def builtin_cases() -> dict[str, tuple[Image.Image | Picture, float]]:
    """Name -> (picture, quality)."""
    face = Image.open(SAMPLES / "astronaut.jpg").convert("RGB").crop((150, 20, 310, 140))
    exif = Image.Exif()
    exif[271] = "golden"
    tagged = face.resize((40, 30))
    tagged.info.update(exif=exif.tobytes(), xmp=b"<x/>")
    clear = face.resize((48, 33)).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    wide = Image.open(SAMPLES / "china.jpg").convert("RGB").resize((1100, 20))
    return {
        "q00": (face, 0),
        "q20": (face, 20),
        "q60": (face, 60),
        "q99.99": (face, 99.99),
        "odd": (face.crop((0, 0, 53, 37)), 50),
        "pixel": (face.crop((80, 60, 81, 61)), 50),
        "grey": (face.convert("L").resize((64, 48)), 50),
        "alpha": (clear, 50),
        "metadata": (replace(read_picture(tagged), icc=b"not a real profile"), 50),
        "continued": (wide, 40),
    }


def latent_cases() -> dict[str, bytes]:
    """Name -> a file of a Stable Diffusion space, made without weights."""
    out = {}
    for space in STABLE_DIFFUSION:
        rng = np.random.default_rng(space.id)
        y = (rng.gamma(8, size=(space.channels, 5, 7)) / 3 - 2.5).astype(np.float32)
        y[0, 0, 0] = 900  # escaped
        body = FactorizedCoder(space, 37.5).encode([y])
        out[space.name] = container.pack(space, bytes(4), 53, 38, 37.5, {LATENT_FACTORIZED: body})
    return out


def checksum(data: bytes) -> str:
    """The symbols' CRC-32C of the file's first segment, from its bytes, in hex."""
    header, chunks = unpack(data)
    body = next(chunks[k] for k in LATENT_TYPES if k in chunks)
    if header.space == "lp1" and header.width > 1024:
        _, start = container.read_varint(body, 0)
        body = body[start:]
    return body[:4].hex()


def main() -> None:
    """Replace all golden files."""
    emptied(FOLDER, __doc__)
    index: dict[str, dict[str, object]] = {}
    cases = builtin_cases()
    others = {
        "alone": with_chunk(LATENT_HYPERPRIOR, *cases["q60"]),
        "chains": with_chunk(LATENT_TRELLIS, *cases["q60"]),
        "segments": with_chunk(LATENT_MASKED, *cases["continued"]),
    }
    files = {
        name: latentpress.compress(image, quality=quality, content="photo")
        for name, (image, quality) in cases.items()
    }
    for name, data in (files | others).items():
        (FOLDER / f"{name}.ltp").write_bytes(data)
        decoded = latentpress.decompress(data)
        decoded.info.clear()
        decoded.save(FOLDER / f"{name}.png")
        index[name] = {"symbols_crc32c": checksum(data), "bytes": len(data)}
    for name, data in latent_cases().items():
        (FOLDER / f"{name}.ltp").write_bytes(data)
        latent = codec.decode_latent(data)
        index[name] = {
            "symbols_crc32c": checksum(data),
            "bytes": len(data),
            "latent": latent.round(4).tolist(),
        }
    (FOLDER / "golden.json").write_text(json.dumps(index) + "\n")


if __name__ == "__main__":
    main()
