"""Tiles give what the whole picture gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from latentpress import codec, models
from latentpress.image.picture import read_picture
from latentpress.spaces import LP1
from latentpress.transforms import lp1, tiling

CHANNELS = LP1.channels  # of lp1


@given(st.integers(1, 300), st.integers(1, 20), st.integers(1, 5))
def test_windows_are_the_rows_of_the_whole(rows: int, halo: int, columns: int) -> None:
    whole = np.arange(rows * columns, dtype=np.float32).reshape(1, rows, columns)
    strips = (whole[:, a:b] for a, b in tiling.strips(rows))
    for (a, b), (parts, first, end) in zip(tiling.strips(rows), tiling.windows(strips, rows, halo), strict=True):
        low, high = tiling.with_halo(a, b, halo, rows)
        assert np.array_equal(np.concatenate(parts, axis=1), whole[:, low:high])
        assert len(parts) <= 3
        assert (first, end) == (a - low, b - low)


@given(st.integers(1, 82), st.integers(1, 5000), st.integers(0, 10))
def test_tile_columns_cover_once_and_stay_small(rows: int, columns: int, halo: int) -> None:
    positions = tiling.tile_positions(rows, columns)
    tiles = tiling.tile_columns(rows, columns, halo, positions)
    assert [a for a, _ in tiles] == [0, *(b for _, b in tiles[:-1])]
    assert tiles[-1][1] == columns
    assert max(b - a for a, b in tiles) + 2 * halo * (len(tiles) > 1) <= max(positions // rows, 1)


@pytest.mark.parametrize("positions", [600, 1200])
def test_tiled_equals_untiled_within_a_level(photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, positions: int) -> None:
    picture = read_picture(np.tile(photo, (2, 2, 1))[:555, :790])
    transform = lp1.Lp1Transform("cpu")
    y = np.concatenate(list(transform.analyze(picture)), axis=1)
    pixels = np.concatenate(list(transform.synthesize([y], 790, 555)))
    monkeypatch.setattr(tiling, "STRIP_ROWS", 8)
    monkeypatch.setattr(tiling, "TILE_POSITIONS", positions)
    tiled_y = list(transform.analyze(picture))
    assert len(tiled_y) == 5
    assert np.abs(np.concatenate(tiled_y, axis=1) - y).max() < 1e-3 * np.abs(y).max()
    tiled = np.concatenate(list(transform.synthesize((y[:, a:b] for a, b in tiling.strips(y.shape[1])), 790, 555)))
    assert np.abs(tiled.astype(int) - pixels).max() <= 1


def test_the_halo_covers_the_receptive_fields() -> None:
    rng = np.random.default_rng(0)
    halo, middle = models.manifest("lp1")["halo"], slice(20, 21)
    y = rng.normal(size=(1, CHANNELS, 41, 3)).astype(np.float32)
    other_y = y.copy()
    other_y[:, :, middle] += 5
    pixels = rng.integers(0, 256, (1, 41 * 16, 3 * 16, 3), dtype=np.uint8)
    other_pixels = pixels.copy()
    other_pixels[:, 16 * middle.start : 16 * middle.stop] ^= 255
    analysis, synthesis = models.graph("lp1", "analysis.onnx"), models.graph("lp1", "synthesis.onnx")
    of_y = (synthesis.run({"y": y})[0] != synthesis.run({"y": other_y})[0]).any((0, 2, 3))
    of_pixels = (analysis.run({"pixels": pixels})[0] != analysis.run({"pixels": other_pixels})[0]).any((0, 1, 3))
    for rows in (np.flatnonzero(of_y) // 16, np.flatnonzero(of_pixels)):
        assert 20 - halo <= rows.min() < 20 < rows.max() <= 20 + halo


def test_segments_and_strips_of_a_large_picture_round_trip() -> None:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (9, 18, 3), dtype=np.uint8)
    image = np.kron(coarse, np.ones((128, 128, 1), np.uint8))[:1100, :2200]
    data = codec.compress(image, quality=20)
    decoded = np.asarray(codec.decompress(data))
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(float) - image).mean() < 20
    y = codec.decode_latent(data)
    assert y.shape == (CHANNELS, 69, 138)
