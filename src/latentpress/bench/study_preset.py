"""The study this project grew from, as a preset of the benchmark: VAE, PNG, JPEG and WebP on five
photographs, graded in gray.

A run of `bench.run` with the study's settings (JPEG quality 100, WebP quality 80) and enough others
to find the JPEG and the WebP file that is as large as the VAE's; then its pictures (latents,
comparisons, differences) and a workbook with one sheet a metric.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from latentpress.bench.codec_protocol import Codec, quality_text
from latentpress.bench.image_codecs import find_codec
from latentpress.bench.report.number_format import kilobytes
from latentpress.bench.rows import Row, Run, decoded, file_of, original
from latentpress.container import read_header
from latentpress.image.formats import write_image
from latentpress.image.panels import difference, latent_panels, side_by_side
from latentpress.metrics.display import metric_name, number
from latentpress.system.files import atomic_write
from latentpress.system.spreadsheet import write_sheets

METRICS = ("ssim", "mse", "psnr", "lpips")  # the first three in gray, as the study had them
VAE_QUALITIES = (15, 30, 50, 75, 100)
JPEG_QUALITIES, JPEG_OF_STUDY = (1, 4, 7, 10, 14, 18, 24, 32, 42, 55, 70, 100), 100
WEBP_QUALITIES, WEBP_OF_STUDY = (0, 2, 5, 9, 14, 20, 28, 38, 50, 65, 80, 95), 80


class Column(NamedTuple):
    """A column of the study: its title, and the row of each image by name."""

    title: str
    rows: dict[str, Row]


def plan_codecs(codec: str, model: str | None, quality: float) -> list[tuple[Codec, list[float]]]:
    """The study's codecs with the qualities that are tried; `quality` is the VAE's own."""
    vae = sorted({float(q) for q in (*VAE_QUALITIES, quality)})
    return [
        (find_codec(codec, model=model), vae),
        (find_codec("png"), [0.0]),
        (find_codec("jpeg"), [float(q) for q in JPEG_QUALITIES]),
        (find_codec("webp"), [float(q) for q in WEBP_QUALITIES]),
    ]


def columns(run: Run, codec: str, quality: float) -> list[Column]:
    """The study's four codecs at its settings, then JPEG and WebP at the setting whose bytes come
    closest to the VAE's.
    """
    setting = f"q{quality_text(quality)}"
    table = [
        Column(f"{run.codec(codec)['label']} {setting}", _at(run, codec, setting)),
        Column("PNG", _at(run, "png", "lossless")),
    ]
    table += [
        Column("JPEG q100", _at(run, "jpeg", f"q{JPEG_OF_STUDY}")),
        Column("WebP q80", _at(run, "webp", f"q{WEBP_OF_STUDY}")),
    ]
    vae = table[0].rows
    for name, title in (("jpeg", "JPEG, same bytes"), ("webp", "WebP, same bytes")):
        table.append(
            Column(
                title,
                {image: _closest(run, name, image, row["bytes"]) for image, row in vae.items()},
            )
        )
    return table


def _closest(run: Run, codec: str, image: str, size: int) -> Row:
    """The row of a codec and image whose bytes come closest to `size`."""
    return min(
        (r for r in run.rows if r["codec"] == codec and r["image"] == image),
        key=lambda r: abs(int(r["bytes"]) - size),
    )


def means(table: Sequence[Column], field: str) -> list[float | None]:
    """The mean of a field over the images, one a column; None where an image lacks it."""
    mean_values: list[float | None] = []
    for column in table:
        values = [row[field] for row in column.rows.values() if row.get(field) is not None]
        mean_values.append(
            math.fsum(values) / len(values) if len(values) == len(column.rows) else None
        )
    return mean_values


def _at(run: Run, codec: str, setting: str) -> dict[str, Row]:
    return {
        row["image"]: row for row in run.rows if row["codec"] == codec and row["setting"] == setting
    }


def sheets(run: Run, table: Sequence[Column]) -> Iterator[tuple[str, list[Sequence[object]]]]:
    """One sheet a metric, then bytes, bits per pixel and settings: a row an image, a column a
    codec, the mean below.
    """
    for field in (*run.metrics, "bytes", "bpp"):
        values = [[column.rows[image].get(field) for column in table] for image in run.images]
        yield (
            metric_name(field)
            if field in METRICS
            else {"bytes": "bytes", "bpp": "bits per pixel"}[field],
            [
                ["image", *(column.title for column in table)],
                *([image, *line] for image, line in zip(run.images, values, strict=True)),
                ["mean", *means(table, field)],
            ],
        )
    yield (
        "settings",
        [
            ["image", *(c.title for c in table)],
            *([i, *(c.rows[i]["setting"] for c in table)] for i in run.images),
        ],
    )


def write_study(run: Run, codec: str, quality: float) -> list[Path]:
    """Write workbook, latents, comparisons and differences into the run's folder, replacing older
    ones; the paths, workbook first.

    Each is named after the VAE, so that one folder holds the study with several.
    """
    table = columns(run, codec, quality)
    written = [run.folder / f"study-{codec}.xlsx"]
    atomic_write(written[0], write_sheets(list(sheets(run, table))), overwrite=True)
    for image in run.images:
        for kind, picture in _pictures(run, table, image):
            path = run.folder / kind / f"{image}-{codec}.png"
            path.parent.mkdir(exist_ok=True)
            write_image(picture, path, overwrite=True)
            written.append(path)
    return written


def _pictures(run: Run, table: Sequence[Column], image: str) -> Iterator[tuple[str, Image.Image]]:
    """("latents", ...), ("comparisons", ...), ("differences", ...) of one image; without the first
    where the file is a screen layer alone.
    """
    from latentpress.codec import decode_latent

    vae = table[0].rows[image]
    data = file_of(run.folder, run.codec(vae["codec"]), vae["setting"], image).read_bytes()
    if read_header(data).has_latent:
        yield "latents", latent_panels(decode_latent(data))
    lossy = [column for column in table if column.title != "PNG"]
    first = Image.fromarray(original(run, image))
    pictures = [
        Image.fromarray(decoded(run, r["codec"], r["setting"], image))
        for r in (column.rows[image] for column in lossy)
    ]
    captions = [_caption(run, column, image) for column in lossy]
    # the VAE and what is as large; the study's JPEG and WebP look like the original
    shown = [0, 3, 4]
    words = [
        f"{image}\noriginal, PNG {kilobytes(table[1].rows[image]['bytes'])}",
        *(captions[i] for i in shown),
    ]
    yield "comparisons", side_by_side([first, *(pictures[i] for i in shown)], words)
    yield (
        "differences",
        side_by_side(
            [difference(first, picture) for picture in pictures],
            [f"4 x difference: {c}" for c in captions],
        ),
    )


def _caption(run: Run, column: Column, image: str) -> str:
    row = column.rows[image]
    title = (
        column.title
        if column.title.endswith(row["setting"])
        else f"{column.title.split(',')[0]} {row['setting']}"
    )
    values = ", ".join(
        f"{metric_name(m)} {number(m, row[m])}"
        for m in ("ssim", "psnr", "lpips")
        if row.get(m) is not None
    )
    return f"{title}\n{kilobytes(row['bytes'])}, {row['bpp']:.3f} bpp\n{values}"
