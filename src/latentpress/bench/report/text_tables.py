"""The tables and sentences of a report as plain text cells: HTML and Markdown print the same
ones.
"""

import math
from typing import Any

from latentpress.bench.rate_distortion import Comparison
from latentpress.bench.report.derived import Story
from latentpress.bench.report.gallery import DIFFERENCE_QUALITY, QUALITY, showable
from latentpress.bench.report.number_format import (
    LITTLE,
    difference,
    kilobytes,
    overlap,
    plain,
    seconds,
    share_range,
)
from latentpress.metrics.display import metric_name, number, spoken, title

Table = dict[str, Any]


def images(story: Story) -> str:
    """ "24 images" """
    return _counted(len(story.run.images), "image")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def heading(story: Story) -> str:
    """The title of a report."""
    names = [story.label(c) for c in story.ours if story.codecs[c]["ours"]]
    rest = [c for c in story.codecs if not story.codecs[c]["ours"]]
    shown = (
        f"{' and '.join(names)} beside {_counted(len(rest), 'other codec')}"
        if names and rest
        else _counted(len(story.codecs), "codec")
    )
    return f"{shown} on {story.run.info['dataset']}"


def subtitle(story: Story) -> str:
    """What was compared, in one sentence."""
    gray = (
        " MSE, PSNR, SSIM and MS-SSIM are of the luma (gray)." if story.run.info.get("grey") else ""
    )
    listed = sum(story.codecs[row["codec"]].get("kind") == "pictures" for row in story.run.rows)
    elsewhere = f" and {listed} whose bytes were listed" if listed else ""
    return (f"{images(story)}, {len(story.run.rows) - listed} real files{elsewhere}, none of the "
"images resized, cropped or skipped; "
            f"made {story.run.info['created'][:10]}.{gray}")  # fmt: skip


def headline(story: Story) -> list[str]:
    """What a perceptual metric and PSNR say of our first codec."""
    sentences = []
    for codec in story.ours[:1]:
        for metric in spoken(story.metrics):
            rivals = [
                story.compare(codec, r, metric)
                for r in story.lossy
                if not story.codecs[r]["ours"] and r != codec
            ]
            rivals = [c for c in rivals if c.result and story.reach(c) >= LITTLE]
            clauses = [
                f"{difference(c.result.percent)}{' bytes' if i == 0 else ''} "
                f"{'as' if abs(c.result.percent) < 0.5 else 'than'} "
                f"{story.label(c.anchor)}"
                for i, c in enumerate(rivals)
                if c.result
            ]
            if clauses:
                sentences.append(
                    f"At equal {metric_name(metric)}, {story.label(codec)} needs "
                    f"{', '.join(clauses)}."
                )
    return sentences


def notices(story: Story) -> list[str]:
    """What a reader must know first: a run that was interrupted, means that no curve can hold."""
    many = len(story.run.images)
    missing = [
        f"{row['codec']} {row['setting']} ({row['images']} of {many})" for row in story.unfinished
    ]
    missing += [
        f"{codec['name']} (0 of {many})"
        for codec in story.run.info["codecs"]
        if codec["name"] not in story.codecs
    ]
    told = [f"The run is not finished; left out: {', '.join(missing)}."] if missing else []
    for codec in story.lossy:
        for metric in story.told:
            rows = [row for row in story.means if row["codec"] == codec]
            exact = [row["setting"] for row in rows if row.get(metric) == math.inf]
            if exact:
                told.append(
                    f"{story.label(codec)} gave an image back exactly at {', '.join(exact)}: the "
                    f"mean {metric_name(metric)} there is infinite, which no curve, BD-rate or "
                    "table of bytes holds."
                )
    return told


def lossless(story: Story) -> str:
    """The lossless codecs, which have no curve."""
    texts = [
        f"{story.label(r['codec'])} {r['bpp']:.2f} bpp ({kilobytes(r['bytes'])})"
        for r in story.means
        if story.codecs[r["codec"]]["lossless"]
    ]
    return f"Lossless, so not drawn: {', '.join(texts)}." if texts else ""


def matrices(story: Story) -> list[Table]:
    """For each of our codecs: the bytes it needs at equal quality, a row a codec, a column a
    metric.
    """
    tables = []
    for mine in story.ours:
        rows = []
        for anchor in (c for c in story.lossy if c != mine):
            cells = [_cell(story, story.compare(mine, anchor, m)) for m in story.told]
            rows.append({"label": story.label(anchor), "cells": cells})
        if rows and story.told:
            tables.append(
                {
                    "label": story.label(mine),
                    "columns": [metric_name(m) for m in story.told],
                    "rows": rows,
                }
            )
    return tables


def _cell(story: Story, c: Comparison) -> Table:
    if c.result is None:
        return {"text": "", "overlap": "", "little": True}
    little = story.reach(c) < LITTLE
    care = "; little, read with care"
    text = (
        f"{overlap(c.metric, c.result)}, {100 * story.reach(c):.0f} % of its "
        f"range{care if little else ''}"
    )
    return {"text": difference(c.result.percent), "overlap": text, "little": little}


