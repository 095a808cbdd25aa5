"""Write the golden files of the lattice priors anew:  PYTHONPATH=tests python
tests/golden/make_priors.py --replace

Only when the format or a prior was meant to change: a prior that was released keeps its number and
its files. Each picture stands with its size, its symbols' checksum and its quantized latent, in
integers of 1/8192; latents as data, rounded (a bounded error) and under dependent quantization (an
rmse), with their size and the checksums of their numbers.
"""

import json
import math
from pathlib import Path

import google_crc32c
import numpy as np

from golden.folders import emptied
from latentpress import codec, container
from latentpress.entropy.multistage import FINE, MultistageCoder
from latentpress.latents import Reader, precision, save
from latentpress.spaces import STABLE_DIFFUSION

FOLDER = Path(__file__).parent / "priors_v1"
QUALITIES = (0, 37.5, 100)


def cases() -> dict[str, bytes]:
    """Name -> a file, made without weights of an autoencoder."""
    out = {}
    for space in STABLE_DIFFUSION:
        for quality in QUALITIES:
            rng = np.random.default_rng(space.id)
            y = (rng.gamma(8, size=(space.channels, 10, 9)) / 3 - 2.5).astype(np.float32)
            y[0, 0, 0] = 900  # escaped
            body = MultistageCoder(space, quality).encode([y])
            out[f"{space.name}-q{quality}"] = container.pack(
                space, bytes(4), 69, 76, quality, {container.LATENT_MULTISTAGE: body}
            )
    return out


def ltps_cases() -> dict[str, list[np.ndarray]]:
    """Space -> two latents of an .ltps file."""
    out = {}
    for space in STABLE_DIFFUSION:
        y = np.random.default_rng(space.id).normal(0, 1, (space.channels, 9, 7)).astype(np.float32)
        y[0, 3, 3] = 1e7
        out[space.name] = [y, y.clip(-100, 100).astype(np.float16)]
    return out


def bits(file: Path) -> list[int]:
    """CRC-32C of the decoded numbers of every latent, all under the lattice prior."""
    with Reader(file) as reader:
        if {reader.info(n).method for n in range(len(reader))} != {"learned"}:
            raise ValueError(f"{file.name} holds latents that are coded in another way")
        return [google_crc32c.value(np.ascontiguousarray(y).tobytes()) for y in reader]


def checksum(data: bytes) -> str:
    """The symbols' CRC-32C from the file's bytes, in hex."""
    return container.unpack(data)[1][container.LATENT_MULTISTAGE][3:7].hex()


def fine(data: bytes) -> list[object]:
    """The quantized latent in fine units."""
    return np.rint(codec.decode_latent(data).astype(np.float64) * FINE).astype(int).tolist()


def main() -> None:
    """Replace all golden files of the lattice priors."""
    emptied(FOLDER, __doc__)
    index: dict[str, object] = {}
    for name, data in cases().items():
        (FOLDER / f"{name}.ltp").write_bytes(data)
        index[name] = {"symbols_crc32c": checksum(data), "bytes": len(data), "latent": fine(data)}
    precision.gaussian_bits = lambda *_: math.inf  # the prior is taken for latents that are none
    precision.DEPENDENT_FROM = 0  # the format has it in all spaces
    for space, latents in ltps_cases().items():
        for name, how in ((space, {"max_error": 0.1}), (f"{space}-rmse", {"rmse": 0.1})):
            file = FOLDER / f"{name}.ltps"
            save(latents, file, space=space, **how)
            index[f"{name}-latents"] = {"bytes": file.stat().st_size, "crc32c": bits(file)}
    (FOLDER / "golden.json").write_text(json.dumps(index) + "\n")


if __name__ == "__main__":
    main()
