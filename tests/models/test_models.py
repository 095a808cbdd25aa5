"""The shipped models: what ONNX Runtime says when it fails becomes an error that callers know."""

import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.paths import ROOT
from latentpress import models, shipped
from latentpress.cli import app
from latentpress.cli.batch import ALONE, Sharing
from latentpress.errors import WeightsError

ARENA = (
    "[ONNXRuntimeError] : 1 : FAIL : BFCArena::AllocateRawInternal Failed to allocate memory "
    "for requested buffer of size 9"
)


class Failing:
    def __init__(self, text: str) -> None:
        self.text = text

    def run(self, *_: object, **__: object) -> None:
        raise Exception(self.text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [(ARENA, MemoryError), ("std::bad_alloc", MemoryError), ("INVALID_GRAPH", RuntimeError)],
)
def test_failures_of_onnx_runtime_have_a_kind(
    monkeypatch: pytest.MonkeyPatch, text: str, kind: type[Exception]
) -> None:
    monkeypatch.setattr(models, "graph", lambda *_: Failing(text))
    with pytest.raises(kind, match=r"lp1/analysis\.onnx"):
        models.run("lp1", "analysis.onnx", pixels=np.zeros((1, 16, 16, 3), np.uint8))


def test_a_failing_graph_is_a_sentence_outside_batches_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    monkeypatch.setattr(models, "graph", lambda *_: Failing("INVALID_GRAPH\nand a stack"))
    monkeypatch.setattr("signal.signal", lambda *_: None)  # those of the tests stay
    monkeypatch.setattr(
        "sys.argv",
        ["latentpress", "latent", str(tmp_path / "a.png"), "-o", str(tmp_path / "y.png")],
    )
    with pytest.raises(SystemExit) as end:
        app.main()
    assert end.value.code == 1
    assert capsys.readouterr().err.strip().endswith("lp1/analysis.onnx: INVALID_GRAPH")


def test_sessions_are_made_ahead_for_the_callers_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    monkeypatch.delenv("LATENTPRESS_THREADS", raising=False)  # which limits all
    monkeypatch.setattr(models, "graph", lambda *_, **__: counts.append(models.threads()))
    for sharing in (Sharing(2, 1, lambda source: 0), Sharing(4, 3, lambda source: 0), ALONE):
        sharing.load(lambda: models.open_ahead("lp1", ("features.onnx",), "auto"))
        for thread in threading.enumerate():
            if thread.name == "latentpress sessions":
                thread.join()
    assert counts == [1, 3]  # one file alone is another matter: its model is loaded earlier


def test_sessions_are_made_ahead_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the names, on the user's device for the transforms alone; a failure there is
    told later, by `run`.
    """
    made: list[tuple[str | bool | None, ...]] = []

    def graph(*arguments: str | None, is_halved: bool) -> None:
        made.append((*arguments, is_halved))
        raise OSError

    monkeypatch.setattr(models, "graph", graph)
    models.open_ahead("lp1", ("features.onnx", "context.onnx", "synthesis.onnx"), "auto")
    for thread in threading.enumerate():
        if thread.name == "latentpress sessions":
            thread.join()
    assert made == [
        ("lp1", "features.onnx", None, False),
        ("lp1", "context.onnx", None, True),
        ("lp1", "synthesis.onnx", "auto", False),
    ]


def test_a_package_in_a_zip_archive_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "packages.zip").touch()
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "packages.zip" / "latentpress" / "models")
    with pytest.raises(WeightsError, match="zip archive"):
        shipped.manifest.__wrapped__("lp1")


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout of Git's")
def test_git_on_windows_changes_no_byte() -> None:
    """Where `core.autocrlf` is on, lines of a text file end in another way: a hash is another."""
    told = subprocess.run(
        ["git", "ls-files", "--eol"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = told.stdout.splitlines()
    assert len(files) > 1000
    assert [line for line in files if line.split()[2] != "attr/-text"] == []
