"""From the words of a command to codecs and their qualities."""

import math
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from latentpress.bench.codec_protocol import Codec
from latentpress.bench.datasets import Source
from latentpress.bench.external import External
from latentpress.bench.image_codecs import OURS, find_codec, installed
from latentpress.bench.precomputed import Pictures
from latentpress.errors import UsageError
from latentpress.metrics import METRICS
from latentpress.names import as_text
from latentpress.system.environment import usable_cores

MAX_JOBS = 8


def codecs(
    names: str, models: Sequence[str], externals: Sequence[str], pictures: Sequence[str]
) -> list[Codec]:
    """The codecs of a run, each once.

    names: with commas between; "all" stands for the installed ones. models: CODEC=MODEL. externals:
    templates. pictures: NAME=FOLDER. UsageError where a word does not fit, or two codecs share a
    name.
    """
    weights = dict(_pair("--model", text) for text in models)
    if wrong := [name for name in weights if name not in OURS[1:]]:
        raise UsageError(f"--model {wrong[0]}=...: weights are chosen for {', '.join(OURS[1:])}")
    words = [word.strip() for word in names.split(",") if word.strip()]
    requested = [name for word in words for name in (installed() if word == "all" else [word])]
    chosen = [find_codec(name, model=weights.get(name)) for name in dict.fromkeys(requested)]
    chosen += [External.of(template) for template in externals]
    chosen += [
        Pictures.of(name, Path(folder))
        for name, folder in (_pair("--pictures", text) for text in pictures)
    ]
    names_in_run = [codec.name for codec in chosen]
    if not chosen:
        raise UsageError("no codec was named: use --codecs, --external or --pictures")
    if twice := next((name for name in names_in_run if names_in_run.count(name) > 1), None):
        raise UsageError(f"two codecs are called {twice}")
    if unused := [name for name in weights if name not in names_in_run]:
        raise UsageError(f"--model {unused[0]}=...: {unused[0]} is not among the --codecs")
    return chosen


def qualities(
    chosen: Sequence[Codec], points: int, given: Sequence[str]
) -> list[tuple[Codec, list[float]]]:
    """Each codec with the qualities it is tried at: `points` of its own, or those that NAME=Q,Q
    gives it.
    """
    named = {
        name: _numbers(name, text) for name, text in (_pair("--qualities", text) for text in given)
    }
    if unknown := [name for name in named if name not in [codec.name for codec in chosen]]:
        raise UsageError(f"--qualities {unknown[0]}=...: {unknown[0]} is not in this run")
    settings = []
    for codec in chosen:
        if codec.name in named and not codec.has_quality:
            raise UsageError(f"--qualities {codec.name}=...: {codec.name} has no quality to choose")
        tried = named.get(codec.name) or codec.qualities(points)
        if codec.kind == "rival" and any(quality % 1 for quality in tried):
            raise UsageError(f"--qualities {codec.name}=...: {codec.name} takes whole numbers")
        if codec.kind in ("rival", "ours") and not all(0 <= quality <= 100 for quality in tried):
            # libjpeg would take the nearest, and the row would tell a quality that is none
            raise UsageError(f"--qualities {codec.name}=...: {codec.name} takes 0 to 100")
        if not tried:
            raise UsageError(f"say which values {{q}} takes: --qualities {codec.name}=10,20,30")
        settings.append((codec, tried))
    return settings


def metrics_for(
    names: Sequence[str], sources: Sequence[Source]
) -> tuple[list[str], dict[str, str]]:
    """The metrics that the smallest picture is large enough for, and for every other one the
    reason.
    """
    side = min(min(source.width, source.height) for source in sources)
    reasons = {
        name: f"a picture has a side of {side} pixels, too few for it"
        for name in names
        if METRICS[name].smallest > side
    }
    return [name for name in names if name not in reasons], reasons


def cores() -> int:
    """The cores that this process may use, at most MAX_JOBS."""
    return min(usable_cores(), MAX_JOBS)


def command(words: Sequence[str]) -> str:
    """The command line as run.json keeps it: absolute paths by their last part, for a run is passed
    on.
    """
    return as_text(
        shlex.join(
            ["latentpress", *(Path(word).name if os.path.isabs(word) else word for word in words)]
        )
    )


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"{option} {text}: write NAME=VALUE")
    return name.strip(), value


def _numbers(name: str, text: str) -> list[float]:
    try:
        numbers = sorted({float(word) for word in text.split(",")})
        if not all(map(math.isfinite, numbers)):
            raise ValueError
        return numbers
    except ValueError:
        raise UsageError(f"--qualities {name}={text}: write numbers with commas between") from None
