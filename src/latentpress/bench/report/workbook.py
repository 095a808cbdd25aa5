"""The report as an Excel workbook: one sheet a metric, then means, BD-rates, speeds, every row, and
how it was made.
"""

from collections.abc import Sequence
from typing import Any

from latentpress.bench.report import text_tables
from latentpress.bench.report.derived import Story
from latentpress.metrics.display import metric_name, title
from latentpress.system.spreadsheet import write_sheets


def workbook(story: Story) -> bytes:
    """The bytes of an .xlsx file: numbers as numbers; identical images' PSNR is the text "inf", for
    Excel has no infinity.
    """
    sheets: list[tuple[str, list[Sequence[Any]]]] = [
        (metric_name(m), _by_image(story, m)) for m in story.metrics
    ]
    keys = [
        "codec",
        "setting",
        "images",
        "bytes",
        "bpp",
        *story.metrics,
        "psnr_of_mean_mse",
        "encode_s",
        "decode_s",
    ]
    sheets.append(("means", [keys, *([r.get(k) for k in keys] for r in story.means)]))
    pairs = [
        [c.codec, c.anchor, c.metric, *(([*c.result]) if c.result else [None] * 4)]
        for c in story.comparisons
    ]
    sheets.append(
        (
            "BD-rates",
            [
                [
                    "codec",
                    "anchor",
                    "metric",
                    "BD-rate %",
                    "overlap from",
                    "overlap to",
                    "share of joint range",
                ],
                *pairs,
            ],
        )
    )
    levels = [
        [x.metric, x.value, x.codec, x.setting, *(x.bytes[c] for c in story.lossy)]
        for x in story.levels
    ]
    sheets.append(
        (
            "bytes at equal quality",
            [["metric", "value", "of codec", "setting", *story.lossy], *levels],
        )
    )
    if story.speeds:
        sheets.append(
            ("speeds", [list(story.speeds[0]), *(list(s.values()) for s in story.speeds)])
        )
    fields = list(story.run.rows[0])
    sheets.append(("rows", [fields, *([r[f] for f in fields] for r in story.run.rows)]))
    codecs = [
        ["codec", "version", "settings"],
        *([c["label"], c["version"], c["settings"]] for c in story.codecs.values()),
    ]
    sheets.append(
        (
            "how it was made",
            [["what", text_tables.heading(story)], *text_tables.made(story), [], *codecs],
        )
    )
    return write_sheets(sheets)


def _by_image(story: Story, metric: str) -> list[Sequence[Any]]:
    """One metric: a row an image, a column a codec and setting, and the means below, with their
    bpp.
    """
    cells = {(r["codec"], r["setting"], r["image"]): r.get(metric) for r in story.run.rows}
    columns = [(r["codec"], r["setting"]) for r in story.means]
    rows: list[Sequence[Any]] = [
        [title(metric), *(c for c, _ in columns)],
        ["setting", *(s for _, s in columns)],
    ]
    rows += [[image, *(cells[(c, s, image)] for c, s in columns)] for image in story.run.images]
    return [
        *rows,
        ["mean", *(r.get(metric) for r in story.means)],
        ["mean bpp", *(r["bpp"] for r in story.means)],
    ]
