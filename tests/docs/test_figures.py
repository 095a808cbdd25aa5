"""Figures within sentences are those of the shipped files and of the tables under results/."""

import csv
import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.paths import ROOT
from latentpress import models
from latentpress.bench.rows import read_run
from latentpress.bench.study_preset import columns, means
from latentpress.metrics import METRICS
from latentpress.runtimes.onnx_file import Node, read_graph
from latentpress.web import assets

RESULTS, SHIPPED = ROOT / "results", ROOT / "src" / "latentpress" / "models" / "lp1"
TRANSFORMS = ("analysis", "synthesis")
KEYS = {"SSIMULACRA 2": "ssimulacra2"}  # a metric's name -> its key, where lower case is not enough


def of(page: str) -> str:
    """The text of a page, in one line."""
    return " ".join((ROOT / page).read_text(encoding="utf-8").split())


def rows(name: str) -> list[Mapping[str, str]]:
    """A table of results/."""
    with (RESULTS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def convolutions(name: str) -> list[tuple[str, Node, tuple[int, ...], float]]:
    """Of a shipped graph each convolution: its name, node, weight's shape, multiplications a pixel
    of the picture.
    """
    graph = read_graph((SHIPPED / f"{name}.onnx").read_bytes())
    spacing = {x: 1.0 if x == "pixels" else 16.0 for x in graph.inputs}
    source = {x: (x, a.shape) for x, a in graph.constants.items()}
    found = []
    for node in graph.nodes:
        if node.op == "Cast" and node.inputs[0] in source:
            source[node.outputs[0]] = source[node.inputs[0]]
            continue
        at = next(spacing[x] for x in node.inputs if x in spacing)
        if node.op == "DepthToSpace":
            at /= node.attributes["blocksize"]
        if node.op == "Conv":
            at *= node.attributes["strides"][0]
            weight, shape = source[node.inputs[1]]
            found.append((weight.removesuffix(".weight"), node, shape, prod(shape) / at**2))
        spacing[node.outputs[0]] = at
    return found


def share(name: str, chosen: set[str]) -> int:
    """Percent of a graph's multiplications that some of its convolutions make."""
    counted = {conv: amount for conv, _, _, amount in convolutions(name)}
    return round(100 * sum(counted[conv] for conv in chosen) / sum(counted.values()))


def test_the_rate_at_the_end_of_the_knob() -> None:
    ends: dict[str, list[float]] = {"q0": [], "q100": []}
    for row in rows("benchmark/rows.csv"):
        if row["codec"] == "builtin" and row["setting"] in ends:
            ends[row["setting"]].append(float(row["bpp"]))
    least, most = (fmean(rates) for rates in ends.values())
    assert f"Above {most:.1f} bits a pixel its quality ends" in of("README.md")
    assert f"rates above {most:.1f} bits a pixel" in of("docs/index.md")
    assert f"The knob ends at about {most:.1f} bpp" in of("docs/models/index.md")
    told = f"0 to 100 are {least:.3f} to {most:.2f} bits a pixel on Kodak".replace("0.", ".")
    assert told in of("CHANGELOG.md")


def test_the_model_in_the_package_is_as_large_as_told() -> None:
    size = sum(path.stat().st_size for path in SHIPPED.iterdir())
    for page in ("README.md", "docs/index.md"):
        assert f"with the package ({size / 1e6:.0f} MB;" in of(page)


def change(percent: float) -> str:
    """A BD-rate in words."""
    return f"{abs(percent):.0f} % {'fewer' if percent < 0 else 'more'}"


def test_the_bytes_of_the_readme_are_those_of_the_panel() -> None:
    panel = {row["key"]: float(row["value"]) for row in rows("panel.csv")}
    text = of("README.md")
    for metric in ("LPIPS", "SSIMULACRA 2", "MS-SSIM", "PSNR"):
        told = [
            change(panel[f"Kodak bd-rate {rival} {KEYS.get(metric, metric.lower())}"])
            for rival in ("avif", "webp", "jxl")
        ]
        cells = (f"**{one}**" if one.endswith("fewer") else one for one in told)
        assert f"| {metric} | {' | '.join(cells)} |" in text
    lpips, psnr, ssimulacra2 = (
        change(panel[f"CID22 bd-rate avif {metric}"]) for metric in ("lpips", "psnr", "ssimulacra2")
    )
    bytes_than = lpips.replace("fewer", "fewer bytes than AVIF")
    assert f"it needs {bytes_than} at equal LPIPS, {psnr} at equal PSNR, {ssimulacra2} at" in text


def test_the_speeds_of_the_readme_are_those_of_its_tables() -> None:
    def speeds(name: str) -> list[str]:
        found = {row["what"]: float(row["value"]) for row in rows(name) if row["unit"] == "MP/s"}
        keys = [
            f"in process, 4000 x 3000, {way}, speed, {codec}"
            for way in ("compress", "decompress")
            for codec in ("latentpress", "AVIF speed 6", "WebP method 6")
        ]
        return [f"{found[key]:.2g}" if found[key] < 100 else f"{found[key]:.0f}" for key in keys]

    here, elsewhere = speeds("speed.csv"), speeds("speed-without-avx512.csv")
    [without_amx, *_] = speeds("speed-without-amx.csv")
    text = of("README.md")
    assert f"compress {here[0]} megapixels a second, AVIF {here[1]}, WebP {here[2]};" in text
    assert f"decompress {here[3]}, AVIF {here[4]}, WebP {here[5]}" in text
    words = f"without AMX compress makes {without_amx}, without AVX-512 {elsewhere[0]}, AVIF"
    assert f"{words} {elsewhere[1]}" in text


@pytest.mark.parametrize(
    ("field", "row", "form"),
    [
        ("bytes", "bytes", ",.0f"),
        ("bpp", "bits per pixel", ".3f"),
        ("lpips", "LPIPS, lower is better", ".3f"),
        ("ssim", "SSIM", ".3f"),
        ("psnr", "PSNR, dB", ".2f"),
    ],
)
def test_the_study_at_real_bytes_is_what_its_command_prints(
    field: str, row: str, form: str
) -> None:
    table = {column.title: column for column in columns(read_run(RESULTS / "study"), "builtin", 50)}
    text = of("docs/measurements/study.md").replace("**", "")
    titles = ["latentpress q50", "JPEG, same bytes", "WebP, same bytes", "WebP q80", "JPEG q100"]
    assert f"| {' | '.join(titles)} |" in text
    told = [format(value, form) for value in means([table[title] for title in titles], field)]
    cells = [cell.removeprefix("0") if field in ("lpips", "ssim") else cell for cell in told]
    assert f"| {row} | {' | '.join(cells)} |" in text


def test_as_many_mixed_pages_are_near_avif_as_told() -> None:
    ratios = {
        name: [float(row["ratio"]) for row in rows("screens.csv") if row["set"] == name]
        for name in ("mixed", "mixed at effort 4")
    }
    near = sum(ratio > 0.9 for ratio in ratios["mixed"])
    told = f"at the default {near} of the {len(ratios['mixed'])} are above .90 singly, at effort 4"
    assert f"{told} none is" in of("docs/measurements/screens.md")
    assert max(ratios["mixed at effort 4"]) <= 0.9


def test_the_first_band_is_as_high_as_told() -> None:
    first = [models.streaming_graph("lp1", f"{name}.onnx").first for name in TRANSFORMS]
    text = of("docs/how-it-works/streaming.md")
    assert f"({first[0]} latent rows for the analysis of lp1, {first[1]} for its synthesis)" in text
    assert f"fewer than {first[0]} latent rows" in text
    assert f"{models.manifest('lp1')['halo']} latent columns of halo" in text


def test_the_shares_of_the_arithmetic_are_as_told() -> None:
    text = of("docs/how-it-works/runtimes.md")
    by_tiles = [
        share(
            name,
            {
                conv
                for conv, node, shape, _ in convolutions(name)
                if shape[2:] == (3, 3) and node.attributes["strides"] == [1, 1]
            },
        )
        for name in TRANSFORMS
    ]
    assert f"{by_tiles[0]} % of the analysis' arithmetic and {by_tiles[1]} % of the" in text
    quantized = set(models.ranges("lp1"))
    in_int8 = {
        share(name, {conv for conv, *_ in convolutions(name)} & quantized) for name in TRANSFORMS
    }
    assert len(in_int8) == 1
    assert f"which are {in_int8.pop()} % of the arithmetic of either transform" in text


def test_the_largest_weight_of_the_prior_is_as_told() -> None:
    most = max(
        int(np.abs(a.astype(np.int64)).max())
        for name in ("features", "context")
        for a in read_graph((SHIPPED / f"{name}.onnx").read_bytes()).constants.values()
        if a.dtype == np.int16
    )
    assert f"Weights reach {most:,}," in of("docs/formats/ltp.md")
    bits = most.bit_length() + 1  # and the sign
    assert f"their weights have up to {bits} bits" in of("docs/how-it-works/runtimes.md")


def test_the_quarter_map_is_as_large_as_told() -> None:
    with np.load(SHIPPED / "quarter.npz") as arrays:
        numbers = sum(a.size for name, a in arrays.items() if name != "model_hash")
    size = (SHIPPED / "quarter.npz").stat().st_size
    text = of("docs/guide/desktop.md")
    assert f"The map has {numbers:,} numbers and takes {size / 1e3:.0f} kB" in text


def test_a_quarter_takes_about_half_of_the_time() -> None:
    table = rows("thumbnails.csv")
    shares = [float(row["quarter_seconds"]) / float(row["whole_seconds"]) for row in table]
    assert all(0.4 < value < 0.6 for value in shares)
    assert "in about half of the time" in of("docs/guide/pillow.md")


def test_targets_are_met_as_nearly_as_told() -> None:
    shares = [float(row["share"]) for row in rows("targets.csv")]
    assert min(shares) >= 0.99
    assert sum(value >= 0.9989 for value in shares) >= len(shares) / 2
    assert f"in all of {len(shares)} searches" in of("docs/guide/targets.md")
    assert "within 0.11 % in half of them" in of("docs/guide/targets.md")


def test_the_engine_of_the_browser_is_as_large_as_told() -> None:
    size = (ROOT / "web" / "src" / "engine.wasm").stat().st_size
    assert f"WebAssembly file of {size / 1e3:.0f} kB" in of("web/README.md")


def test_what_a_visitor_loads_is_as_large_as_told() -> None:
    sizes = {path: len(data) for path, data in assets.site(packed=True).items()}
    encoder = tuple(assets.MODELS + name for name in assets.ENCODER)
    opening = sum(size for path, size in sizes.items() if not path.startswith(encoder))
    assert f"some {opening / 1e6:.0f} MB" in of("docs/guide/web-sites.md")


NAMED = re.compile(r"`((?:[\w-]+/)*[\w-]+\.py)`\s+\(((?:[^()]|\(\))*)\)")


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "how-it-works").glob("*.md")), ids=lambda page: page.stem
)
def test_a_module_has_the_names_that_a_page_gives_of_it(page: Path) -> None:
    for module, names in NAMED.findall(page.read_text(encoding="utf-8")):
        roots = (ROOT, ROOT / "src" / "latentpress", ROOT / "src" / "latentpress" / "entropy")
        code = next(
            (root / module).read_text(encoding="utf-8")
            for root in roots
            if (root / module).exists()
        )
        for name in re.findall(r"`([\w.]+)", names):
            last = name.rpartition(".")[2]
            defined = rf"^ *(?:def|class) {last}\b|^ *{last}\b[^=\n]*="
            assert re.search(defined, code, re.M), f"{module} has no {name}"


