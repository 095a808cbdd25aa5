"""What the restoration of a decoded latent buys: the same files, decoded with and without it.

    python -m benchmarks.tables.restored_quality kodak/*.png --codec sd15 --model FOLDER
        -> results/restoration.csv

A row a picture, effort, quality and way of decoding; rows that the file already has are kept.
"plain" is the file without its restoration chunk, seven bytes less. Then prints the means at some
rates (interpolated in log bpp), and bytes at equal PSNR, LPIPS and so on against the same effort's
plain files (BD-rate of the means).
"""

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import latentpress
from benchmarks import provenance
from benchmarks.rows import parser, read, usable, write
from latentpress import container
from latentpress.bench.bd_rate import bd_rate, pchip
from latentpress.container import RESTORATION
from latentpress.metrics import METRICS, Reference
from latentpress.spaces import space_of_codec

MEASURED = ("psnr", "lpips", "lpips-vgg", "dists")
KEY = ("codec", "effort", "quality", "image", "decoded")
COLUMNS = (*KEY, "bytes", "bpp", *MEASURED)
RATES = (0.06, 0.08, 0.1, 0.12, 0.2, 0.4)


def plain(data: bytes) -> bytes:
    """The file without its restoration chunk."""
    header, chunks = container.unpack(data)
    chunks.pop(RESTORATION, None)
    space, model_hash = space_of_codec(header.space), bytes.fromhex(header.model_hash)
    return container.pack(space, model_hash, header.width, header.height, header.quality, chunks)


def rows_of(
    path: Path,
    codec: str,
    model: str | None,
    effort: int,
    quality: float,
    ways: Sequence[str],
    metrics: Sequence[str],
) -> Iterator[dict[str, Any]]:
    """A picture compressed once, decoded from its bytes in the ways asked for."""
    image = np.asarray(Image.open(path).convert("RGB"))
    data = latentpress.compress(image, quality=quality, codec=codec, model=model, effort=effort)
    reference = Reference(image)
    for decoded in ways:
        file = plain(data) if decoded == "plain" else data
        x_hat = np.asarray(latentpress.decompress(file, model=model).convert("RGB"))
        values = {name: f"{value:.5f}" for name, value in reference.assess(x_hat, metrics).items()}
        key = {
            "codec": codec,
            "effort": effort,
            "quality": quality,
            "image": path.stem,
            "decoded": decoded,
        }
        yield (
            key
            | {
                "bytes": len(file),
                "bpp": f"{8 * len(file) / (image.shape[0] * image.shape[1]):.5f}",
            }
            | values
        )


def summary(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lines for each codec and effort: means at RATES, and BD-rates of restored against plain."""
    groups: dict[tuple[str, str, str], dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        groups.setdefault((row["codec"], str(row["effort"]), row["decoded"]), {}).setdefault(
            str(row["quality"]), []
        ).append(row)

    def curve(key: tuple[str, str, str], metric: str) -> list[tuple[float, float]]:
        cells = [c for c in groups[key].values() if all(r[metric] for r in c)]
        return sorted(
            (
                statistics.fmean(float(r["bpp"]) for r in c),
                statistics.fmean(float(r[metric]) for r in c),
            )
            for c in cells
        )

    for key in groups:
        curves = {m: c for m in MEASURED if len(c := curve(key, m)) > 1}
        for rate in RATES:
            inside = {m: c for m, c in curves.items() if c[0][0] <= rate <= c[-1][0]}
            at = {
                m: float(pchip(*np.log(np.array(c)[:, :1]).T, np.array(c)[:, 1], np.log([rate]))[0])
                for m, c in inside.items()
            }
            if at:
                yield f"{' '.join(key)} at {rate} bpp: " + ", ".join(
                    f"{m} {v:.4f}" for m, v in at.items()
                )
        anchor = (*key[:2], "plain")
        if key != anchor:
            rates = {
                m: bd_rate(c, curve(anchor, m), direction=METRICS[m].direction)
                for m, c in curves.items()
            }
            texts = [f"{m} {b.percent:+.1f} %" for m, b in rates.items() if b]
            yield f"{' '.join(key)} against plain: " + (", ".join(texts) or "too few qualities")


def main() -> None:
    ap = parser(__doc__, "sd15", "0,6", "0,15,30,50,75", MEASURED, "results/restoration.csv")
    ap.add_argument("--ways", default="plain,restored")
    args = ap.parse_args()
    rows, done = read(args.output, KEY)
    provenance.record(
        args.output,
        "files decoded with and without their restoration",
        [args.codec],
        goes_on=bool(rows),
    )
    metrics = usable(args.metrics)
    cells = [
        (e, q, path)
        for e in map(int, args.efforts.split(","))
        for q in map(float, args.qualities.split(","))
        for path in args.images
    ]
    for effort, quality, path in cells:
        ways = [
            way
            for way in args.ways.split(",")
            if (args.codec, str(effort), str(quality), path.stem, way) not in done
        ]
        for row in (
            rows_of(path, args.codec, args.model, effort, quality, ways, metrics) if ways else ()
        ):
            rows.append(dict.fromkeys(COLUMNS, "") | row)
            print(*(f"{k} {v}" for k, v in row.items()), flush=True)
        write(args.output, COLUMNS, rows)
    print(*summary(rows), sep="\n")


if __name__ == "__main__":
    main()
