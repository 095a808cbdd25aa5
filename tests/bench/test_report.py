"""`latentpress report`: what the page, the workbook and the Markdown say is what the run's rows
say.
"""

import base64
import io
import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from helpers.bench_runs import LADDERS, make_run
from helpers.commands import fails, run
from latentpress.bench.bd_rate import bd_rate
from latentpress.bench.report import text_tables, write_report
from latentpress.bench.report.derived import Story
from latentpress.bench.report.number_format import share_range
from latentpress.bench.rows import read_run
from latentpress.errors import OutputError, UsageError
from latentpress.metrics.display import spoken


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo: NDArray[np.uint8]) -> Any:
    return make_run(tmp_path_factory.mktemp("run"), photo)


@pytest.fixture(scope="module")
def story(folder: Any) -> Any:
    return Story(read_run(folder))


@pytest.fixture(scope="module")
def page(folder: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("jinja2", reason="the page needs jinja2")
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(read_run(folder), path, images=2)
    return path.read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Every start tag with its attributes, and which tags are left open."""

    VOID = frozenset({"meta", "img", "input", "br", "link"})

    def __init__(self, text: Any) -> None:
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag: Any, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: Any, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: Any) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else(page: Any) -> None:
    tags = Tags(page)
    assert not tags.open
    sources = [a[key] for _, a in tags.tags for key in ("src", "href", "srcset") if key in a]
    assert sources
    assert all(s.startswith(("data:image/webp;base64,", "#")) for s in sources)
    assert "url(" not in page
    assert "@import" not in page
    anchors = {a["id"] for _, a in tags.tags if "id" in a}
    assert {s[1:] for s in sources if s.startswith("#")} <= anchors


def test_every_picture_of_the_page_has_words(page: Any) -> None:
    images = [a for tag, a in Tags(page).tags if tag == "img"]
    assert images
    assert all(a["alt"] for a in images)


def test_every_control_has_a_name(page: Any) -> None:
    tags = Tags(page).tags
    assert sum(tag == "select" for tag, _ in tags) == 6  # three a picture
    assert all(a.get("aria-label") for tag, a in tags if tag == "input" and a["type"] == "range")
    assert all(a.get("aria-label") for tag, a in tags if tag == "svg" and "aria-hidden" not in a)


def test_frames_that_scroll_sideways_are_reached_by_the_keyboard(page: Any) -> None:
    frames = [a for _, a in Tags(page).tags if a.get("class") in ("wide", "crops")]
    assert len(frames) > 5
    assert all(a.get("tabindex") == "0" and a.get("aria-label") for a in frames)


def luminance(color: str) -> float:
    """As WCAG defines it, of "#rrggbb" or "#rgb"."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    channels = np.frombuffer(bytes.fromhex(digits), np.uint8) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_text_stands_out_from_its_ground(page: Any) -> None:
    style = page[: page.index("</style>")]
    for scheme in re.findall(r":root\{([^}]+)\}", style)[:2]:
        colors = dict(re.findall(r"--(\w+):(#\w+)", scheme))
        for ground in ("ground", "raised"):
            below = luminance(colors[ground])
            for name in ("text", "dim", "link", "accent"):
                low, high = sorted((below, luminance(colors[name])))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (name, ground)


def test_text_from_outside_is_escaped(page: Any) -> None:
    assert "a &lt;test&gt; CPU" in page
    assert "<test>" not in page


def test_the_original_in_the_page_is_the_original(page: Any, folder: Any) -> None:
    source = next(a["src"] for tag, a in Tags(page).tags if tag == "img" and a["alt"] == "original")
    shown = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).convert("RGB"), np.float64
    )
    original = np.asarray(Image.open(folder / "left.png"), np.float64)
    assert shown.shape == original.shape
    assert np.abs(shown - original).mean() < 4


def test_gallery_matches_bytes(story: Any) -> None:
    from latentpress.bench.report.gallery import matched

    found = list(matched(story, "left"))
    assert len(found) == 2
    for ours, others in found:
        assert ours["codec"] == "builtin"
        assert [r["codec"] for r in others] == ["jpeg", "webp"]
        for row in others:
            apart = [
                abs(r["bytes"] - ours["bytes"])
                for r in story.run.rows
                if r["codec"] == row["codec"] and r["image"] == "left"
            ]
            assert abs(row["bytes"] - ours["bytes"]) == min(apart)