def levels(story: Story) -> list[Table]:
    """For each metric: the bytes an image that every codec needs to reach the quality of some of
    our settings.
    """
    tables: list[Table] = []
    for level in story.levels:
        name = title(level.metric)
        if not tables or tables[-1]["metric"] != name:
            tables.append(
                {"metric": name, "columns": [story.label(c) for c in story.lossy], "rows": []}
            )
        cells = [kilobytes(level.bytes[c]) for c in story.lossy]
        tables[-1]["rows"].append(
            {
                "label": number(level.metric, level.value),
                "source": f"({story.label(level.codec)} {level.setting})",
                "cells": cells,
            }
        )
    return tables


def pairs(story: Story) -> list[list[str]]:
    """Every pair's BD-rate: codec, anchor, metric, percent, overlap."""
    rows = []
    for c in story.comparisons:
        percent, shared = "–", "none"
        if c.result:
            percent = f"{c.result.percent:+.1f} %".replace("-", "−")
            shared = (
                f"{overlap(c.metric, c.result)}, {100 * c.result.share:.0f} % of the joint range"
            )
        rows.append(
            [story.label(c.codec), story.label(c.anchor), metric_name(c.metric), percent, shared]
        )
    return rows


def speed(story: Story) -> Table:
    """Seconds, megapixels a second and memory of every codec."""
    columns = [
        "codec",
        "encode",
        "MP/s",
        "decode",
        "MP/s",
        "peak memory: encode",
        "decode",
        "loading",
    ]
    rows = [
        [
            s["label"],
            seconds(s["encode_s"]),
            plain(s["encode_mp_s"]),
            seconds(s["decode_s"]),
            plain(s["decode_mp_s"]),
            *(
                f"{v:,.0f} MB" if (v := s[f"peak_{step}_mb"]) is not None else "–"
                for step in ("encode", "decode")
            ),
            seconds(s["load_s"]) if s["load_s"] else "–",
        ]
        for s in story.speeds
    ]
    return {"columns": columns, "rows": rows}


def layers(story: Story) -> Table:
    """Which images have a screen layer, and what it shows of them; without rows where none has."""
    codecs = [c for c in story.ours if any(c in found for found in story.layers.values())]
    rows = [
        [name, *(share_range(found.get(c, [])) for c in codecs)]
        for name, found in story.layers.items()
    ]
    note = (
        f"{len(rows)} of {images(story)} {'has' if len(rows) == 1 else 'have'} a screen layer: "
        "the part of the image that AV1 or lossless WebP codes in the place of the latent, from "
        "the least to the most of the settings."
    )
    return {"columns": ["image", *map(story.label, codecs)], "rows": rows, "note": note}


def machine(story: Story) -> str:
    """Where the speeds were measured."""
    m = story.run.info["machine"]
    where = (
        f"{m.get('cpu', 'an unknown CPU')}, {m.get('cores', '?')} cores, threads: "
        f"{m.get('threads', '?')}"
    )
    return (
        f"Seconds an image ({story.pixels / 1e6:.2f} megapixels on average), the mean over all "
        f"settings of a codec, warm, pixels to bytes and back, on {where}"
    )


def numbers(story: Story) -> Table:
    """The means of every codec and setting."""
    psnr = {"psnr_of_mean_mse": "PSNR of mean MSE"} if "mse" in story.metrics else {}
    columns = {m: title(m) for m in story.metrics} | psnr
    rows = [
        {
            "ours": story.codecs[r["codec"]]["ours"],
            "cells": [
                story.label(r["codec"]),
                r["setting"],
                f"{r['bytes']:,.0f}",
                f"{r['bpp']:.4f}",
                *(number(c, r.get(c)) for c in columns),
                seconds(r["encode_s"]),
                seconds(r["decode_s"]),
            ],
        }
        for r in story.means
    ]
    return {
        "columns": ["codec", "setting", "bytes", "bpp", *columns.values(), "encode", "decode"],
        "rows": rows,
    }


def gallery_note(story: Story, count: int, requested: int) -> str:
    """What the gallery shows, and what it does not."""
    fewer = (
        f" More than {count} would make the page too large."
        if count < min(requested, len(showable(story)))
        else ""
    )
    return (f"{count} of {images(story)}, at the settings whose bytes come closest to those of "
f"{story.label(story.ours[0])}; how far "
            f"they are off is said beside each picture.{fewer} Pull the slider, or use the arrow "
"keys. The close-ups are the windows in "
            "which the codecs differ most, without loss. The large pictures are encoded again "
f"for this page (WebP quality {QUALITY}, "
            f"differences {DIFFERENCE_QUALITY}); the numbers are of the real files.")  # fmt: skip


def made(story: Story) -> list[tuple[str, str]]:
    """The run's command, machine and versions."""
    info = story.run.info
    machine = ", ".join(
        str(info["machine"][k]) for k in ("cpu", "platform") if info["machine"].get(k)
    )
    versions = ", ".join(f"{name} {version}" for name, version in info["versions"].items())
    names = ", ".join(i["name"] for i in info["images"])
    return [
        ("command", info["command"]),
        ("made", info["created"]),
        ("machine", machine),
        ("versions", versions),
        ("images", f"{info['dataset']}: {names}"),
    ]
