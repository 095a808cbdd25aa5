"""Put a run into results/training:  python -m training.lp1.record RUN NAME --note "what it asks"

RUN is a run's output folder. Writes NAME.md (what, where, how fast, the table, the variants),
NAME.jsonl (the log) and NAME.svg (its curves), and adds a row to runs.md. Needs matplotlib.
"""

import argparse
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

from training.lp1.keeper import LOG
from training.lp1.run import TABLE
from training.lp1.variant import Variant, as_table

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results/training"
INDEX = "runs.md"
INDEX_HEAD = (
    "# Short runs on an accelerator\n\n"
    "Written by `python -m training.lp1.record`, a row a run.\n\n"
    "| run | device | variants | Mpx/s | TFLOP/s | what it asks |\n"
    "|---|---|---|---|---|---|\n"
)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run's log."""
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


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


def report(rows: list[dict[str, Any]], table: str, name: str, note: str, commit: str) -> str:
    """The page of a run, Markdown."""
    command = of_kind(rows, "command")[0]
    device = of_kind(rows, "device")[0]
    data = of_kind(rows, "data")[0]
    default = json.loads(json.dumps(as_table(Variant())))
    lines = [f"# {name}", "", note, ""]
    lines += ["    python -m training.lp1.train " + " ".join(command["arguments"]), ""]
    lines.append(
        f"Commit {commit}. {device['name']}, matrix product {device['tera']:.0f} TFLOP/s, torch "
        f"{command['torch']}. {data['pictures']} pictures, {data['megapixels']} Mpx, "
        f"{data['held_out']} held out."
    )
    lines += ["", table, f"![Curves]({name}.svg)", ""]
    for variant, values in command["variants"].items():
        speed = last_speed(rows, variant)
        lines.append(f"{variant}: {speed['mpx']:.1f} Mpx/s, {speed['tera']:.1f} TFLOP/s.")
        lines += [
            "",
            *(f"    {line}" for line in differences(values, default) or ["(default)"]),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """The curves of a run: the loss and its parts over time, and the last points."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(14, 4.2))
    variants = of_kind(rows, "command")[0]["variants"]
    for name in variants:
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


def record(run: Path, name: str, note: str, commit: str, results: Path = RESULTS) -> None:
    """Write a run's page, log and curves, and its row of the index."""
    rows = read_log(run)
    page = report(rows, (run / TABLE).read_text(), name, note, commit)
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{name}.md").write_text(page)
    shutil.copyfile(run / LOG, results / f"{name}.jsonl")
    draw(rows, results / f"{name}.svg")
    variants = list(of_kind(rows, "command")[0]["variants"])
    speeds = [last_speed(rows, variant) for variant in variants]
    shown = lambda key: f"{min(s[key] for s in speeds):.1f} to {max(s[key] for s in speeds):.1f}"
    device = of_kind(rows, "device")[0]["name"]
    cells = [f"[{name}]({name}.md)", device, ", ".join(variants), shown("mpx"), shown("tera"), note]
    index = results / INDEX
    before = index.read_text() if index.exists() else INDEX_HEAD
    kept = [line for line in before.splitlines() if not line.startswith(f"| [{name}]")]
    index.write_text("\n".join([*kept, "| " + " | ".join(cells) + " |"]) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--note", required=True, help="what the run asks, and what it answers")
    parser.add_argument("--commit", help="of the code that ran; default: today's")
    args = parser.parse_args()
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    record(args.run, args.name, args.note, args.commit or done.stdout.strip() or "unknown")


if __name__ == "__main__":
    main()
