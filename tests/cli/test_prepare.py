"""What is loaded while a picture is read: the model for a small one, nothing for a large one."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentpress.cli import compress
from latentpress.cli.pipes import StandardInput


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr("latentpress.system.malloc.make_room", calls.append)
    return calls


def prepared(source: Path, done: list[Any]) -> list[Any]:
    compress.prepare(source, lambda: done.append("load"))
    return done


def test_a_small_picture_loads_the_model(tmp_path: Path, done: list[Any]) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(path)
    assert prepared(path, done) == ["load"]


def test_a_large_picture_makes_room(
    tmp_path: Path, done: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((90, 80, 3), np.uint8)).save(path)
    monkeypatch.setattr("latentpress.system.malloc.FEW", 7000)
    assert prepared(path, done) == ["load"]  # a file of few bytes is not opened
    done.clear()
    monkeypatch.setattr(compress, "FEW_BYTES", os.path.getsize(path) - 1)
    assert prepared(path, done) == [7200]


def test_what_cannot_be_read_is_told_later(tmp_path: Path, done: list[Any]) -> None:
    assert prepared(tmp_path / "none.png", done) == ["load"]
    done.clear()
    assert prepared(StandardInput(), done) == ["load"]