def test_crops_lie_where_codecs_differ() -> None:
    from latentpress.bench.report.crops import most_different

    a = np.full((120, 200, 3), 90, np.uint8)
    b, c = a.copy(), a.copy()
    b[10:30, 150:170] = 250
    c[80:90, 20:30] = 120
    first, second = most_different([a, b, c], 2, side=40)
    assert first[0] <= 150
    assert first[0] + 40 >= 170
    assert first[1] <= 10
    assert first[1] + 40 >= 30
    assert second[0] <= 20
    assert second[0] + 40 >= 30
    assert second[1] <= 80
    assert second[1] + 40 >= 90
    assert most_different([a[:30, :30], b[:30, :30]], 2, side=40) == [(0, 0, 30, 30)]


def test_comparisons_are_those_of_the_means(story: Any) -> None:
    points = {
        c: [(r["bpp"], r["psnr"]) for r in story.means if r["codec"] == c]
        for c in ("builtin", "jpeg")
    }
    expected = bd_rate(points["builtin"], points["jpeg"])
    assert story.compare("builtin", "jpeg", "psnr").result == expected
    assert expected is not None
    low, high = min(p for _, p in points["builtin"]), max(p for _, p in points["builtin"])
    assert story.reach(story.compare("builtin", "jpeg", "psnr")) == pytest.approx(
        (expected.high - expected.low) / (high - low)
    )


def test_levels_are_bytes_of_real_settings(story: Any) -> None:
    for level in story.levels:
        row = next(
            r for r in story.means if r["codec"] == "builtin" and r["setting"] == level.setting
        )
        assert level.value == row[level.metric]
        assert level.bytes["builtin"] == row["bytes"]
    assert {level.metric for level in story.levels} == {"psnr", "ssim"}


def test_a_metric_in_other_units_is_left_out_only_beside_the_one_it_repeats(
    story: Any, tmp_path: Path
) -> None:
    assert story.told == ["psnr", "ssim"]
    alone = replace(story.run, info=story.run.info | {"metrics": ["mse"]})
    text = write_report(alone, tmp_path / "a.md")[0].read_text(encoding="utf-8")
    assert "| against | by MSE |" in text
    assert "| MSE, levels² | latentpress | JPEG | WebP |" in text


def test_one_perceptual_metric_and_psnr_are_put_into_words() -> None:
    assert spoken(["psnr", "ms-ssim", "dists"]) == ["dists", "psnr"]
    assert spoken(["mse", "lpips"]) == ["lpips"]
    assert spoken(["ssim"]) == []


def test_files_that_are_not_here_are_no_real_files(story: Any) -> None:
    count = len(story.run.rows)
    assert f"2 images, {count} real files, none" in text_tables.subtitle(story)
    codecs = [c | {"kind": "pictures"} if c["name"] == "webp" else c for c in story.codecs.values()]
    told = Story(replace(story.run, info=story.run.info | {"codecs": codecs}))
    assert f"{count - 8} real files and 8 whose bytes were listed" in text_tables.subtitle(told)


def test_speeds_are_means_over_images_and_settings(folder: Any) -> None:
    made = read_run(folder)
    for row in made.rows:
        row["encode_s"] = float(row["setting"].removeprefix("q")) if row["codec"] == "jpeg" else 1.0
    told = Story(made)
    speed = next(row for row in told.speeds if row["codec"] == "jpeg")
    assert speed["encode_s"] == pytest.approx(sum(LADDERS["jpeg"]) / len(LADDERS["jpeg"]))
    assert "the mean over all settings of a codec" in text_tables.machine(told)


def test_the_page_states_both_sides(story: Any) -> None:
    from latentpress.bench.report.text_tables import headline

    text = " ".join(headline(story))
    result = story.compare("builtin", "jpeg", "psnr").result
    assert "At equal PSNR, latentpress needs" in text
    assert f"{abs(result.percent):.0f} % {'fewer' if result.percent < 0 else 'more'}" in text


