"""Put a run into the notebook:  python -m training.lp1.record RUN NAME --note "what it asks"

RUN is a run's output folder, NAME a title such as wider-synthesis. Writes the log and the curves,
results/training/NAME.jsonl and NAME.svg, and drafts docs/notebook/DATE-NAME.md (what, where, how
fast, the table, the variants) with an open verdict and its row in the notebook's list. Recording a
run again on the same day replaces its draft. Needs matplotlib.
"""

import argparse
import datetime
import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from training.lp1.keeper import LOG
from training.lp1.run import TABLE
from training.lp1.variant import Variant, as_table

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results/training"
NOTEBOOK = ROOT / "docs/notebook"
INDEX = "index.md"
LIST_HEAD = "| entry | verdict |\n|---|---|\n"
TITLE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run's log."""
    return [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]


def of_kind(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The rows of one kind, in order."""
    return [row for row in rows if row["kind"] == kind]


def differences(variant: dict[str, Any], default: dict[str, Any], prefix: str = "") -> list[str]:
    """What a variant does differently from the default, as lines of TOML."""
    lines = []
    for name, value in variant.items():
        if isinstance(value, dict):
            lines += differences(value, default[name], f"{prefix}{name}.")
        elif json.dumps(value) != json.dumps(default[name]):
            lines.append(f"{prefix}{name} = {json.dumps(value)}")
    return lines


def last_speed(rows: list[dict[str, Any]], variant: str) -> dict[str, float]:
    """The last row of training of a variant; zeros where there is none."""
    mine = [row for row in of_kind(rows, "train") if row["variant"] == variant]
    return mine[-1] if mine else {"mpx": 0.0, "tera": 0.0}


def entry(rows: list[dict[str, Any]], table: str, name: str, note: str, commit: str) -> str:
    """A draft of the run's notebook entry, Markdown after the notebook's template."""
    command = of_kind(rows, "command")[0]
    device = of_kind(rows, "device")[0]
    data = of_kind(rows, "data")[0]
    default = json.loads(json.dumps(as_table(Variant())))
    arguments = " ".join(command["arguments"])
    lines = [f"# {heading(name)}", "", f"**Question**: {note}", ""]
    lines += [
        f"**Command**: `python -m training.lp1.train {arguments}`; log",
        f"`results/training/{name}.jsonl`, curves `results/training/{name}.svg`.",
        "",
        f"**Model and data**: commit {commit}. {device['name']}, matrix product "
        f"{device['tera']:.0f} TFLOP/s, torch {command['torch']}. {data['pictures']} pictures, "
        f"{data['megapixels']} Mpx, {data['held_out']} held out.",
        "",
        "**Verdict**: open. To be written.",
        "",
        "## Table",
        "",
        table.rstrip(),
        "",
        "## Variants",
        "",
    ]
    left_out = {row["variant"]: row["told"] for row in of_kind(rows, "failure")}
    for variant, values in command["variants"].items():
        if variant in left_out:
            lines += [f"{variant}: left out: {left_out[variant]}", ""]
            continue
        speed = last_speed(rows, variant)
        lines.append(f"{variant}: {speed['mpx']:.1f} Mpx/s, {speed['tera']:.1f} TFLOP/s.")
        lines += [
            "",
            *(f"    {line}" for line in differences(values, default) or ["(default)"]),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def heading(name: str) -> str:
    """A title as a heading: wider-synthesis is Wider synthesis."""
    words = name.replace("-", " ")
    return words[0].upper() + words[1:]


def list_entry(index: Path, stem: str, name: str) -> None:
    """Put an entry's row at the top of the notebook's list, in place of an earlier one."""
    text = index.read_text(encoding="utf-8")
    if LIST_HEAD not in text:
        raise ValueError(f"{index} has no list of entries.")
    row = f"| {stem[:10]} [{heading(name)}]({stem}.md) | open: to be written |\n"
    rest = [line for line in text.splitlines(keepends=True) if f"({stem}.md)" not in line]
    index.write_text("".join(rest).replace(LIST_HEAD, LIST_HEAD + row, 1), encoding="utf-8")


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """The curves of a run: the loss and its parts over time, and the last points."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(14, 4.2))
    left_out = {row["variant"] for row in of_kind(rows, "failure")}
    for name in of_kind(rows, "command")[0]["variants"]:
        if name in left_out:
            continue
        train = [row for row in of_kind(rows, "train") if row["variant"] == name]
        minutes = [row["used"] / 60 for row in train]
        axes[0].plot(minutes, [row["loss"] for row in train], label=name)
        psnr = [-10 * math.log10(max(row["mse"], 1e-9)) for row in train]
        axes[1].plot(minutes, psnr, label=name)
        panel = [row for row in of_kind(rows, "panel") if row["variant"] == name]
        points = panel[-1]["rows"]
        bpp = [point["bpp"] for point in points]
        axes[2].plot(bpp, [point["psnr"] for point in points], "o-", label=name)
    titles = ("loss", "PSNR of the crops, dB", "held-out pictures: PSNR, dB")
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title)
        axis.set_xlabel("minutes")
        axis.grid(alpha=0.3)
    axes[2].set_xlabel("bits a pixel")
    axes[2].set_xscale("log")
    axes[2].legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def record(
    run: Path,
    name: str,
    note: str,
    commit: str,
    date: str,
    results: Path = RESULTS,
    notebook: Path = NOTEBOOK,
) -> Path:
    """Write a run's log and curves, the draft of its entry and the row of the notebook's list.

    Raises:
        SystemExit: The run has no table.
    """
    if not (run / TABLE).exists():
        raise SystemExit(f"{run} has no {TABLE}: that run did not come to its end")
    rows = read_log(run)
    results.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / LOG, results / f"{name}.jsonl")
    draw(rows, results / f"{name}.svg")
    page = notebook / f"{date}-{name}.md"
    page.write_text(
        entry(rows, (run / TABLE).read_text(encoding="utf-8"), name, note, commit), encoding="utf-8"
    )
    list_entry(notebook / INDEX, page.stem, name)
    return page


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("name", help="the entry's title: small letters, digits and hyphens")
    parser.add_argument("--note", required=True, help="what the run asks")
    parser.add_argument("--commit", help="of the code that ran; default: today's")
    args = parser.parse_args()
    if not TITLE.fullmatch(args.name):
        parser.error(f"{args.name!r} is no title of small letters, digits and hyphens.")
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    commit = args.commit or done.stdout.strip() or "unknown"
    today = datetime.date.today().isoformat()
    print(f"{record(args.run, args.name, args.note, commit, today)} wants its verdict.")


if __name__ == "__main__":
    main()
