"""What is derived from a run's rows: means, rate-distortion curves, BD-rates, bytes at equal
quality in plain words.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from latentpress.bench.bd_rate import BdRate, Curve, bd_rate, rate_at
from latentpress.bench.rows import Row, Run
from latentpress.metrics import METRICS
from latentpress.metrics.psnr import psnr_of_mse

# the first of them that a run holds is the anchor, where none is named
ANCHORS = ("avif", "webp", "jpeg")


def means(run: Run) -> list[Row]:
    """One row a codec and setting, in the order of the run: `images` counted, every number the mean
    over them.

    PSNR is the mean of dB; `psnr_of_mean_mse` is the PSNR of the mean MSE. None where a picture
    lacks the number. A setting of an interrupted run may have fewer images than the run: compare
    only rows with the same count.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in run.rows:
        groups.setdefault((row["codec"], row["setting"]), []).append(row)
    table = []
    for (codec, setting), rows in groups.items():
        line: Row = {"codec": codec, "setting": setting, "images": len(rows)}
        for field in ("bytes", "bpp", "encode_s", "decode_s", *run.metrics):
            values = [row.get(field) for row in rows]
            numbers = [value for value in values if value is not None]
            line[field] = math.fsum(numbers) / len(rows) if len(numbers) == len(rows) else None
        error = line.get("mse")
        line["psnr_of_mean_mse"] = None if error is None else psnr_of_mse(error)
        table.append(line)
    order = [codec["name"] for codec in run.info["codecs"]]
    return sorted(
        table,
        key=lambda line: (
            order.index(line["codec"]) if line["codec"] in order else len(order),
            line["bpp"],
        ),
    )


def curve(run: Run, codec: str, metric: str) -> Curve:
    """(mean bpp, mean of the metric) of a codec, rate rising; only settings that every picture of
    the run has been through.
    """
    return [
        (line["bpp"], line[metric])
        for line in complete(run)
        if line["codec"] == codec and line[metric] is not None
    ]


def complete(run: Run) -> list[Row]:
    """The rows of `means` that cover every picture of the run."""
    return [line for line in means(run) if line["images"] == len(run.images)]


def lossy(run: Run) -> list[str]:
    """The names of the codecs that draw a curve."""
    return [codec["name"] for codec in run.info["codecs"] if not codec["lossless"]]


def default_anchor(run: Run) -> str:
    """AVIF where the run holds it, else WebP, else JPEG, else its first lossy codec; "" where there
    is none.
    """
    names = lossy(run)
    return next((name for name in (*ANCHORS, *names) if name in names), "")


class Comparison(NamedTuple):
    """A codec against an anchor at equal values of a metric; result is None where their curves do
    not overlap.
    """

    codec: str
    anchor: str
    metric: str
    result: BdRate | None


def bd_rates(run: Run, anchor: str, metrics: Sequence[str] | None = None) -> list[Comparison]:
    """BD-rate of every other lossy codec with at least two settings against the anchor, for each
    metric of the run.
    """
    table = []
    for codec in lossy(run):
        for metric in run.metrics if metrics is None else metrics:
            curves = curve(run, codec, metric), curve(run, anchor, metric)
            if codec != anchor and min(map(len, curves)) >= 2:
                table.append(
                    Comparison(
                        codec, anchor, metric, bd_rate(*curves, direction=METRICS[metric].direction)
                    )
                )
    return table


class EqualQuality(NamedTuple):
    """A codec's rate at the quality of one of the anchor's settings; bpp and percent are None
    outside of its range.

    percent: negative where the codec needs fewer bytes. words: the same as a sentence.
    """

    codec: str
    anchor: str
    setting: str
    metric: str
    value: float
    anchor_bpp: float
    bpp: float | None
    percent: float | None
    words: str


def bytes_at_equal_quality(run: Run, metric: str, anchor: str) -> list[EqualQuality]:
    """For every lossy codec and every setting of the anchor, the rate at the anchor's mean value of
    the metric.

    Interpolated in log rate between the codec's own settings, never beyond them.
    """
    labels = {codec["name"]: codec["label"] for codec in run.info["codecs"]}
    equal = []
    for codec in lossy(run):
        if codec == anchor or len(curve(run, codec, metric)) < 2:
            continue
        for line in (
            line for line in complete(run) if line["codec"] == anchor and line[metric] is not None
        ):
            bpp = rate_at(
                curve(run, codec, metric), line[metric], direction=METRICS[metric].direction
            )
            percent = None if bpp is None else 100 * (bpp / line["bpp"] - 1)
            at = (
                f"at the {METRICS[metric].name} of {labels[anchor]} {line['setting']} "
                f"({line[metric]:.4g})"
            )
            equal.append(
                EqualQuality(
                    codec,
                    anchor,
                    line["setting"],
                    metric,
                    line[metric],
                    line["bpp"],
                    bpp,
                    percent,
                    f"{at}, {labels[codec]} {_needs(percent)}",
                )
            )
    return equal


def _needs(percent: float | None) -> str:
    if percent is None:
        return "has no setting that compares"
    if abs(percent) < 0.5:
        return "needs as many bytes"
    return f"needs {abs(percent):.0f} % {'fewer' if percent < 0 else 'more'} bytes"
