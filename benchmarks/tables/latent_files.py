"""Latents as data beside JPEG XL and vaezip, all at the same rmse, in one run.

    python -m benchmarks.tables.latent_files PICTURES --weights DIR

PICTURES is a folder (Kodak), DIR holds taesd, taesdxl, taesd3, taef1. With --latents FOLDER the
latents are kept there as SPACE.npz and found again. Rows go to results/latents.csv: a row a space,
rival and latent, with both sides' bytes; the summary is printed.

8 bits: the latent's range in 256 levels, lossless JPEG XL (effort 7; all channels as one gray
picture or, of 4 channels, as RGBA, whichever is smaller for the whole space). rmse range/256: the
same with fewer levels, so that the rmse is that. vaezip: its own files' tensors. Ours:
`latentpress.latents` at the rival's rmse, latent by latent, whole records.
"""

import argparse
import csv
import io
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_jxl  # noqa: F401  registers JPEG XL
from PIL import Image

from benchmarks import provenance
from benchmarks.rows import ROOT
from latentpress.codec import encode_latent
from latentpress.latents import record
from latentpress.latents.index import space_id
from latentpress.latents.precision import Precision

TINY = {"sd15": "taesd", "sdxl": "taesdxl", "sd3": "taesd3", "flux1": "taef1"}
VAEZIP = ("lbrq_3bit", "lbrq_4bit", "lbrq_5bit", "brq_3bit", "brq_4bit", "brq_5bit", "rq_4bit")
COLUMNS = ("space", "rival", "latent", "numbers", "rmse", "rival_bytes", "our_rmse", "our_bytes")


def latents(
    space: str, pictures: Path, weights: Path | None, kept: Path | None, every: int
) -> dict[str, np.ndarray]:
    if kept and (kept / f"{space}.npz").exists():
        with np.load(kept / f"{space}.npz") as f:
            return dict(f)
    files = sorted(p for p in pictures.iterdir() if p.suffix in (".png", ".jpg"))[::every]
    model = str(weights / TINY[space]) if weights else None
    made = {p.stem: encode_latent(p, codec=space, model=model, device="cpu") for p in files}
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        np.savez(kept / f"{space}.npz", **made)
    return made


def jxl_bytes(picture: np.ndarray) -> int:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JXL", lossless=True, effort=7)
    return len(stream.getvalue())


def jpeg_xl(y: np.ndarray, levels: float) -> Iterator[tuple[str, float, int]]:
    """(layout, rmse, bytes) of the latent's range in that many levels."""
    low, step = float(y.min()), float(y.max() - y.min()) / (levels - 1)
    q = np.rint((y - low) / step).astype(np.uint8)
    rmse = float(np.sqrt(np.square(q * step + low - y).mean()))
    yield "grey", rmse, jxl_bytes(q.reshape(-1, q.shape[2]))
    if len(q) == 4:
        yield "rgba", rmse, jxl_bytes(np.ascontiguousarray(q.transpose(1, 2, 0)))


def vaezip_rows(y: np.ndarray) -> Iterator[tuple[str, float, int]]:
    import torch
    import vaezip

    for codec in VAEZIP:
        encoded = vaezip.encode(torch.from_numpy(y[None]), codec=codec)
        yield (
            f"vaezip {codec}",
            float(np.sqrt(np.square(encoded.decode().numpy()[0] - y).mean())),
            encoded.nbytes,
        )


def ours(y: np.ndarray, space: int, rmse: float) -> tuple[float, int]:
    body = record.pack(y, 0, space, Precision(rmse=rmse), "", None)
    y_hat, _, _ = record.unpack(body, space)
    return float(np.sqrt(np.square(y_hat.astype(np.float64) - y).mean())), len(
        body
    ) + 12  # with its row of the index


def rivals(y: np.ndarray) -> Iterator[tuple[str, float, int]]:
    for layout, rmse, size in jpeg_xl(y, 256):
        yield f"jxl 8 bits {layout}", rmse, size
    for layout, rmse, size in jpeg_xl(y, 1 + 256 / math.sqrt(12)):
        yield f"jxl rmse range/256 {layout}", rmse, size
    yield from vaezip_rows(y)


def speed(space: str, y_of: dict[str, np.ndarray]) -> None:
    """One process, latents of 64 x 64, max_error and rmse; CPU seconds, since other work may share
    the machine.
    """
    crops = [y[:, :64, :64] for y in y_of.values() if min(y.shape[1:]) >= 64] * 3
    for label, precision in (
        ("max_error 0.05", Precision(max_error=0.05)),
        ("rmse 0.02", Precision(rmse=0.02)),
    ):
        start = time.process_time()
        bodies = [record.pack(y, 0, space_id(space), precision, "", None) for y in crops]
        middle = time.process_time()
        for body in bodies:
            record.unpack(body, space_id(space))
        end = time.process_time()
        rates = len(crops) / (middle - start), len(crops) / (end - middle)
        print(
            f"{space} {label}: {rates[0]:.0f} encoded, {rates[1]:.0f} decoded a CPU second and core"
        )


def read_options(description: str | None, output: str) -> argparse.Namespace:
    """Of a benchmark on latents of pictures: where these are, and where its rows go, `output` under
    the project unless told.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--latents", type=Path, metavar="FOLDER")
    parser.add_argument("--every", type=int, default=1, help="take every n-th picture")
    parser.add_argument(
        "--spaces", type=lambda names: names.split(","), default=list(TINY), metavar="NAMES"
    )
    parser.add_argument("-o", "--output", type=Path, default=ROOT / output)
    return parser.parse_args()


def main() -> None:
    options = read_options(__doc__, "results/latents.csv")
    rows = []
    for space in options.spaces:
        y_of = latents(space, options.pictures, options.weights, options.latents, options.every)
        speed(space, y_of)
        for name, y in y_of.items():
            for rival, rmse, size in rivals(y):
                rows.append(
                    dict(
                        zip(
                            COLUMNS,
                            (
                                space,
                                rival,
                                name,
                                y.size,
                                rmse,
                                size,
                                *ours(y, space_id(space), rmse),
                            ),
                            strict=True,
                        )
                    )
                )
    with options.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    provenance.record(
        options.output, "latents as data beside JPEG XL and vaezip at equal rmse", options.spaces
    )
    totals: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        for i, key in enumerate(("numbers", "rival_bytes", "our_bytes")):
            totals[row["space"], row["rival"]][i] += row[key]
    for (space, rival), (numbers, theirs, mine) in totals.items():
        bits = f"{8 * theirs / numbers:6.3f}  ours {8 * mine / numbers:6.3f} bits a number"
        print(f"{space:6} {rival:26} {bits}  {100 * (mine / theirs - 1):+5.1f} %")


if __name__ == "__main__":
    main()
