"""A run as CUDA would take it, its device played by the processor: the order of its parts, and the
branches of the run that only CUDA takes. Captures, streams and pinned memory are not played.
"""

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from training.losses.kernels import Kernels
from training.lp1 import kernels, speed
from training.lp1.blocks import Layout
from training.lp1.capture import Pool
from training.lp1.record import of_kind, read_log
from training.lp1.run import Run, Settings
from training.lp1.train import continue_from, int8_phase
from training.lp1.variant import read_variants

ROOT = Path(__file__).parents[2]
VARIANTS = """
[variants.muon]
[variants.soap]
optimizer = "soap"
[variants.natural]
learn = ["gs"]
hard = true
optimizer = "adam"
discriminator_width = 8
loss.adversarial = 0.008
shape.masking = true
"""


class PlayedCuda(str):
    """A device that torch reads as "cpu" and everybody else as "cuda"."""

    def __new__(cls) -> "PlayedCuda":
        return super().__new__(cls, "cpu")

    def __eq__(self, other: object) -> bool:
        return other == "cuda"

    def __ne__(self, other: object) -> bool:
        return other != "cuda"

    def __hash__(self) -> int:
        return hash("cuda")


class Event:
    """Of a device that is always done."""

    def record(self) -> None: ...

    def synchronize(self) -> None: ...

    def query(self) -> bool:
        return True


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> PlayedCuda:
    zeros, autocast = torch.zeros, torch.autocast

    def unpinned(*shape: int, pin_memory: bool = False, **options: Any) -> torch.Tensor:
        return zeros(*shape, **options)

    def on_processor(device: str, *arguments: Any, **options: Any) -> Any:
        return autocast(str(device), *arguments, **options)

    def graph(pool: Pool, part: Any) -> SimpleNamespace:
        part()
        return SimpleNamespace(replay=part)

    monkeypatch.setattr(torch, "zeros", unpinned)
    monkeypatch.setattr(torch, "autocast", on_processor)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "played")
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 0))
    monkeypatch.setattr(Pool, "_graph", graph)
    monkeypatch.setattr("training.lp1.capture._nearly_nothing", lambda: None)
    monkeypatch.setattr("training.lp1.run.LOG_EVERY", 2)
    monkeypatch.setattr(kernels, "LARGEST_MAP", (1, 8, 8))
    monkeypatch.setattr(speed, "PRODUCT", {"cuda": (64, torch.bfloat16)})
    monkeypatch.setattr(Layout, "plain", Layout.plain)
    monkeypatch.setattr(Kernels, "fused", False)
    return PlayedCuda()


def test_a_run_on_cuda_rehearses_captures_profiles_and_learns(
    packs: Path, tmp_path: Path, cuda: PlayedCuda
) -> None:
    toy = (ROOT / "training/lp1/variants/toy.toml").read_text()
    file, out = tmp_path / "variants.toml", tmp_path / "out"
    file.write_text(toy + VARIANTS)
    variants = read_variants(file)
    Run(
        variants, Settings(packs, out, steps=4, pages=2, profile=True, turn=0.5), None, cuda
    ).train()
    of = functools.partial(of_kind, read_log(out))
    assert of("device")[0]["name"] == "played"
    assert len(of("layout")) == 1
    assert len(of("kernels")) == 1
    assert not of("failure")
    rehearsed = of("rehearsal")
    assert [row["size"] for row in rehearsed] == 3 * [[2, 64], [1, 96]]
    assert all(row["captured"] > 0 for row in rehearsed)
    assert [row["batch"][0] for row in of("profile")] == [2, 2, 2, 4]
    assert len(of("device_time")) == 3  # that there is no driver is told and harmless
    assert {row["variant"] for row in of("train")} == {"muon", "soap", "natural"}
    assert len(of("panel")) == 6
    assert (out / "table.md").exists()
    # A profiler can slow what comes after it, or end the process: all is written before.
    kinds = [row["kind"] for row in read_log(out)]
    assert kinds.index("device_time") > max(i for i, kind in enumerate(kinds) if kind == "panel")

    last = {"int8": int8_phase(variants["muon"])}
    source = f"{out}:muon"
    settings = Settings(packs, tmp_path / "last", steps=2, pages=2)
    Run(last, settings, functools.partial(continue_from, source), cuda).train()
    assert not of_kind(read_log(tmp_path / "last"), "failure")
    assert len(of_kind(read_log(tmp_path / "last"), "train")) == 1