def test_workbook_holds_the_rows(folder: Any, story: Any, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    [path] = write_report(read_run(folder), tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames[:3] == ["PSNR", "SSIM", "MSE"]
    assert {
        "means",
        "BD-rates",
        "speeds",
        "rows",
        "bytes at equal quality",
        "how it was made",
    } <= set(book.sheetnames)
    rows = list(book["rows"].values)
    assert len(rows) - 1 == len(story.run.rows) == 2 * sum(map(len, LADDERS.values()))
    at = rows[0].index("psnr")
    for cells, row in zip(rows[1:], story.run.rows, strict=True):
        assert cells[at] == (
            pytest.approx(row["psnr"], rel=1e-12) if math.isfinite(row["psnr"]) else "inf"
        )
    sheet = list(book["SSIM"].values)
    assert [line[0] for line in sheet] == ["SSIM", "setting", "left", "right", "mean", "mean bpp"]
    for column in range(1, len(sheet[0])):
        assert sheet[4][column] == pytest.approx((sheet[2][column] + sheet[3][column]) / 2)
    assert len(list(book["BD-rates"].values)) - 1 == 3 * 2 * len(story.metrics)


def test_markdown_and_its_curves(folder: Any, story: Any, tmp_path: Path) -> None:
    written = write_report(read_run(folder), tmp_path / "benchmark.md")
    text = written[0].read_text(encoding="utf-8")
    assert [p.name for p in written[1:]] == [
        "benchmark-psnr.svg",
        "benchmark-ssim.svg",
        "benchmark-mse.svg",
    ]
    for path in written[1:]:
        assert f"({path.name})" in text
        root = ElementTree.parse(path).getroot()
        # a page lays it out at this size
        assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
        assert "prefers-color-scheme:dark" in path.read_text(encoding="utf-8")
        curves = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("data-codec")]
        assert [g.get("data-codec") for g in curves][
            -1
        ] == "builtin"  # what is drawn last lies on top
        assert sum(len(list(g.iter("{http://www.w3.org/2000/svg}title"))) for g in curves) == sum(
            len(LADDERS[c]) for c in story.lossy
        )
    for row in story.means:
        assert (
            f"| {story.label(row['codec'])} | {row['setting']} | {row['bytes']:,.0f} | "
            f"{row['bpp']:.4f} |" in text
        )
    for line in text.splitlines():
        assert not line.startswith("|") or line.endswith("|")
    assert f"<!-- source: {folder.as_posix()}/rows.csv -->\n| codec | setting | bytes |" in text


def test_names_are_no_markup(folder: Any, tmp_path: Path) -> None:
    original = read_run(folder)
    evil = "a|b <script>alert(1)</script> `c` *d* [e](javascript:1)\n--> f"
    first = original.images[0]
    renamed = {name: evil if name == first else name for name in original.images}
    images = [{**image, "name": renamed[image["name"]]} for image in original.info["images"]]
    rows = [{**row, "image": renamed[row["image"]], "screen_share": 0.5} for row in original.rows]
    about = {"command": f"latentpress bench '{evil}'", "images": images, "dataset": evil}
    told = replace(original, info={**original.info, **about}, rows=rows)
    text = write_report(told, tmp_path / "a.md", images=0)[0].read_text(encoding="utf-8")
    escaped = r"&lt;script>alert(1)&lt;/script> \`c\`"
    assert escaped + r" \*d\* \[e\](javascript:1) --> f" in text.splitlines()[0]
    assert rf"| a\|b {escaped} *d* \[e\](javascript:1) --> f |" in text
    assert "- command: `` latentpress bench 'a|b <script>" in text
    within = re.sub(r"<!--.*?-->|`` .* ``", "", text)  # where nothing is markup
    assert "<script" not in within
    assert "--> f" in within
    assert "-->" not in text.splitlines()[2][:-3]


def test_up_is_better_in_every_chart(story: Any) -> None:
    from latentpress.bench.report.page import draw

    for metric in story.metrics:
        [line] = re.findall(r'data-codec="builtin"><path d="M([^"]+)"', draw(story, metric))
        places = [tuple(map(float, point.split())) for point in line.split("L")]
        assert places == sorted(places)
        assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)


def test_a_logarithmic_chart_leaves_zero_out() -> None:
    from latentpress.bench.report.curves import Series, chart
    from latentpress.bench.report.style import looks

    look = looks([{"name": "a", "ours": True}])["a"]
    points = [(0.1, 4.0, "far"), (0.2, 0.0, "identical"), (0.3, 0.5, "near")]
    drawn = chart([Series("a", "A", look, True, points)], "MSE", log=True)
    assert "far" in drawn
    assert "near" in drawn
    assert "identical" not in drawn
    assert chart([Series("a", "A", look, True, points[1:2])], "MSE", log=True) == ""
    assert "identical" in chart([Series("a", "A", look, True, points)], "MSE")


@pytest.mark.parametrize(
    "info",
    ["[]", "{}", '{"images": [], "codecs": [1], "metrics": []}', '{"images": [], "codecs": []}'],
)
def test_a_run_json_of_something_else_is_one_sentence(
    folder: Any, tmp_path: Path, info: str
) -> None:
    (tmp_path / "rows.csv").write_bytes((folder / "rows.csv").read_bytes())
    (tmp_path / "run.json").write_text(info)
    with pytest.raises(UsageError, match="holds no run that can be read"):
        read_run(tmp_path)
    described = json.loads((folder / "run.json").read_text())
    described["codecs"].pop()
    (tmp_path / "run.json").write_text(json.dumps(described))
    with pytest.raises(UsageError, match="does not tell of"):
        read_run(tmp_path)


