"""The documents quote measurements that are there, say what made them, and belong to the models
that are shipped.
"""

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import provenance, results_index, sources
from benchmarks.provenance import FIELDS, RESULTS, ROOT
from benchmarks.tables import effort_table, scale_table, speed_table

PAGES = sources.documents()
NAMED = sorted(
    {(page, name) for page in PAGES for name in sources.sources(page.read_text(encoding="utf-8"))}
)
MEASURED = [
    page for page in PAGES if page.parent.name == "measurements" or page.name == "README.md"
]
TABLE = "| codec | bpp |\n|---|---|\n" + "| a | 0.123 |\n" * 6


def of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    ("page", "name"), NAMED, ids=[f"{of(page)}-{name}" for page, name in NAMED]
)
def test_a_source_is_there_and_made_with_the_shipped_models(page: Path, name: str) -> None:
    assert sources.complaint(name) == ""


@pytest.mark.parametrize("page", MEASURED, ids=of)
def test_a_table_of_figures_names_its_source(page: Path) -> None:
    assert sources.unmarked(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("entry", results_index.entries(), ids=lambda entry: entry.name)
def test_every_file_says_what_made_it(entry: Path) -> None:
    told = provenance.read(entry)
    assert all(told[field] for field in FIELDS if field not in ("model", "quoted"))
    assert told["quoted"] == results_index.quoted(entry), "run `python -m benchmarks.results_index`"


def test_no_sidecar_is_left_of_a_file_that_is_gone() -> None:
    assert {p.stem for p in RESULTS.glob("*.json")} == {p.stem for p in results_index.entries()}


def test_the_index_is_up_to_date() -> None:
    assert results_index.INDEX.read_text(encoding="utf-8") == results_index.index(), (
        "run `python -m benchmarks.results_index`"
    )


def test_a_new_model_is_timed_as_the_table_was() -> None:
    script = (ROOT / "benchmarks/new_model.sh").read_text(encoding="utf-8")
    [line] = [line for line in script.splitlines() if "benchmarks.tables.speed " in line]
    options = lambda command: {word for word in command.split() if word.startswith("--")}
    assert options(line) == options(provenance.read(RESULTS / "speed.csv")["command"])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one table of results that was made with the shipped model."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.csv").write_text("bytes\n1\n")
    told = dict.fromkeys(FIELDS, "x") | {"model": provenance.shipped("builtin")}
    provenance.write(tmp_path / "results" / "a.json", told)
    return tmp_path


def test_what_is_wrong_with_a_source(checkout: Path) -> None:
    complaint = lambda: sources.complaint("results/a.csv", checkout)
    sidecar = checkout / "results" / "a.json"
    told = json.loads(sidecar.read_text(encoding="utf-8"))
    assert complaint() == ""
    assert sources.complaint("results/b.csv", checkout) == "results/b.csv is missing"
    assert sources.complaint("README.md", checkout) == "README.md is missing"
    provenance.write(sidecar, told | {"model": {"lp1": "00000000"}})
    assert "results/a.csv: made with lp1 00000000, shipped is " in complaint()
    provenance.write(sidecar, told | {"model": {"sd15": "00000000"}})
    assert "made with sd15 00000000" in complaint()
    provenance.write(sidecar, {field: told[field] for field in FIELDS if field != "command"})
    assert complaint() == "results/a.csv has a sidecar without 'command'"
    sidecar.unlink()
    assert complaint() == "results/a.csv has no sidecar"


def test_a_run_tells_its_models_itself(tmp_path: Path) -> None:
    run = tmp_path / "results" / "kodak"
    run.mkdir(parents=True)
    (run / "rows.csv").write_text("codec\n")
    ours = [{"name": "builtin", "ours": True, "version": "latentpress 1, lp1 model 01234567"}]
    ours += [
        {
            "name": "sd15",
            "ours": True,
            "version": "latentpress 1, prior 89abcdef, restoration 00000000",
        }
    ]
    codecs = [*ours, {"name": "jpeg", "ours": False, "version": "libjpeg 9"}]
    (run / "run.json").write_text(
        json.dumps({"command": "latentpress bench", "codecs": codecs, "machine": {"cpu": "x"}})
    )
    provenance.write(
        tmp_path / "results" / "kodak.json", {"what": "x", "commit": "x", "date": "x", "quoted": []}
    )
    assert provenance.read(run / "rows.csv")["model"] == {"lp1": "01234567", "sd15": "89abcdef"}
    assert sources.complaint("results/kodak/rows.csv", tmp_path).count("shipped is") == 2


