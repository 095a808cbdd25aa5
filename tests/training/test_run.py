"""Whole runs by the command line, as another machine would make them."""

import dataclasses
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import training
from helpers.notebook import complaints
from training.lp1 import session
from training.lp1.capture import CaptureError
from training.lp1.checkpoint import load_weights
from training.lp1.device_time import TOLD
from training.lp1.panel import Point
from training.lp1.run import Run, Settings
from training.lp1.session import as_graphs_went, best_of, to_go_on_from
from training.lp1.table import against, overall, table_of
from training.lp1.train import again_without_graphs, longer_phase
from training.lp1.variant import Variant, read_variants

ROOT = Path(__file__).parents[2]
TINY = """
[base]
crops = [[0.0, 2, 64], [0.5, 1, 96]]
painted = 0.3
linear_start = false
[base.shape]
latent = 24
hyper = 8
features = 16
context = 16
analysis = "conv:8:8:4 dense down:12 down:16"
synthesis = "mix:16 up:12 dense up:8"
"""
PAIRS = TINY + "[variants.muon]\n[variants.soap]\noptimizer = 'soap'\n"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.toml"
    file.write_text(TINY)
    return file


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "training.lp1.train", *map(str, arguments)]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def run(*arguments: object) -> str:
    done = subprocess.run(
        command(*arguments), cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def log(folder: Path, kind: str) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row for row in rows if row["kind"] == kind]


def test_a_run_of_pairs_ends_in_one_table(packs: Path, tmp_path: Path) -> None:
    file = tmp_path / "pairs.toml"
    file.write_text(PAIRS)
    out = tmp_path / "out"
    shown = run(
        packs, out, "--pairs", file, "--steps", 55, "--pages", 2, "--turn", 0.5, "--profile"
    )
    assert "fresh weights" in shown
    table = (out / "table.md").read_text()
    assert table in shown
    assert table.count("| muon | 55 |") == 4
    assert table.count("| soap | 55 |") == 4
    assert "against muon, at equal rate" in table
    assert {row["variant"] for row in log(out, "train")} == {"muon", "soap"}
    assert len(log(out, "panel")) == 4
    batches = [row["batch"] for row in log(out, "profile")]
    assert batches == [[2, 64], [2, 64], [4, 64]]
    for row in log(out, "device_time"):
        assert row["parts"]["step"][0] > row["parts"]["update"][0] > 0
        assert len(row["kernels"]) == TOLD
        assert row["kernels"][0]["milliseconds"] >= row["kernels"][1]["milliseconds"] > 0
    assert shown.count(" kernels ") == 2 * 6
    assert load_weights(out, "soap")[1].optimizer == "soap"
    assert not list(out.glob("*momenta*"))


