"""What made a file of results/: the JSON file beside it, `effort.json` for `effort.csv`,
`benchmark.json` for the run in `benchmark/`.

A sidecar holds `what` the file is, the `command`, the `commit` of the code that ran it, the `model`
(latent space -> hash of its shipped model or prior, empty where none was used), the `machine`, the
`date` and the documents in which it is `quoted`. Of a run of `latentpress bench` it holds what
`run.json` does not say. Scripts write it by `record`; `python -m benchmarks.results_index` makes
the index of all.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from latentpress.bench.machine import machine
from latentpress.models import manifest
from latentpress.spaces import space_of_codec

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
RUN = "run.json"
FIELDS = ("what", "command", "commit", "model", "machine", "date", "quoted")
# what the networks' time depends on most
INSTRUCTIONS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
MODEL = re.compile(r"(?:lp1 model|prior) ([0-9a-f]{8})")  # in what a run says of a codec's version


def sidecar_of(file: Path) -> Path:
    """The sidecar of a file or of a run's folder; of a file inside such a folder the folder's."""
    own, folder = file.with_suffix(".json"), file.parent.with_suffix(".json")
    return folder if folder.exists() and not own.exists() and not file.is_dir() else own


def read(file: Path) -> dict[str, Any]:
    """All FIELDS of a file; KeyError names the one that is missing, OSError says that there is no
    sidecar.
    """
    sidecar = sidecar_of(file)
    told: dict[str, Any] = json.loads(sidecar.read_text(encoding="utf-8"))
    run = sidecar.with_suffix("") / RUN
    if run.exists():
        info = json.loads(run.read_text(encoding="utf-8"))
        told = {
            "command": info["command"],
            "model": _models(info),
            "machine": info["machine"],
        } | told
    return {field: told[field] for field in FIELDS}


def shipped(*codecs: str) -> dict[str, str]:
    """Latent space -> hash of its shipped model, of the codecs named as in `latentpress compress
    --codec`.
    """
    spaces = [space_of_codec(codec).name for codec in codecs]
    return {space: manifest(space)["model_hash"] for space in spaces}


def outdated(models: dict[str, str]) -> list[str]:
    """A sentence for each space whose shipped model is another than the one told."""
    ours = {space: manifest(space)["model_hash"] for space in models}
    return [
        f"made with {space} {told}, shipped is {ours[space]}"
        for space, told in models.items()
        if told != ours[space]
    ]


def record(output: Path, what: str, codecs: Sequence[str], goes_on: bool = False) -> None:
    """Write the sidecar of a file that the running script writes. goes_on: rows of earlier commands
    are kept, so these are named too.
    """
    sidecar = output.with_suffix(".json")
    before = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.exists() else {}
    commands = [*(before["command"].split(" && ") if goes_on and before else ()), command()]
    told = {
        "what": before.get("what", what),
        "command": " && ".join(dict.fromkeys(commands)),
        **stamp(),
    }
    models = (before["model"] if goes_on and before else {}) | shipped(*codecs)
    write(sidecar, told | {"model": models, "machine": here(), "quoted": before.get("quoted", [])})


def record_run(folder: Path) -> None:
    """Bring commit and date of a run's sidecar up to date; its `what` is written by hand."""
    sidecar = sidecar_of(folder)
    before = (
        json.loads(sidecar.read_text(encoding="utf-8"))
        if sidecar.exists()
        else {"what": "", "quoted": []}
    )
    write(sidecar, before | stamp())


def write(sidecar: Path, told: dict[str, Any]) -> None:
    """The fields in their order, one a line."""
    ordered = {field: told[field] for field in FIELDS if field in told}
    sidecar.write_text(
        json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
    )


def refuse_other_models(output: Path) -> None:
    """Before rows of a file are kept: SystemExit where they are another model's, or nothing says
    whose.
    """
    if not output.exists():
        return
    if not sidecar_of(output).exists():
        raise SystemExit(
            f"{output} has no {sidecar_of(output).name} that says what made its rows: delete it, "
            "or name another file"
        )
    if different := outdated(read(output)["model"]):
        raise SystemExit(f"{output}: {'; '.join(different)}: delete it, or name another file")


def stamp() -> dict[str, str]:
    """The commit of the code, with a plus where it was changed since, and today."""
    changed = _git("status", "--porcelain", "--", "src", "benchmarks", "training")
    return {
        "commit": (_git("rev-parse", "--short=7", "HEAD") or "unknown") + ("+" if changed else ""),
        "date": date.today().isoformat(),
    }


def here() -> dict[str, Any]:
    """The machine, with those of INSTRUCTIONS that it has, where Linux tells them."""
    try:
        flags = set(
            re.findall(
                r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE
            )[0].split()
        )
    except (OSError, IndexError):
        return machine()
    return machine() | {"instructions": [name for name in INSTRUCTIONS if name in flags]}


def command() -> str:
    """The running command as it can be typed in any checkout, without this machine's folders."""
    spec = sys.modules["__main__"].__spec__
    script = f"-m {spec.name.removesuffix('.__main__')}" if spec else Path(sys.argv[0]).name
    words = list(map(portable, sys.argv[1:]))
    return " ".join(
        [
            "python",
            script,
            *(w for i, w in enumerate(words) if not (w.endswith("*.png") and w in words[:i])),
        ]
    )


def portable(word: str) -> str:
    """A word of a command. A path in the checkout is told from its root, another absolute one by
    its last two parts; where all PNG of a folder are named, each becomes the pattern that stands
    for them.
    """
    path = Path(word)
    if (
        path.suffix == ".png"
        and path.exists()
        and {str(p) for p in path.parent.glob("*.png")} <= set(sys.argv)
    ):
        return f"{path.parent.name}/*.png"
    if not path.is_absolute():
        return shlex.quote(word)
    return shlex.quote(
        str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else "/".join(path.parts[-2:])
    )


def _models(info: dict[str, Any]) -> dict[str, str]:
    """Latent space -> hash of a run's own codecs."""
    own = [codec for codec in info["codecs"] if codec["ours"]]
    return {space_of_codec(c["name"]).name: MODEL.search(c["version"])[1] for c in own}


def _git(*words: str) -> str:
    try:
        return subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