def test_tables_without_a_source_are_found() -> None:
    assert sources.unmarked(f"Text.\n\n{TABLE}") == ["| codec | bpp |"]
    assert sources.unmarked(f"<!-- source: results/a.csv -->\n\n{TABLE}") == ["| codec | bpp |"]
    assert sources.unmarked(f"<!-- source: results/a.csv -->\n{TABLE}") == []
    assert sources.unmarked("| option | default |\n|---|---|\n| a | 0.5 |\n") == []


def test_markers_name_one_file_or_several() -> None:
    text = (
        "<!-- source: results/a.csv -->\n| a |\n\n"
        "<!-- source: results/b.csv, results/run/rows.csv -->\n"
    )
    assert sources.sources(text) == ["results/a.csv", "results/b.csv", "results/run/rows.csv"]
    assert sources.mentions(f"{text} as in `results/c.md`.") == {
        "results/a.csv",
        "results/b.csv",
        "results/run",
        "results/c.md",
    }


def test_rows_of_another_model_are_not_gone_on_with(checkout: Path) -> None:
    file = checkout / "results" / "a.csv"
    provenance.refuse_other_models(file)
    provenance.refuse_other_models(checkout / "results" / "new.csv")
    told = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    provenance.write(file.with_suffix(".json"), told | {"model": {"lp1": "00000000"}})
    with pytest.raises(SystemExit, match="made with lp1 00000000"):
        provenance.refuse_other_models(file)
    file.with_suffix(".json").unlink()
    with pytest.raises(SystemExit, match=r"has no a\.json"):
        provenance.refuse_other_models(file)


def test_a_script_records_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    output = tmp_path / "rows.csv"
    monkeypatch.setattr(
        "sys.argv", ["script", str(tmp_path / "a.png"), "--efforts", "0", "--repeats", "0"]
    )
    provenance.record(output, "rows", ["builtin"])
    monkeypatch.setattr(
        "sys.argv",
        [
            "script",
            str(tmp_path / "a.png"),
            str(tmp_path / "b.png"),
            "-o",
            str(ROOT / "results" / "x.csv"),
        ],
    )
    provenance.record(output, "rows", ["sd15"], goes_on=True)
    told = provenance.read(output)
    assert told["model"] == provenance.shipped("builtin", "sd15")
    first, second = told["command"].split(" && ")
    assert first.endswith(f" {tmp_path.name}/a.png --efforts 0 --repeats 0")
    assert second.endswith(f" {tmp_path.name}/*.png -o results/x.csv")
    assert told["machine"]["cores"]


def test_a_table_is_put_below_its_marker(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n<!-- source: results/a.csv -->\n| old |\n|---|\n| 1 |\n\nText.\n")
    sources.fill(page, "results/a.csv", [["codec", "bpp"], ["jpeg", "0.5"]])
    assert (
        page.read_text(encoding="utf-8")
        == "# Page\n\n<!-- source: results/a.csv -->\n| codec | bpp |\n| --- | --- |\n"
        "| jpeg | 0.5 |\n\nText.\n"
    )
    with pytest.raises(SystemExit, match=r"has no line <!-- source: results/b\.csv -->"):
        sources.fill(page, "results/b.csv", [["codec"]])


TABLES = [speed_table.table, effort_table.table, *scale_table.TABLES]


@pytest.mark.parametrize(
    "made", TABLES, ids=["speed", "effort", "scale", "scale-memory", "scale-planned"]
)
def test_the_pages_hold_the_tables_that_their_files_give(
    made: Callable[[Path], list[list[str]]],
) -> None:
    name = made.__module__.rpartition(".")[2].removesuffix("_table")
    text = (ROOT / "docs" / "measurements" / f"{name}.md").read_text(encoding="utf-8")
    files = [ROOT / source for source in sources.sources(text)]
    assert files
    for file in files:
        lines = ["| " + " | ".join(row) + " |" for row in made(file)]
        assert all(line in text for line in lines), (
            f"run `python -m benchmarks.tables.{name}_table {file.relative_to(ROOT)}`"
        )


@pytest.mark.parametrize(
    "name",
    ["tables.speed_table", "tables.effort_table", "tables.scale_table", "figures.page_picture"],
)
def test_a_script_that_writes_into_the_documents_tells_its_options(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [name, "--help"])
    monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    assert f"python -m benchmarks.{name}" in capsys.readouterr().out
