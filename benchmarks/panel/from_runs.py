"""What runs of `latentpress bench` say: BD-rates, and metrics at equal rates."""

from collections.abc import Iterator

from benchmarks.panel.goals import EQUAL_BYTES_GOALS, METRIC_NAMES, RATES, RIVALS
from benchmarks.provenance import RESULTS
from benchmarks.tables.check_published import at_rate
from latentpress.bench.bd_rate import Curve, bd_rate
from latentpress.bench.rate_distortion import complete, curve, lossy
from latentpress.bench.rows import Run, read_run
from latentpress.metrics import METRICS

OURS = "builtin"
# of several that hold a codec and a metric the first counts; the slow metrics are in runs of their
# own, with fewer codecs and settings
RUNS = {"Kodak": ("benchmark", "unseen", "avif-ssim"), "CID22": ("cid22", "unseen-cid22")}


def values() -> Iterator[tuple[str, float]]:
    """Key of a goal, and its value."""
    runs = {
        dataset: [read_run(RESULTS / name) for name in names] for dataset, names in RUNS.items()
    }
    for dataset, of_dataset in runs.items():
        for metric in METRIC_NAMES:
            yield from _bd_rates(dataset, of_dataset, metric)
    whole, unseen, *_ = runs["Kodak"]
    yield "Kodak lpips 0.15", _at(unseen, OURS, "lpips", 0.15)
    for metric in EQUAL_BYTES_GOALS:
        for rate in RATES:
            ours, theirs = (_at(unseen, codec, metric, rate) for codec in (OURS, "avif"))
            yield f"Kodak {metric} {rate}", 100 * (ours / theirs - 1)
    rates = [line["bpp"] for line in complete(whole) if line["codec"] == OURS]
    yield "lowest rate", min(rates)
    yield "highest rate", max(rates)


def _bd_rates(dataset: str, runs: list[Run], metric: str) -> Iterator[tuple[str, float]]:
    ours = _curve(runs, OURS, metric)
    for rival in RIVALS:
        theirs = _curve(runs, rival, metric)
        if not ours or not theirs:
            continue
        result = bd_rate(ours, theirs, direction=METRICS[metric].direction)
        if result is not None:
            yield f"{dataset} bd-rate {rival} {metric}", result.percent


def _curve(runs: list[Run], codec: str, metric: str) -> Curve:
    """The curve of the first run that holds it, empty where none does."""
    held = (run for run in runs if metric in run.metrics and codec in lossy(run))
    return next((curve(run, codec, metric) for run in held), [])


def _at(run: Run, codec: str, metric: str, rate: float) -> float:
    value = at_rate(curve(run, codec, metric), rate)
    if value is None:
        raise SystemExit(f"{run.folder}: {codec} does not reach {rate} bpp")
    return value