@pytest.mark.parametrize("change", [lambda row: row + ",7", lambda row: row.rpartition(",")[0]])
def test_a_row_of_another_length_is_one_sentence(folder: Any, tmp_path: Path, change: Any) -> None:
    lines = (folder / "rows.csv").read_text().splitlines()
    lines[2] = change(lines[2])
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "run.json").write_bytes((folder / "run.json").read_bytes())
    with pytest.raises(UsageError, match="a row with more or fewer cells than its head"):
        read_run(tmp_path)


def test_no_two_codecs_look_alike() -> None:
    from latentpress.bench.report.style import css_class, looks

    codecs = [{"name": f"c{i}", "ours": i < 4} for i in range(16)]
    found = looks(codecs)
    assert len({(v.color, v.dash, v.marker) for v in found.values()}) == 16
    assert len({(found[f"c{i}"].color, found[f"c{i}"].marker) for i in range(4, 16)}) == 12
    assert min(found[f"c{i}"].width for i in range(4)) > max(
        found[f"c{i}"].width for i in range(4, 16)
    )
    assert re.fullmatch(r"[A-Za-z0-9_-]+", css_class("my codec <x>"))
    assert css_class("a b") != css_class("a_b")


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.05, 2], "0.05 0.1 0.2 0.5 1 2"),
        ([1e-5, 1e5], "1e-05 0.0001 0.001 0.01 0.1 1 10 100 1000 10000 100000"),
        ([0.55, 0.95], "0.6 0.7 0.8 0.9"),
        ([0.31, 0.33], "0.310 0.315 0.320 0.325 0.330"),
        ([0.5, 0.5], "0.5 1"),
    ],
)
def test_log_ticks(values: Any, ticks: Any) -> None:
    from latentpress.bench.report.axes import log_axis

    axis = log_axis(values)
    assert [text for _, text in axis.ticks] == ticks.split()
    assert all(0 <= axis.at(value) <= 1 for value in (*values, *(t for t, _ in axis.ticks)))


@pytest.mark.parametrize("values", [[0.8, 0.99], [-60, 90], [22.3, 22.9], [5, 5], [0.001, 0.0013]])
def test_linear_ticks(values: Any) -> None:
    from latentpress.bench.report.axes import linear_axis

    axis = linear_axis(values, flipped=True)
    assert 3 <= len(axis.ticks) <= 9
    for value, text in axis.ticks:
        assert float(text.replace("−", "-")) == pytest.approx(value, abs=1e-9)
    assert 0 <= axis.at(max(values)) <= axis.at(min(values)) <= 1


