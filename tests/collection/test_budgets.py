"""A total size of shards, and at efforts that optimize the latent."""

import importlib.util
import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import latentpress
from helpers.shards import members, shard
from helpers.trees import files_of
from latentpress.cli.app import app
from latentpress.collection.budget import _corrected
from latentpress.errors import ImageError, LatentpressError, UsageError
from latentpress.options import ITERATIONS
from latentpress.system import stores
from latentpress.targets.bracket import Sizes

SIDE = 96


def noise(number: int, side: int = SIDE) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (side // 4, side // 4, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((side, side)).save(stream, "PNG")
    return stream.getvalue()


def lp(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if isinstance(result.exception, LatentpressError):
        assert code == (2 if isinstance(result.exception, UsageError) else 1)
        return str(result.exception)
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A shard with two pictures, a broken one and a text, and a picture beside it."""
    folder = tmp_path / "in"
    folder.mkdir()
    pictures = [(f"{i}.png", noise(i)) for i in range(2)]
    (folder / "a.tar").write_bytes(
        shard([*pictures, ("bad.png", bytes(3000)), ("t.txt", bytes(2000))])
    )
    (folder / "b.png").write_bytes(noise(3))
    return folder


def test_shards_and_files_share_a_budget(tree: Path, tmp_path: Path) -> None:
    qualities = []
    for limit in (12_000, 14_000):
        out = tmp_path / f"out{limit}"
        lp("compress", tree, "-o", out, "--total-size", limit, code=1)
        files = files_of(out)
        assert files.keys() == {"a.tar", "b.ltp"}
        total = sum(map(len, files.values()))
        assert 0.95 * limit <= total <= limit
        inside = {n: d for n, d in members(files["a.tar"]) if n.endswith(".ltp")}
        asked = {latentpress.read_header(d).quality for d in (*inside.values(), files["b.ltp"])}
        assert len(inside) == 2
        assert len(asked) == 1
        qualities += asked
        again = lp("compress", tree, "-o", out, "--total-size", limit)
        assert "2 done before" in again
    assert qualities[0] < qualities[1]


def test_what_is_no_picture_may_be_more_than_the_budget(tree: Path, tmp_path: Path) -> None:
    told = lp("compress", tree, "-o", tmp_path / "out", "--total-size", "3kB", code=1)
    assert "do not fit into 3,000 bytes: at quality 0 they have" in told
    assert not (tmp_path / "out").exists()


def test_drawings_are_photographs_where_their_layers_leave_no_room(tmp_path: Path) -> None:
    photos = tmp_path / "in"
    photos.mkdir()
    dots = np.random.default_rng(0).integers(0, 2, (96, 128), np.uint8) * 255
    Image.fromarray(dots).save(photos / "dots.png")
    Image.new("L", (128, 96), 255).save(photos / "flat.png")
    (photos / "noise.png").write_bytes(noise(0))
    paths = sorted(photos.iterdir())
    limit = sum(len(latentpress.compress(path, quality=0)) for path in paths) - 100
    asked = ("compress", photos, "-o", tmp_path / "out", "--total-size", limit)
    lp(*asked)
    files = files_of(tmp_path / "out")
    expected = latentpress.targets.to_total(paths, limit)
    assert [files[f"{path.stem}.ltp"] for path in paths] == expected
    assert 0.97 * limit < sum(map(len, expected)) <= limit
    assert "3 done before" in lp(*asked)
    (tmp_path / "out/dots.ltp").unlink()
    assert "1 file written" in lp(*asked)
    assert files_of(tmp_path / "out") == files


def test_what_has_no_part_in_a_budget_is_not_made(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a disk or a network fails, or a file is private, for a while: nothing changed."""
    (tree / "c.png").write_bytes(noise(4))
    (tree / "a.tar").unlink()
    limit = 1000
    asked = ("compress", tree, "-o", tmp_path / "out", "--total-size", limit)

    def sizes() -> dict[str, int]:
        return {name: len(data) for name, data in files_of(tmp_path / "out").items()}

    read_source = stores.read_source
    left = 1

    def failing(path: Path) -> bytes:
        nonlocal left
        if path.name == "c.png" and left:
            left -= 1
            raise ImageError(f"{path}: the disk has failed")
        return read_source(path)

    monkeypatch.setattr(stores, "read_source", failing)
    assert "c.png: the disk has failed" in lp(*asked, code=1)
    assert 0.95 * limit < sizes()["b.ltp"] <= limit
    alone = files_of(tmp_path / "out")
    left = 1
    assert "1 done before" in lp(*asked, code=1)  # it fails again, and is not searched again
    assert files_of(tmp_path / "out") == alone
    lp(*asked)
    assert sizes().keys() == {"b.ltp", "c.ltp"}
    assert 0.95 * limit < sum(sizes().values()) <= limit


def test_where_nothing_can_be_read_every_file_is_named(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(noise(0)[:60])
    told = lp("compress", folder, "-o", out, "--total-size", 10_000, code=1)
    assert "a.png" in told
    assert "b.png" in told
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(noise(0))
    lp("compress", folder, "-o", out, "--total-size", 10_000)
    assert 2000 < sum(map(len, files_of(out).values())) <= 10_000
    (tmp_path / "empty").mkdir()
    assert "no picture" in lp(
        "compress", tmp_path / "empty", "-o", out, "--total-size", 10_000, code=2
    )


def test_a_table_has_no_total_size(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"")
    told = lp(
        "compress", tmp_path / "a.parquet", "-o", tmp_path / "out", "--total-size", "3kB", code=2
    )
    assert "a total size is for files and .tar shards" in told


def test_a_budget_at_an_effort_that_optimizes_the_latent(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs the extra torch")
    monkeypatch.setitem(ITERATIONS, 7, 4)
    (tree / "b.png").unlink()
    (tree / "a.tar").write_bytes(shard([("0.png", noise(0, 32))]))
    limit = 4096
    asked = ("compress", tree, "-o", tmp_path / "out", "--effort", 7, "--total-size", limit)
    lp(*asked, "--optimize-for", "mse", "--content", "photo")
    assert sum(map(len, files_of(tmp_path / "out").values())) <= limit
    assert "1 done before" in lp(*asked, "--optimize-for", "mse", "--content", "photo")


def test_where_no_file_can_be_made_there_is_nothing_to_correct() -> None:
    """As where a GPU has too little memory for any of them, which is told of each."""
    assert _corrected(Sizes(lambda step: 0), 6000, 1000, np.linspace(5, 12, 10_001)) >= 6000


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.02, 2.0, 1e6])
def test_the_step_is_corrected_by_the_sizes_that_were_made(factor: float) -> None:
    """factor: by how much the files that are made are larger than those of the first guess."""
    estimate = np.linspace(5, 12, 10_001)
    tried = []

    def made(step: int) -> int:
        tried.append(step)
        return round(factor * math.exp(estimate[step]))

    limit = round(math.exp(estimate[6000]))
    step = _corrected(Sizes(made), 6000, limit, estimate)
    assert made(step) <= limit or step == 0
    assert factor > 1e5 or made(step) >= 0.97 * limit
    assert len(tried) <= 6
