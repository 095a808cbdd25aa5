"""Crops on the device are what slow, plain code cuts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.crops import LUMA, cut, filter_matrix, keys_cubic
from training.data.kinds import KINDS
from training.data.plan import FLOATS, INTEGERS, Planner
from training.data.store import PAGE, Store, load_held_out, load_store, rgbx


@pytest.fixture(scope="module")
def store(packs: Path) -> Store:
    return load_store(packs, "cpu", pages=2)


def plan(**values: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A plan of one crop, of the names of INTEGERS and FLOATS; 0 where nothing is said."""
    integers = [[int(values.get(name, 0))] for name in INTEGERS]
    floats = [[float(values.get(name, 1.0 if name == "stretch" else 0.0))] for name in FLOATS]
    return torch.tensor(integers), torch.tensor(floats)


def alone(pixels: np.ndarray) -> torch.Tensor:
    """A store's pixels that hold one picture."""
    return torch.from_numpy(rgbx(pixels).ravel().copy())


def some_picture(h: int, w: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (h, w, channels), np.uint8)


@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("flip_y", [0, 1])
@pytest.mark.parametrize("flip_x", [0, 1])
def test_a_native_crop_is_the_pixels_flipped_and_turned(
    turn: int, flip_y: int, flip_x: int
) -> None:
    picture = some_picture(90, 110)
    place = {"height": 90, "width": 110, "top": 7, "left": 12}
    how = {"turn": turn, "flip_y": flip_y, "flip_x": flip_x}
    out, _ = cut(alone(picture), *plan(**place, **how), 64)
    want = picture[7:71, 12:76]
    want = want[::-1] if flip_y else want
    want = want[:, ::-1] if flip_x else want
    want = want.transpose(1, 0, 2) if turn else want
    got = (out[0].permute(1, 2, 0) * 255).round().numpy()
    np.testing.assert_array_equal(got, want)


def test_a_stretched_crop_is_the_stretched_cubic_of_every_pixel() -> None:
    picture = some_picture(150, 140)
    where = {"height": 150, "width": 140, "top": 4, "left": 9, "start_y": 0.3, "start_x": 0.75}
    out, _ = cut(alone(picture), *plan(**where, stretch=1.7), 64)
    for i, j in ((0, 0), (20, 41), (63, 63)):
        total, weights = np.zeros(3), 0.0
        y = (i + 0.5) * 1.7 - 0.5 + 4.3
        x = (j + 0.5) * 1.7 - 0.5 + 9.75
        for r in range(int(y) - 5, int(y) + 7):  # the kernel reaches 3.4 pixels
            for c in range(int(x) - 5, int(x) + 7):
                ky, kx = (float(keys_cubic(torch.tensor(d / 1.7))) for d in (r - y, c - x))
                total += ky * kx * picture[max(r, 0), max(c, 0)]
                weights += ky * kx
        want = np.clip(np.round(total / weights), 0, 255)
        np.testing.assert_allclose(out[0, :, i, j].numpy() * 255, want, atol=1.01)


def test_flat_pictures_stay_flat_and_edges_repeat() -> None:
    picture = np.full((70, 70, 3), (10, 200, 77), np.uint8)
    out, _ = cut(alone(picture), *plan(height=70, width=70, start_y=0.4, stretch=1.09), 64)
    levels = (out[0] * 255).round().flatten(1)
    assert levels.unique(dim=1).flatten().tolist() == [10, 200, 77]


def test_a_gray_crop_has_the_luma_and_the_mask_is_the_fourth_byte() -> None:
    picture = some_picture(64, 64, 4)
    out, mask = cut(alone(picture), *plan(height=64, width=64, gray=1), 64)
    luma = np.round(picture[..., :3] @ np.array(LUMA))
    np.testing.assert_allclose(out[0].numpy() * 255, np.stack([luma] * 3), atol=0.6)
    np.testing.assert_allclose(mask[0, 0].numpy() * 255, picture[..., 3], atol=1e-3)


def test_rows_of_the_filter_sum_to_one() -> None:
    start, stretch = torch.rand(5), 1 + torch.rand(5)
    weights = filter_matrix(start, stretch, torch.rand(5) < 0.5, 48, 106)
    torch.testing.assert_close(weights.sum(2), torch.ones(5, 48))


def test_plans_stay_inside_their_pictures_and_keep_to_the_kinds(store: Store) -> None:
    drawn = Planner(store, 7, 0.3, seed=1).draw(600, 192)
    row = dict(zip(INTEGERS, drawn.integers, strict=True))
    real = dict(zip(FLOATS, drawn.floats, strict=True))
    for side, first, start in (("height", "top", "start_y"), ("width", "left", "start_x")):
        begin = row[first] + real[start]
        assert (begin >= 0).all()
        assert (begin + 192 * real["stretch"] <= row[side] + 1e-3).all()
    painted = row["base"] >= store.first_page
    assert 0.2 < painted.mean() < 0.4
    assert (real["stretch"][painted] == 1).all()
    assert not (row["turn"] | row["flip_y"] | row["flip_x"])[painted].any()
    assert (row["height"][painted] == PAGE).all()
    assert 0 <= real["level"].min() < 0.5 < 5.5 < real["level"].max() <= 6
    assert real["stretch"].max() > 1.1
    chart = store.offset[store.kinds.index(KINDS["chart"])]
    assert (real["stretch"][row["base"] == chart] == 1).all()


def test_the_same_seed_draws_the_same_plan(store: Store) -> None:
    a, b = (Planner(store, 7, 0.1, seed=5).draw(8, 192) for _ in range(2))
    np.testing.assert_array_equal(a.integers, b.integers)
    np.testing.assert_array_equal(a.floats, b.floats)


def test_held_out_pictures_are_not_in_the_store(store: Store, packs: Path) -> None:
    assert len(store.kinds) == 4
    assert store.kinds.count(KINDS["wallpaper"]) == 1
    held = load_held_out(packs)
    assert [tuple(x.shape) for x in held] == [(1, 3, 224, 224)] * 2
    assert all(0 <= float(x.min()) < 0.2 < 0.8 < float(x.max()) <= 1 for x in held)


def test_a_size_that_no_picture_has_is_an_error(store: Store) -> None:
    with pytest.raises(ValueError, match="no picture has 512"):
        Planner(store, 7, 0.0, seed=0).draw(2, 512)
