"""Bands and tiles give what the whole picture gives."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from latentpress import codec, models
from latentpress.image.picture import Picture, read_picture
from latentpress.runtimes import native
from latentpress.spaces import LP1
from latentpress.transforms import bands, lp1, tiling

CHANNELS = LP1.channels  # of lp1


@given(st.integers(1, 300), st.integers(1, 20), st.integers(1, 5))
def test_windows_are_the_rows_of_the_whole(rows: int, halo: int, columns: int) -> None:
    whole = np.arange(rows * columns, dtype=np.float32).reshape(1, rows, columns)
    strips = (whole[:, a:b] for a, b in tiling.strips(rows))
    for (a, b), (parts, first, end) in zip(
        tiling.strips(rows), tiling.windows(strips, rows, halo), strict=True
    ):
        low, high = tiling.with_halo(a, b, halo, rows)
        assert np.array_equal(np.concatenate(parts, axis=1), whole[:, low:high])
        assert len(parts) <= 3
        assert (first, end) == (a - low, b - low)


@given(
    st.integers(1, 82), st.integers(1, 5000), st.integers(0, 10), st.sampled_from([3_000, 12_000])
)
def test_tile_columns_cover_once_and_stay_small(
    rows: int, columns: int, halo: int, positions: int
) -> None:
    tiles = tiling.tile_columns(rows, columns, halo, positions)
    assert [a for a, _ in tiles] == [0, *(b for _, b in tiles[:-1])]
    assert tiles[-1][1] == columns
    assert max(b - a for a, b in tiles) + 2 * halo * (len(tiles) > 1) <= max(positions // rows, 1)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.data())
def test_regrouped_rows_are_the_same_rows(heights: list[int], data: st.DataObject) -> None:
    rows = sum(heights)
    whole = np.arange(2 * rows, dtype=np.float32).reshape(1, rows, 2)
    edges = sorted({0, rows, *data.draw(st.lists(st.integers(0, rows)))})
    arrays = (whole[:, a:b] for a, b in itertools.pairwise(edges))
    parts = list(bands.regrouped(arrays, heights))
    assert [p.shape[1] for p in parts] == heights
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


@pytest.fixture
def onnxruntime_in_float(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_RUNTIME", "onnxruntime")
    monkeypatch.setenv("LATENTPRESS_PRECISION", "float")


def transformed(picture: Picture) -> tuple[list[NDArray], NDArray]:
    transform = lp1.Lp1Transform("cpu")
    y = list(transform.analyze(picture))
    return y, np.concatenate(list(transform.synthesize(iter(y), picture.width, picture.height)))


SIZES = [(1, 1), (17, 1), (1025, 33), (200, 700), (170, 161), (161, 170), (30, 3000)]


@pytest.mark.usefixtures("onnxruntime_in_float")
@pytest.mark.parametrize("takes_bands", [True, False])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_bands_and_tiles_give_what_one_call_gives(
    height: int, width: int, takes_bands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = read_picture(
        np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    )
    whole_y, whole = transformed(picture)
    monkeypatch.setattr(bands, "WHOLE_POSITIONS", 1)
    monkeypatch.setattr(lp1, "TILE_POSITIONS", 700)
    monkeypatch.setattr(bands, "WIDEST", 28)
    monkeypatch.setattr(bands, "BAND_POSITIONS", 50)
    if not takes_bands:
        monkeypatch.setattr(bands, "can_stream", lambda *_: False)
    y, pixels = transformed(picture)
    assert [s.shape for s in y] == [s.shape for s in whole_y]
    for strip, whole_strip in zip(y, whole_y, strict=True):
        assert np.abs(strip - whole_strip).max() < 1e-4 * np.abs(whole_strip).max()
    assert pixels.shape == (height, width, 3)
    assert np.abs(pixels.astype(int) - whole).max() <= 1


@pytest.mark.usefixtures("onnxruntime_in_float")
def test_a_picture_of_enough_rows_goes_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    run = models.run
    monkeypatch.setattr(
        models, "run", lambda *a, **k: calls.append(k.get("in_bands")) or run(*a, **k)
    )
    monkeypatch.setattr(bands, "WHOLE_POSITIONS", 1)
    transformed(read_picture(np.zeros((320, 16, 3), np.uint8)))
    assert calls
    assert all(calls)


@pytest.mark.skipif(native.library() is None, reason="no library, or nothing for bytes")
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_rows_as_they_come_give_what_one_call_gives(
    height: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTPRESS_RUNTIME", "native")
    monkeypatch.setenv("LATENTPRESS_PRECISION", "int8")
    picture = read_picture(
        np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    )
    whole_y, whole = transformed(picture)
    monkeypatch.setattr(bands, "WHOLE_POSITIONS", 0)
    monkeypatch.setattr(bands, "ROLLING_POSITIONS", 50)
    monkeypatch.setattr(models, "run", lambda *_, **__: pytest.fail("not in rows"))
    y, pixels = transformed(picture)
    assert all(map(np.array_equal, y, whole_y))
    assert np.array_equal(pixels, whole)


def test_the_halo_covers_the_receptive_fields() -> None:
    rng = np.random.default_rng(0)
    halo, middle = models.manifest("lp1")["halo"], slice(20, 21)
    y = rng.normal(size=(1, CHANNELS, 41, 3)).astype(np.float32)
    other_y = y.copy()
    other_y[:, :, middle] += 5
    pixels = rng.integers(0, 256, (1, 41 * 16, 3 * 16, 3), dtype=np.uint8)
    other_pixels = pixels.copy()
    other_pixels[:, 16 * middle.start : 16 * middle.stop] ^= 255
    analysis, synthesis = (
        models.graph("lp1", "analysis.onnx"),
        models.graph("lp1", "synthesis.onnx"),
    )
    of_y = (synthesis.run({"y": y})[0] != synthesis.run({"y": other_y})[0]).any((0, 2, 3))
    of_pixels = (
        analysis.run({"pixels": pixels})[0] != analysis.run({"pixels": other_pixels})[0]
    ).any((0, 1, 3))
    for rows in (np.flatnonzero(of_y) // 16, np.flatnonzero(of_pixels)):
        assert 20 - halo <= rows.min() < 20 < rows.max() <= 20 + halo


def test_segments_and_strips_of_a_large_picture_round_trip() -> None:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (9, 18, 3), dtype=np.uint8)
    image = np.kron(coarse, np.ones((128, 128, 1), np.uint8))[:1100, :2200]
    data = codec.compress(image, quality=20, content="photo")
    decoded = np.asarray(codec.decompress(data))
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(float) - image).mean() < 20
    y = codec.decode_latent(data)
    assert y.shape == (CHANNELS, 69, 138)
