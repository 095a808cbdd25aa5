"""Pictures through a Stable Diffusion latent beside vaepack, in one run.

    python -m benchmarks.tables.against_vaepack PICTURES --weights DIR

DIR holds taesd, taesdxl, taesd3, taef1. vaepack 0.1.1 itself (pip install vaepack), clip 4, 8 bits,
JPEG XL effort 7, whole .zvae files; the tiny autoencoder of the space stands in for the SDXL VAE,
on both sides. Its reader keeps four channels: of the spaces with 16, what its JPEG XL codec gives
is read here instead. Ours: the smallest .ltp file whose LPIPS is at most 1.02 times that of
vaepack's picture (`targets.to_metric`; the nearest where none is), read back. Then ours at 0.10 bpp
(`targets.to_rate`), and the static tables' plain rounding at the same rate. Rows go to
results/vaepack.csv: a row a space and picture; the summary, means over all pictures, is printed.
"""

import csv
import statistics
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import vaepack.api
from PIL import Image
from vaepack import container, pipeline
from vaepack.codecs import JXLCodec
from vaepack.quantize import dequantize_latent

from benchmarks import provenance
from benchmarks.tables.latent_files import TINY, read_options
from latentpress import codec, targets
from latentpress.entropy.factorized import FactorizedCoder
from latentpress.metrics import assess
from latentpress.options import QUALITY_UNIT, EncodeOptions

ALIKE = 1.02  # of vaepack's LPIPS
RATE = 0.10  # bpp
BITS, CLIP = 8, 4.0
COLUMNS = (
    "space",
    "picture",
    "vaepack_bytes",
    "vaepack_psnr",
    "vaepack_lpips",
    "our_bytes",
    "our_psnr",
    "our_lpips",
    "rate_bpp",
    "rate_psnr",
    "rate_lpips",
    "plain_bpp",
    "plain_psnr",
    "plain_lpips",
)


class Tiny:
    """A transform of this project, as vaepack calls an AutoencoderKL."""

    config, dtype = SimpleNamespace(scaling_factor=1.0), torch.float32

    def __init__(self, transform: Any) -> None:
        self.model = transform.autoencoder

    def encode(self, x: torch.Tensor) -> Any:
        """(1, 3, H, W) in [-1, 1] -> what has the latent."""
        latent = self.model.encode(x).latents
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: latent))

    def decode(self, y: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        """(1, C, h, w) -> (1, 3, H, W) in [-1, 1]."""
        return (self.model.decode(y).sample,)


def rival(path: Path, tiny: Tiny, channels: int, folder: Path) -> tuple[int, np.ndarray]:
    """vaepack's bytes of a picture, and the picture they give, (H, W, 3) uint8."""
    vaepack.api.load_vae_by_name = lambda name, device: tiny
    file = folder / "picture.zvae"
    state = vaepack.api.compress(
        path, file, quant_bits=BITS, quant_clip=CLIP, jxl_effort=7, device="cpu"
    )
    if channels == 4:
        return file.stat().st_size, vaepack.api.decompress(
            file, folder / "picture.png", device="cpu"
        ).reconstructed_u8
    _, body, _ = container.read_zvae(file)
    state.dequantized_f32 = dequantize_latent(
        JXLCodec().decode(body).transpose(2, 0, 1), BITS, CLIP
    )
    pipeline.stage_vae_decode(tiny, "cpu", state)
    return file.stat().st_size, state.reconstructed_u8


def grades(reference: np.ndarray, decoded: Any) -> tuple[float, float]:
    values = assess(reference, np.asarray(decoded), ["psnr", "lpips"])
    return values["psnr"], values["lpips"]


def plain(analyzed: targets.Analyzed, reference: np.ndarray) -> tuple[float, float, float]:
    """bpp, PSNR and LPIPS of the finest step whose static tables stay within RATE."""
    space, transform = analyzed.options.space, analyzed.transform
    y, picture = np.concatenate(list(analyzed.strips), axis=1), analyzed.picture
    low, high, best = 0, 100 * QUALITY_UNIT, None
    while low < high:
        middle = (low + high + 1) // 2
        coder = FactorizedCoder(space, middle / QUALITY_UNIT)
        body = coder.encode([y])
        if 8 * len(body) <= RATE * analyzed.pixels:
            low, best = middle, body
        else:
            high = middle - 1
    if best is None:
        return (float("nan"),) * 3
    y_hat = FactorizedCoder(space, low / QUALITY_UNIT).decode(best, *y.shape[1:])
    decoded = np.concatenate(list(transform.synthesize(y_hat, picture.width, picture.height)))
    return 8 * len(best) / analyzed.pixels, *grades(reference, decoded)


def row_of(space: str, path: Path, model: str, folder: Path) -> dict[str, Any]:
    reference = np.asarray(Image.open(path).convert("RGB"))
    analyzed = targets.Analyzed(path, EncodeOptions(codec=space, model=model, device="cpu"))
    size, decoded = rival(path, Tiny(analyzed.transform), analyzed.options.space.channels, folder)
    theirs = grades(reference, decoded)
    data = targets.to_metric(analyzed, "lpips", ALIKE * theirs[1], best_effort=True)
    ours = grades(reference, codec.decompress(data, model=model, device="cpu"))
    at_rate = targets.to_rate(analyzed, RATE, best_effort=True)
    cells = grades(reference, codec.decompress(at_rate, model=model, device="cpu"))
    values = (
        space,
        path.stem,
        size,
        *theirs,
        len(data),
        *ours,
        8 * len(at_rate) / analyzed.pixels,
        *cells,
        *plain(analyzed, reference),
    )
    return dict(zip(COLUMNS, values, strict=True))


def summary(rows: list[dict[str, Any]]) -> str:
    mean = {c: statistics.fmean(r[c] for r in rows) for c in COLUMNS[2:]}
    share = 100 * mean["our_bytes"] / mean["vaepack_bytes"]
    side = lambda name: (
        f"{mean[f'{name}_bpp']:.4f} bpp {mean[f'{name}_psnr']:.2f} dB "
        f"LPIPS {mean[f'{name}_lpips']:.3f}"
    )
    return (
        f"{rows[0]['space']:6} {len(rows)} pictures: ours {share:.1f} % of vaepack's "
        f"{mean['vaepack_bytes']:.0f} bytes at LPIPS {mean['our_lpips']:.4f} against "
        f"{mean['vaepack_lpips']:.4f}; at the rate {side('rate')}, plain rounding {side('plain')}"
    )


def main() -> None:
    options = read_options(__doc__, "results/vaepack.csv")
    files = sorted(p for p in options.pictures.iterdir() if p.suffix in (".png", ".jpg"))[
        :: options.every
    ]
    rows = []
    for space in options.spaces:
        with tempfile.TemporaryDirectory() as folder:
            for path in files:
                rows.append(row_of(space, path, str(options.weights / TINY[space]), Path(folder)))
                print(*(f"{k} {v}" for k, v in rows[-1].items()), flush=True)
        print(summary([r for r in rows if r["space"] == space]), flush=True)
    with options.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {k: f"{v:.5f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
        )
    provenance.record(
        options.output, "pictures through a Stable Diffusion latent beside vaepack", options.spaces
    )


if __name__ == "__main__":
    main()