def test_the_ranges_of_metrics_are_those_that_the_command_lists() -> None:
    text = of("docs/measurements/metrics.md")
    for key, metric in METRICS.items():
        low, high = (f"{end:g}".replace("inf", "∞") for end in metric.range)
        assert re.search(rf"\| `{key}` \|[^|]*\| {low} to {high} \| {metric.direction} \|", text)


def curve(codec: str, metric: str) -> NDArray[np.float64]:
    """Of a codec on Kodak: qualities, means of a metric, means of bits a pixel; (3, settings)."""
    pictures: dict[float, list[tuple[float, float]]] = {}
    for row in rows("benchmark/rows.csv"):
        if row["codec"] == codec:
            value = (float(row[metric]), float(row["bpp"]))
            pictures.setdefault(float(row["setting"][1:]), []).append(value)
    return np.array([[quality, *np.mean(pictures[quality], 0)] for quality in sorted(pictures)]).T


@pytest.mark.parametrize("quality", [32, 53, 74, 90])
def test_the_quality_beside_one_of_jpeg_is_as_told(quality: int) -> None:
    cells = []
    for metric, sign in (("ssimulacra2", 1), ("lpips", -1)):
        jpeg, (scale, values, rates) = curve("jpeg", metric), curve("builtin", metric)
        [_, wanted, bpp] = jpeg[:, jpeg[0] == quality].ravel()
        cells = cells or [f"{quality}", f"{bpp:.2f}"]
        if sign * wanted > sign * values[-1]:
            cells += ["beyond 100", "-"]
            continue
        at, rate = (np.interp(sign * wanted, sign * values, axis) for axis in (scale, rates))
        cells += [f"{at:.0f}", f"{100 * rate / bpp:.0f} %"]
    assert f"| {' | '.join(cells)} |" in of("docs/guide/compress.md")
