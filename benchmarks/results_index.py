"""results/README.md, the index of all measurements, from their sidecars.

    python -m benchmarks.results_index [--measured RUN]

Also brings `quoted` of every sidecar up to date: the documents that name the file. With --measured
results/RUN the commit and the date of a run of `latentpress bench` are set to today's before.
tests/docs/test_results.py fails where any of it is out of date.
"""

import argparse
import json
from pathlib import Path

from benchmarks import provenance
from benchmarks.provenance import RESULTS, ROOT
from benchmarks.sources import documents, mentions

INDEX = RESULTS / "README.md"
HEAD = """# Results

<!-- Made by `python -m benchmarks.results_index`; do not edit. -->

Every file or folder `NAME` has a sidecar `NAME.json` beside it: what it is, the command that made
it, the commit of the code, the models, the machine, the date, and the documents that quote it. A
plus after a commit stands for changes on top of it. A folder with a `run.json` is a run of
`latentpress bench`, whose `run.json` tells command, models and machine. In commands `kodak/` is the
folder of Kodak's pictures and `weights/` that of the tiny autoencoders; how to measure again is
told in [docs/measurements](../docs/measurements/index.md).

| file | what it is | command | made | quoted in |
|---|---|---|---|---|
"""


def entries() -> list[Path]:
    """What results/ holds beside sidecars and the index."""
    return sorted(
        p
        for p in RESULTS.iterdir()
        if p != INDEX and p.suffix != ".json" and not p.name.startswith(".")
    )


def quoted(entry: Path) -> list[str]:
    """The documents that name a file or folder, from the root of the checkout."""
    name = f"results/{entry.name}"
    return [
        page.relative_to(ROOT).as_posix()
        for page in documents()
        if name in mentions(page.read_text(encoding="utf-8"))
    ]


def row(entry: Path) -> str:
    """Its row of the index."""
    told = provenance.read(entry)
    made = [
        told["date"],
        f"commit {told['commit']}",
        *(f"{space} {model}" for space, model in told["model"].items()),
    ]
    made.append(told["machine"]["cpu"])
    commands = "<br>".join(f"`{command}`" for command in told["command"].split(" && "))
    pages = [f"[{Path(page).stem}](../{page})" for page in quoted(entry)]
    name = f"[{entry.name}{'/' if entry.is_dir() else ''}]({entry.name})"
    return f"| {name} | {told['what']} | {commands} | {', '.join(made)} | {', '.join(pages)} |"


def index() -> str:
    """The text of results/README.md."""
    return HEAD + "".join(f"{row(entry)}\n" for entry in entries())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measured", type=Path, metavar="RUN")
    options = parser.parse_args()
    if options.measured:
        provenance.record_run(options.measured.resolve())
    for entry in entries():
        sidecar = provenance.sidecar_of(entry)
        told = json.loads(sidecar.read_text(encoding="utf-8"))
        if told.get("quoted") != quoted(entry):
            provenance.write(sidecar, told | {"quoted": quoted(entry)})
    INDEX.write_text(index(), encoding="utf-8", newline="\n")
    print(f"{INDEX}: {len(entries())} rows")


if __name__ == "__main__":
    main()