def test_an_unfinished_run_says_so(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("openpyxl")
    story = Story(read_run(make_run(tmp_path, photo, skip=("jpeg", "q25"))))
    assert ("jpeg", "q25") not in [(r["codec"], r["setting"]) for r in story.means]
    [path] = write_report(story.run, tmp_path / "a.html", images=0)
    text = path.read_text(encoding="utf-8")
    assert "The run is not finished; left out: jpeg q25 (1 of 2)." in text
    assert 'id="gallery"' not in text
    assert write_report(story.run, tmp_path / "b.xlsx") == [tmp_path / "b.xlsx"]


def only(folder: Any, codecs: set[str]) -> Any:
    """The run of a folder with the rows of these codecs alone, as where the next one failed."""
    made = read_run(folder)
    return replace(made, rows=[row for row in made.rows if row["codec"] in codecs])


def test_a_codec_that_has_no_file_yet_is_told(folder: Any) -> None:
    story = Story(only(folder, {"builtin", "jpeg"}))
    assert text_tables.notices(story) == [
        "The run is not finished; left out: webp (0 of 2), png (0 of 2)."
    ]
    assert text_tables.heading(story) == "latentpress beside 1 other codec on pictures"
    assert text_tables.heading(Story(only(folder, {"jpeg"}))) == "1 codec on pictures"


def test_the_gallery_leaves_out_what_our_codec_has_not_come_to(folder: Any, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    made = read_run(folder)
    rows = [row for row in made.rows if (row["codec"], row["image"]) != ("builtin", "right")]
    [path] = write_report(replace(made, rows=rows), tmp_path / "r.html", images=2)
    text = path.read_text(encoding="utf-8")
    assert "1 of 2 images, at the settings" in text
    assert "would make the page too large" not in text


def test_means_that_no_curve_holds_are_told(folder: Any) -> None:
    made = read_run(folder)
    for row in made.rows:
        if (row["codec"], row["image"]) == ("builtin", "left") and row["setting"] != "q5":
            row["psnr"] = math.inf
    story = Story(made)
    assert all(math.isfinite(level.value) for level in story.levels)
    [told] = text_tables.notices(story)
    assert told.startswith("latentpress gave an image back exactly at q30, q60, q95: the mean PSNR")
    assert text_tables.notices(Story(read_run(folder))) == []


@pytest.mark.parametrize("suffix", [".html", ".md", ".xlsx"])
def test_a_run_of_lossless_codecs_alone_is_shown(folder: Any, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip({".html": "jinja2", ".xlsx": "openpyxl"}.get(suffix, "json"))
    made = only(folder, {"png"})
    info = made.info | {"codecs": [c for c in made.info["codecs"] if c["name"] == "png"]}
    [path, *_] = write_report(replace(made, info=info), tmp_path / f"r{suffix}")
    assert suffix == ".xlsx" or "Lossless, so not drawn: PNG" in path.read_text(encoding="utf-8")


def test_refusals(folder: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.html, \.xlsx or \.md"):
        write_report(read_run(folder), tmp_path / "a.pdf")
    (tmp_path / "a.html").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        write_report(read_run(folder), tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text() == "mine"


def test_screen_layers_are_told(
    folder: Any, tmp_path: Path, photo: NDArray[np.uint8], story: Any
) -> None:
    pytest.importorskip("jinja2", reason="the page needs jinja2")
    assert not text_tables.layers(story)["rows"]
    page = np.full((256, 192, 3), 255, np.uint8)
    page[96:] = photo[100:260, 100:292]
    page[8:88:12, 8:180] = page[9:88:12, 8:180] = 20  # ruled lines
    made = read_run(make_run(tmp_path / "run", photo, page=page))
    shares = [
        r["screen_share"] for r in made.rows if (r["codec"], r["image"]) == ("builtin", "page")
    ]
    assert len(set(shares)) == 1
    assert 0.3 <= shares[0] < 1
    told = text_tables.layers(Story(made))
    assert told["columns"] == ["image", "latentpress"]
    assert told["rows"] == [["page", f"{100 * shares[0]:.1f}".removesuffix(".0") + " %"]]
    assert "1 of 3 images has a screen layer" in told["note"]
    for suffix in (".md", ".html"):
        write_report(made, tmp_path / f"r{suffix}", images=3)
        text = (tmp_path / f"r{suffix}").read_text(encoding="utf-8")
        assert told["note"] in text
        assert told["rows"][0][1] in text
    assert f"{told['rows'][0][1]} of it a screen layer: " in text


def test_the_page_shows_no_latent_where_there_is_none(
    tmp_path: Path, photo: NDArray[np.uint8]
) -> None:
    from latentpress.bench.report.gallery import gallery

    page = np.full((64, 96, 3), (10, 20, 30), np.uint8)
    items = gallery(Story(read_run(make_run(tmp_path / "run", photo, page=page))), 3)
    assert [len(item.latents) for item in items] == [1, 1, 0]


def test_shares_are_told_from_the_least_to_the_greatest() -> None:
    assert share_range([]) == "–"
    assert share_range([0.5, 0.5]) == "50 %"
    assert share_range([1, 0.12345]) == "12.3 to 100 %"


def test_the_command(folder: Any, tmp_path: Path) -> None:
    done = run("report", folder, "-o", tmp_path / "r.md")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "r.md") in done.stdout
    assert (tmp_path / "r-psnr.svg").exists()
    assert "holds no run" in fails(2, "report", tmp_path)


def test_the_page_stays_within_its_budget(story: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from latentpress.bench.report import gallery
    from latentpress.bench.report.text_tables import gallery_note

    monkeypatch.setattr(gallery, "BUDGET", 1000)
    items = gallery.gallery(story, 2)
    assert len(items) == 1
    assert "More than 1 would make the page too large" in gallery_note(story, len(items), 2)


def test_large_pictures_are_reduced_by_a_whole_factor() -> None:
    from latentpress.bench.report.embed import DISPLAY, reduction, shown

    assert reduction(*DISPLAY) == 1
    assert reduction(DISPLAY[0] + 1, 10) == 2
    assert shown(np.zeros((3 * DISPLAY[1], 100, 3), np.uint8)).size == (34, DISPLAY[1])


def test_help_of_the_command_is_light() -> None:
    probe = (
        "import sys; sys.argv = ['latentpress', 'report', '--help']\n"
        "from latentpress.__main__ import main\ntry: main()\n"
        "except SystemExit: pass\n"
        "large = ('numpy', 'jinja2', 'openpyxl', 'onnxruntime', 'torch')\n"
        "print([m for m in large if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
