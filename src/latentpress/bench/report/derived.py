"""What a report tells, taken from a run: curves, bytes at equal quality, BD-rates, speeds; every
output format prints this.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from latentpress.bench import rate_distortion
from latentpress.bench.bd_rate import bd_rate, rate_at
from latentpress.bench.rate_distortion import Comparison
from latentpress.bench.report.curves import Series
from latentpress.bench.report.style import looks
from latentpress.bench.rows import Row, Run
from latentpress.metrics import METRICS, Metric, display
from latentpress.metrics.display import REPEATS, metric_name, number

LOG_METRICS = ("mse",)  # drawn on a logarithmic axis
LEVELS = (0.25, 0.5, 0.75)  # of our settings: at whose quality the bytes are laid side by side


class Level(NamedTuple):
    """The bytes an image that each codec needs for one quality: `value` of `metric`, which
    `setting` of `codec` has.
    """

    metric: str
    codec: str
    setting: str
    value: float
    bytes: dict[str, float | None]  # by codec; None where its curve does not reach this quality


@dataclass(frozen=True)
class Story:
    """A run and what is derived from it; codecs are named as in the run, rates are in bpp."""

    run: Run

    @cached_property
    def codecs(self) -> dict[str, Row]:
        """The run's codecs by name, ours first, the lossless ones last."""
        present = {row["codec"] for row in self.run.rows}
        present_codecs = [c for c in self.run.info["codecs"] if c["name"] in present]
        return {
            c["name"]: c
            for c in sorted(present_codecs, key=lambda c: (not c["ours"], c["lossless"]))
        }

    @cached_property
    def lossy(self) -> list[str]:
        """Names of the codecs that have a curve."""
        return [name for name, c in self.codecs.items() if not c["lossless"]]

    @cached_property
    def ours(self) -> list[str]:
        """Names of latentpress's own codecs; the first codec's where the run has none, so that
        there is something to compare.
        """
        return [name for name in self.lossy if self.codecs[name]["ours"]] or self.lossy[:1]

    @cached_property
    def means(self) -> list[Row]:
        """Means over the images, one row a codec and setting that every image has been through, in
        the order of `codecs`.
        """
        order = list(self.codecs)
        return sorted(
            rate_distortion.complete(self.run),
            key=lambda row: (order.index(row["codec"]), row["bpp"]),
        )

    @cached_property
    def unfinished(self) -> list[Row]:
        """The means of settings that an interrupted run has not finished; they are told, never
        compared.
        """
        return [
            row for row in rate_distortion.means(self.run) if row["images"] < len(self.run.images)
        ]

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The run's metrics that at least one row has, those that repeat another last."""
        known = [
            m
            for m in self.run.metrics
            if m in METRICS and any(r.get(m) is not None for r in self.means)
        ]
        return {m: METRICS[m] for m in sorted(known, key=lambda m: m in REPEATS)}

    @property
    def told(self) -> list[str]:
        """The metrics of the short tables."""
        return display.told(self.metrics)

    @cached_property
    def pixels(self) -> float:
        """Mean pixels of an image."""
        images = self.run.info["images"]
        return float(sum(i["width"] * i["height"] for i in images) / len(images))

    def label(self, codec: str) -> str:
        """A codec's name for people."""
        return str(self.codecs[codec]["label"])

    def series(self, metric: str) -> list[Series]:
        """The curves of one metric, each point with the words that a pointer is told."""
        drawn = looks(list(self.codecs.values()))
        curves = []
        for codec in self.lossy:
            rows = self._rows_with(codec, metric)
            texts = [f"{self.label(codec)} {r['setting']}: {r['bpp']:.3f} bpp, "
                    f"{metric_name(metric)} {number(metric, r[metric])}" for r in rows]  # fmt: skip
            points = [(r["bpp"], r[metric], text) for r, text in zip(rows, texts, strict=True)]
            curves.append(
                Series(
                    codec, self.label(codec), drawn[codec], bool(self.codecs[codec]["ours"]), points
                )
            )
        return curves

    def compare(self, codec: str, anchor: str, metric: str) -> Comparison:
        """BD-rate of the curves of the means at equal values of a metric."""
        curves = [
            [p for p in rate_distortion.curve(self.run, c, metric) if math.isfinite(p[1])]
            for c in (codec, anchor)
        ]
        return Comparison(
            codec,
            anchor,
            metric,
            bd_rate(curves[0], curves[1], direction=self.metrics[metric].direction),
        )

    def reach(self, comparison: Comparison) -> float:
        """The share of the tested codec's own range of the metric that a comparison covers, 0 to
        1.
        """
        if comparison.result is None:
            return 0.0
        values = [
            p[1]
            for p in rate_distortion.curve(self.run, comparison.codec, comparison.metric)
            if math.isfinite(p[1])
        ]
        return (comparison.result.high - comparison.result.low) / (max(values) - min(values))

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Every ordered pair of lossy codecs at every metric."""
        return [
            self.compare(a, b, m)
            for a in self.lossy
            for b in self.lossy
            if a != b
            for m in self.metrics
        ]

    @cached_property
    def levels(self) -> list[Level]:
        """Bytes an image at the qualities of three settings of our first codec, for each of
        `told`.
        """
        levels = []
        for mine, metric in ((c, m) for m in self.told for c in self.ours[:1]):
            rows = [r for r in self._rows_with(mine, metric) if math.isfinite(r[metric])]
            for row in (
                rows[i]
                for i in sorted({round(share * (len(rows) - 1)) for share in LEVELS if rows})
            ):
                sizes = {c: self._bytes_at(c, metric, row[metric]) for c in self.lossy}
                sizes[mine] = row["bytes"]
                levels.append(Level(metric, mine, row["setting"], row[metric], sizes))
        return levels

    def _rows_with(self, codec: str, metric: str) -> list[Row]:
        """A codec's rows of `means` that have a metric."""
        return [r for r in self.means if r["codec"] == codec and r.get(metric) is not None]

    def _bytes_at(self, codec: str, metric: str, value: float) -> float | None:
        """The mean bytes an image at which a codec's curve reaches a value of a metric. Not its
        mean bpp by the mean pixels: where sizes differ, those are the bytes of no file.
        """
        curve = [(float(r["bytes"]), r[metric]) for r in self._rows_with(codec, metric)]
        return rate_at(curve, value, direction=self.metrics[metric].direction)

    @cached_property
    def layers(self) -> dict[str, dict[str, list[float]]]:
        """Of each image with a screen layer: by codec, what it shows of the image, 0 to 1, at each
        setting.
        """
        shares: dict[str, dict[str, list[float]]] = {}
        for row in self.run.rows:
            if (share := row.get("screen_share")) is not None:
                of_image = shares.setdefault(row["image"], {})
                of_image.setdefault(row["codec"], []).append(share)
        with_layer = {name for name, found in shares.items() if any(map(any, found.values()))}
        return {name: shares[name] for name in self.run.images if name in with_layer}

    @cached_property
    def speeds(self) -> list[Row]:
        """One row a codec: mean seconds an image, megapixels a second, and what the run knows of
        its memory.
        """
        rows = []
        for name, codec in self.codecs.items():
            row: Row = {"codec": name, "label": self.label(name)}
            for step in ("encode", "decode"):
                timed = [
                    r
                    for r in self.run.rows
                    if r["codec"] == name and r.get(f"{step}_s") is not None
                ]
                seconds = sum(r[f"{step}_s"] for r in timed)
                row[f"{step}_s"] = seconds / len(timed) if timed else None
                row[f"{step}_mp_s"] = (
                    sum(r["width"] * r["height"] for r in timed) / 1e6 / seconds
                    if seconds
                    else None
                )
                row[f"peak_{step}_mb"] = codec.get(f"peak_{step}_mb")
            rows.append(row | {"load_s": codec.get("load_s")})
        return rows
