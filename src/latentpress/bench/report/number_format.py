"""Numbers and sentences of a report, the same in every format; those of metrics are in
`latentpress.metrics.display`.
"""

from collections.abc import Sequence

from latentpress.bench.bd_rate import BdRate
from latentpress.metrics import METRICS
from latentpress.metrics.display import metric_name, number

__all__ = [
    "LITTLE",
    "difference",
    "kilobytes",
    "metric_name",
    "number",
    "overlap",
    "plain",
    "seconds",
    "share_range",
]

LITTLE = 0.3  # share of the tested codec's range below which a BD-rate is said to rest on little


def kilobytes(size: float | None) -> str:
    """Bytes in kB = 1000 bytes, three digits; "–" where there is no number."""
    if size is None:
        return "–"
    if size < 1000:
        return f"{size:.0f} B"
    thousand = size / 1000
    return f"{thousand:.1f} kB" if thousand < 100 else f"{thousand:,.0f} kB"


def difference(percent: float) -> str:
    """A BD-rate in words: "61 % fewer", "44 % more", "as many"."""
    if abs(percent) < 0.5:
        return "as many"
    return f"{abs(percent):.0f} % {'fewer' if percent < 0 else 'more'}"


def overlap(metric: str, result: BdRate) -> str:
    """The qualities that two curves share: "28.40 to 33.10 dB"."""
    unit = f" {METRICS[metric].unit}" if METRICS[metric].unit else ""
    return f"{number(metric, result.low)} to {number(metric, result.high)}{unit}"


def seconds(value: float | None) -> str:
    """Seconds, or milliseconds below one tenth."""
    if value is None:
        return "–"
    return f"{1000 * value:.0f} ms" if value < 0.1 else f"{value:.2f} s"


def plain(value: float | None, digits: int = 1) -> str:
    """A number with so many decimals; "–" where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def share_range(shares: Sequence[float]) -> str:
    """From the least to the greatest of some shares: "30 to 31.5 %"; "–" where there is none."""
    percents = [f"{100 * share:.1f}".removesuffix(".0") for share in sorted(shares)]
    ends = dict.fromkeys((*percents[:1], *percents[-1:]))
    return f"{' to '.join(ends)} %" if ends else "–"
