"""What `latentpress bench` prints at its end: codecs, means, BD-rates, bytes at equal quality."""

import math
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from latentpress.bench.rate_distortion import EqualQuality, bd_rates, bytes_at_equal_quality, means
from latentpress.bench.rows import Run
from latentpress.cli import terminal
from latentpress.metrics import METRICS
from latentpress.metrics.display import spoken, told

WIDTH = 160  # where nothing says how wide the output is, as in a file
ENDS = {
    "psnr_of_mean_mse": ("PSNR of mean MSE", ".2f"),
    "encode_s": ("encode s", ".3f"),
    "decode_s": ("decode s", ".3f"),
}
# the least wanted first
SPARE = (
    "psnr_of_mean_mse",
    "gmsd",
    "ssim",
    "decode_s",
    "encode_s",
    "lpips-vgg",
    "dists",
    "ms-ssim",
)


def show(run: Run, anchor: str) -> None:
    """Print the tables of a run; anchor: "" where no codec draws a curve."""
    console = terminal.console(WIDTH)
    console.print(_codecs(run))
    console.print(_fitting(run, console))
    if anchor and (rates := _bd_rates(run, anchor)).row_count:
        console.print(rates)
    for metric in spoken(run.metrics) if anchor else ():
        equal = bytes_at_equal_quality(run, metric, anchor)
        for codec in dict.fromkeys(each.codec for each in equal):
            console.print(_sentence([each for each in equal if each.codec == codec]))


def _sentence(equal: list[EqualQuality]) -> str:
    """In words, at the middle one of the anchor's settings whose quality the codec reaches too."""
    reached = [each for each in equal if each.percent is not None] or equal
    words = reached[len(reached) // 2].words
    return f"{words[:1].upper()}{words[1:]}."


def _codecs(run: Run) -> Table:
    machine = run.info["machine"]
    cores = f"{machine['threads']} of {machine['cores']} cores"
    title = (
        f"codecs; peak memory of a process alone, on the largest picture; {machine['cpu']}, {cores}"
    )
    table = Table("codec", "version", "settings", title=title, box=box.SIMPLE)
    for name in ("encode MB", "decode MB", "load s"):
        table.add_column(name, justify="right")
    for codec in run.info["codecs"]:
        numbers = (
            _number(codec.get(key), f)
            for key, f in (("peak_encode_mb", ".0f"), ("peak_decode_mb", ".0f"), ("load_s", ".2f"))
        )
        table.add_row(
            f"{codec['label']} ({codec['name']})", codec["version"], codec["settings"], *numbers
        )
    return table


def _fitting(run: Run, console: Console) -> Table:
    """The table of means, without what matters least where the terminal is narrow: a number is
    never cut.
    """
    for left_out in range(len(SPARE) + 1):
        table = _means(run, SPARE[:left_out])
        if (
            Measurement.get(console, console.options.update_width(10_000), table).maximum
            <= console.width
        ):
            break
    if left_out:
        table.caption = (
            f"left out for want of width: {', '.join(SPARE[:left_out])}; rows.csv and "
            "the report hold them"
        )
    return table


def _means(run: Run, without: Sequence[str]) -> Table:
    many = len(run.images)
    title = (
        f"means of {many} {'picture' if many == 1 else 'pictures'}; bpp from whole files; "
        f"times: warm, median of {run.info['repeats']}"
    )
    gray = ", of the luma" if run.info["grey"] else ""
    table = Table("codec", "setting", title=title + gray, box=box.SIMPLE)
    metrics = {metric: (_heading(metric), _format(metric)) for metric in told(run.metrics)}
    columns = {"bpp": ("bpp", ".4f")} | metrics | ENDS
    columns = {name: column for name, column in columns.items() if name not in without}
    for heading, _ in columns.values():
        table.add_column(heading, justify="right", overflow="fold")
    before = None
    for line in means(run):
        if before not in (None, line["codec"]):
            table.add_section()
        before = line["codec"]
        setting = (
            line["setting"]
            if line["images"] == many
            else f"{line['setting']} ({line['images']} of {many} pictures)"
        )
        table.add_row(
            line["codec"],
            setting,
            *(_number(line[name], form) for name, (_, form) in columns.items()),
        )
    return table


def _bd_rates(run: Run, anchor: str) -> Table:
    title = (
        f"BD-rate against {run.codec(anchor)['label']}: bytes at equal quality (share of the "
        "joint range where the curves overlap)"
    )
    compared = bd_rates(run, anchor)
    columns = [metric for metric in told(run.metrics) if any(c.metric == metric for c in compared)]
    table = Table("codec", title=title, box=box.SIMPLE)
    for metric in columns:
        table.add_column(_heading(metric), justify="right")
    for codec in dict.fromkeys(c.codec for c in compared):
        found = {c.metric: c.result for c in compared if c.codec == codec}
        cells = [
            f"{r.percent:+.1f} % ({100 * r.share:.0f} %)"
            if (r := found.get(metric))
            else "no overlap"
            for metric in columns
        ]
        table.add_row(codec, *cells)
    return table


def _heading(metric: str) -> str:
    name = METRICS[metric].name
    unit = METRICS[metric].unit
    direction = METRICS[metric].direction
    arrow = terminal.sign("↑" if direction == "higher" else "↓", direction)
    return f"{name}{f' {unit}' if unit else ''} {arrow}"


def _format(metric: str) -> str:
    # SSIMULACRA 2 has no lower end
    return ".2f" if METRICS[metric].unit or math.isinf(METRICS[metric].range[0]) else ".4f"


def _number(value: Any, form: str) -> str:
    if value is None:
        return ""
    return terminal.sign("∞", "inf") if math.isinf(value) else format(value, form)