def test_a_run_goes_on_where_the_one_before_stopped(
    packs: Path, tmp_path: Path, tiny: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    run(packs, first, "--variant", tiny, "--steps", 20, "--pages", 2)
    shown = run(packs, second, "--continue", first, "--steps", 2, "--pages", 2)
    assert f"weights of {first}, momenta\n" in shown
    last, begun = log(first, "panel")[-1], log(second, "panel")[0]
    for a, b in zip(last["rows"], begun["rows"], strict=True):  # type: ignore[call-overload]
        assert a["bpp"] == pytest.approx(b["bpp"], rel=0.02)
        assert a["psnr"] == pytest.approx(b["psnr"], abs=0.1)


NATURAL = """learn = ["gs"]
hard = true
optimizer = "adam"
discriminator_width = 8
[base.loss]
squared = [0.0023, 0.0, 0.0, 0.0]
perceptual = [1.0, 0.0, 0.0, 0.0]
balance = 0.0
wasserstein = 0.3
adversarial = 0.008
[base.shape]
masking = true
"""


def test_a_second_synthesis_is_trained_for_the_same_files(
    packs: Path, tmp_path: Path, tiny: Path
) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    file = tmp_path / "natural.toml"
    file.write_text(TINY.replace("[base.shape]\n", NATURAL))
    run(packs, first, "--variant", tiny, "--steps", 3, "--pages", 2)
    settings = ("--variant", file, "--pages", 2)
    shown = run(packs, second, *settings, "--continue", first, "--steps", 20)
    assert "against before, at equal rate" in shown
    (a, _), (b, _) = load_weights(first), load_weights(second)
    moved = {name.split(".")[0] for name, t in a.items() if not torch.equal(t, b[name])}
    assert moved == {"gs"}
    shown = run(packs, third, *settings, "--continue", second, "--steps", 1)
    assert f"weights of {second}, its discriminator, momenta" in shown
    assert len([path for path in second.iterdir() if path.is_file()]) <= 8


def test_a_rehearsal_tells_a_line_for_everything(packs: Path, tmp_path: Path, tiny: Path) -> None:
    out = tmp_path / "out"
    shown = run(packs, out, "--variant", tiny, "--rehearse", "--pages", 2)
    names = {row["variant"] for row in log(out, "rehearsal")}
    assert names == {"base", "base-adam", "base-soap", "base-discriminator"}
    assert "base-soap: 2 of 64: " in shown
    assert not log(out, "panel")


def test_a_capture_that_fails_begins_again_without(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: called.append(arguments))
    monkeypatch.setattr(sys, "argv", ["train", "packs", "out", "--minutes", "9"])
    monkeypatch.setitem(os.environ, training.AGAIN, "")
    again_without_graphs(CaptureError("operation not permitted"))
    assert called[0][1:3] == ["-m", "training.lp1.train"]
    assert called[0][3:] == [*sys.argv[1:], "--no-graphs", "operation not permitted"]
    assert float(os.environ[training.AGAIN]) == training.STARTED
    monkeypatch.setitem(os.environ, "WORLD_SIZE", "2")
    with pytest.raises(SystemExit, match="run it with --no-graphs"):
        again_without_graphs(CaptureError("operation not permitted"))


def test_a_variant_that_cannot_learn_is_left_out(packs: Path, tmp_path: Path, tiny: Path) -> None:
    good, bad = (read_variants(tiny)["base"] for _ in range(2))
    bad = dataclasses.replace(bad, crops=((0.0, 1, 4096),))  # no picture is that large
    run = Run({"bad": bad, "good": good}, Settings(packs, tmp_path / "out", steps=1, pages=2))
    assert run.rehearse() == 1
    assert [turn.name for turn in run.turns] == ["good"]
    run.train()
    assert "4096 pixels" in (tmp_path / "out/log.jsonl").read_text()
    # The last one of several keeps its name, by which a session goes on from it.
    assert to_go_on_from(tmp_path / "out", {"bad": bad, "good": good}, fresh=False)[0] == "good"


def test_time_is_the_budget_of_the_whole_process(packs: Path, tmp_path: Path, tiny: Path) -> None:
    begun = time.monotonic()
    run(packs, tmp_path / "out", "--variant", tiny, "--minutes", 0.8, "--pages", 2)
    assert time.monotonic() - begun < 300  # 48 s, and what a busy machine adds
    steps = log(tmp_path / "out", "panel")[-1]["steps"]
    assert isinstance(steps, int)
    assert steps > 0
    assert log(tmp_path / "out", "device")[0]["tera"] > 0  # type: ignore[operator]


def test_a_run_that_is_killed_leaves_its_averaged_weights(
    packs: Path, tmp_path: Path, tiny: Path
) -> None:
    out = tmp_path / "out"
    arguments = ("--variant", tiny, "--minutes", 30, "--pages", 2, "--keep-every", 0.5)
    process = subprocess.Popen(command(packs, out, *arguments), cwd=ROOT, env=environment())
    try:
        deadline = time.monotonic() + 120
        while not (out / "weights-momenta.safetensors").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
    state, variant = load_weights(out)
    assert variant.shape.latent == 24
    assert all(t.isfinite().all() for t in state.values())
    assert log(out, "panel")


def test_two_processes_learn_the_same_from_other_crops(
    packs: Path, tmp_path: Path, tiny: Path
) -> None:
    out = tmp_path / "out"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launch += ["--master-port", str(20000 + os.getpid() % 20000), "-m", "training.lp1.train"]
    settings = ["--variant", tiny, "--steps", 12, "--pages", 2, "--painters", 0]
    done = subprocess.run(
        [*launch, *map(str, [packs, out, *settings])],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| default") + done.stdout.count("| base") == 4
    assert log(out, "panel")[-1]["steps"] == 12


def test_a_wrong_command_is_told(packs: Path, tmp_path: Path) -> None:
    file = tmp_path / "pairs.toml"
    file.write_text(PAIRS)
    for arguments, told in (
        (("--variant", file), "which variant of"),
        (("--continue", tmp_path), r"no weights-1.safetensors"),
    ):
        done = subprocess.run(
            command(packs, tmp_path / "out", "--steps", 1, *arguments),
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_no_variant_is_called_like_what_a_run_goes_on_from(tmp_path: Path) -> None:
    file = tmp_path / "pairs.toml"
    file.write_text("[variants.before]\n")
    with pytest.raises(ValueError, match="'before' is the name of what a run goes on from"):
        read_variants(file)
    for file in (ROOT / "training/lp1/variants").glob("*.toml"):
        assert read_variants(file)


def points(scale: float, better: float) -> list[Point]:
    rates = (0.05 * scale, 0.1 * scale, 0.4 * scale, 1.0 * scale)
    return [
        Point(level, r, 30 + better + 5 * i, 0.2 / (i + 1), 0.3, 0.1, 0.1)
        for i, (level, r) in enumerate(zip((0, 2, 4, 6), rates, strict=True))
    ]


def test_curves_are_compared_at_equal_rate() -> None:
    same = against(points(1, 0), points(1, 0))
    assert all(value == pytest.approx(0) for value in same.values())
    assert against(points(1, 0), points(1, 0.5))["psnr"] == pytest.approx(0.5)
    assert against(points(1, 0), points(1.5, 0))["psnr"] < 0  # the same for more bytes
    assert against(points(1, 0), points(100, 0)) == {}
    rows = [("a", 5, 1.0, 2.0, points(1, 0)), ("b", 5, 1.0, 2.0, points(100, 0))]
    assert "| b | no rate in common |" in table_of(rows)


def test_the_best_is_the_nearest_at_equal_rate_among_those_that_can_go_on() -> None:
    found = against(points(1, 0), points(1, 1))
    assert overall(found) == pytest.approx(-0.1 * math.log(10) / 5)  # a dB, of five distances
    curves = {
        "first": points(1, 0),
        "worse": points(1.5, 0),
        "better": points(1, 1),
        "best": points(1, 2),
        "beyond": points(100, 9),
    }
    assert best_of(curves, set(curves)) == "best"
    assert best_of(curves, {"first", "worse", "better"}) == "better"
    assert best_of(curves, {"first", "worse", "failed"}) == "first"
    lost = [point._replace(psnr=math.nan) for point in points(1, 9)]
    judged = {"first": points(1, 0), "lost": lost, "worse": points(1.5, 0)}
    assert best_of(judged, {"lost", "worse"}) == "worse"
    with pytest.raises(ValueError, match="none of beyond has a rate in common"):
        best_of(curves, {"beyond"})


def test_the_shape_of_the_shipped_model_goes_on_from_the_shipped_weights(tmp_path: Path) -> None:
    variants = {name: Variant() for name in ("dense", "kept", "gone")}
    for name in ("kept", "gone"):
        shape = dataclasses.replace(Variant().shape, head="shuffle")
        variants[name] = dataclasses.replace(variants[name], shape=shape)
    (tmp_path / "kept-1.safetensors").touch()

    def judge(**better: float) -> None:
        rows = [
            {"kind": "panel", "variant": n, "rows": [p._asdict() for p in points(1, better[n])]}
            for n in variants
        ]
        (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(row) for row in rows))

    judge(dense=1, kept=0, gone=2)
    assert to_go_on_from(tmp_path, variants) == ("dense", "shipped")
    judge(dense=0, kept=1, gone=2)
    assert to_go_on_from(tmp_path, variants) == ("kept", f"{tmp_path}:kept")
    # Those that were continued have learned since, so that the shipped weights are behind them.
    (tmp_path / "dense-1.safetensors").touch()
    judge(dense=1, kept=0, gone=2)
    assert to_go_on_from(tmp_path, variants, fresh=False) == ("dense", f"{tmp_path}:dense")


def test_what_could_not_be_captured_is_not_tried_again(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"kind": "device"}\n')
    assert as_graphs_went(tmp_path) == []
    log.write_text('{"kind": "device"}\n{"kind": "graphs", "told": "not permitted"}\n')
    assert as_graphs_went(tmp_path) == ["--no-graphs=not permitted"]


@pytest.mark.parametrize("source", [["--continue", "shipped"], []])
def test_where_pairs_fail_the_first_variant_has_the_time_that_is_left(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, source: list[str]
) -> None:
    file, out = tmp_path / "pairs.toml", tmp_path / "out"
    file.write_text(PAIRS)
    called: list[list[str]] = []

    def crash(command: list[str]) -> SimpleNamespace:
        called.append(command[3:])
        (tmp_path / "pairs").mkdir(exist_ok=True)
        (tmp_path / "pairs/log.jsonl").write_text('{"kind": "device"}\n')
        return SimpleNamespace(returncode=0 if len(called) == 2 else -11)

    monkeypatch.setattr(session.subprocess, "run", crash)
    arguments = [str(tmp_path / "packs"), str(out), "--pairs", str(file), "--minutes", "999"]
    monkeypatch.setattr(sys, "argv", ["session", *arguments, *source])
    with pytest.raises(SystemExit) as ended:
        session.main()
    assert ended.value.code == -11
    assert (out / "pairs/log.jsonl").exists()
    assert called[1][:4] == [*arguments[:2], "--variant", f"{file}:muon"]
    longer = [*source, "--phase", "longer"] if source else []
    assert called[1][4:-2] == longer
    assert called[1][-2] == "--minutes"


@pytest.mark.parametrize("lost", ["packs", "out", "source"])
def test_a_session_removes_nothing_that_it_needs(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    weights = tmp_path / "pairs/muon-1.safetensors"
    weights.parent.mkdir()
    weights.touch()
    places = {"packs": tmp_path / "packs", "out": tmp_path / "out", "source": tmp_path / "before"}
    places[lost] = weights.parent
    arguments = [places["packs"], places["out"], "--pairs", tiny, "--steps", 1]
    command = [*arguments, "--continue", f"{places['source']}:muon"]
    monkeypatch.setattr(sys, "argv", ["session", *map(str, command)])
    with pytest.raises(SystemExit, match="would be lost, since the comparison empties"):
        session.main()
    assert weights.exists()


def test_a_longer_phase_sees_larger_crops_at_half_the_rate() -> None:
    variant = longer_phase(Variant(rate=1e-3, crops=((0.0, 20, 256), (0.9, 6, 512)), keep=False))
    assert variant.keep
    assert variant.rate == 5e-4
    assert longer_phase(Variant(crops=((0.0, 6, 512),))).crops == ((0.0, 6, 512), (0.5, 1, 512))
    assert variant.crops == ((0.0, 20, 256), (0.5, 5, 512))


def test_a_table_of_a_run_before_is_not_taken_for_its_own(
    packs: Path, tmp_path: Path, tiny: Path
) -> None:
    from training.lp1.record import record

    out = tmp_path / "out"
    out.mkdir()
    for name in ("table.md", "log.jsonl"):
        (out / name).write_text("of a run before\n")
    with pytest.raises(ValueError, match=r"no manifest\.json"):
        Run(read_variants(tiny), Settings(tmp_path / "nowhere", out, steps=1, pages=2))
    assert (out / "log.jsonl").read_text() == "of a run before\n"
    Run(read_variants(tiny), Settings(packs, out, steps=1, pages=2)).close()  # as if killed
    with pytest.raises(SystemExit, match=r"has no table\.md: that run did not come to its end"):
        record(out, "a-trial", "what", "abc1234", "2026-01-02", tmp_path / "r", tmp_path / "n")


def test_a_run_is_recorded_by_one_command(packs: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="curves need matplotlib")
    from training.lp1.record import LIST_HEAD, record

    file = tmp_path / "pairs.toml"
    file.write_text(PAIRS)
    run(packs, tmp_path / "out", "--pairs", file, "--steps", 51, "--pages", 2)
    notebook = tmp_path / "notebook"
    notebook.mkdir()
    older = "| 2026-01-01 [Older](2026-01-01-older.md) | taken |"
    (notebook / "index.md").write_text(f"# The notebook\n\n{LIST_HEAD}{older}\n")
    for note in ("first", "second"):
        results = tmp_path / "results"
        path = record(tmp_path / "out", "a-trial", note, "abc1234", "2026-01-02", results, notebook)
    assert path == notebook / "2026-01-02-a-trial.md"
    page = path.read_text(encoding="utf-8")
    assert page.startswith("# A trial\n\n**Question**: second\n\n**Command**: `python -m")
    assert 'optimizer = "soap"' in page
    assert "commit abc1234. CPU" in page
    assert (tmp_path / "out/table.md").read_text(encoding="utf-8") in page
    assert complaints(page) == []
    rows = (notebook / "index.md").read_text(encoding="utf-8").splitlines()[-2:]
    assert rows == ["| 2026-01-02 [A trial](2026-01-02-a-trial.md) | open: to be written |", older]
    assert (tmp_path / "results/a-trial.jsonl").read_text(encoding="utf-8").count(
        '"kind": "command"'
    ) == 1
    assert (tmp_path / "results/a-trial.svg").read_text(encoding="utf-8").count("<svg") == 1
