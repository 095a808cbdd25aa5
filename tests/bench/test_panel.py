"""The panel of lp1's models: benchmarks/panel."""

import numpy as np
import pytest

from benchmarks.panel import from_files, from_runs
from benchmarks.panel.goals import GOALS, Goal
from benchmarks.tables.screens import ratio


def test_every_goal_has_a_key_of_its_own() -> None:
    assert len({goal.key for goal in GOALS}) == len(GOALS)


def test_a_goal_is_reached_on_its_side() -> None:
    low, high = Goal("a", "", "", 3, "at most"), Goal("b", "", "", 3, "at least")
    assert [low.reached(v) for v in (2, 3, 4)] == [True, True, False]
    assert [high.reached(v) for v in (2, 3, 4)] == [False, True, True]
    assert Goal("c", "", "").reached(5) is None


def test_what_runs_say_are_goals() -> None:
    values = dict(from_runs.values())
    keys = [goal.key for goal in GOALS]
    assert set(values) <= set(keys)
    for goal in GOALS:
        if goal.goal is not None and goal.key.startswith(("Kodak", "CID22")):
            assert np.isfinite(values[goal.key]), goal.key
    assert values["lowest rate"] < values["highest rate"]


def test_a_metric_is_taken_from_the_first_run_that_holds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the two runs of Kodak only one has LPIPS-VGG, and only one has WebP."""
    values = dict(from_runs.values())
    assert "Kodak bd-rate webp psnr" in values
    assert "Kodak bd-rate webp lpips-vgg" not in values
    assert "Kodak bd-rate avif lpips-vgg" in values
    monkeypatch.setattr(from_runs, "RUNS", {"Kodak": ("unseen", "unseen")})
    assert dict(from_runs.values())["Kodak bd-rate avif psnr"] != values["Kodak bd-rate avif psnr"]


def test_the_ratio_of_bytes_at_equal_scores() -> None:
    low, high = [(10.0, 100), (20.0, 200)], [(50.0, 300), (60.0, 600)]
    assert ratio(low, low) == pytest.approx(1)
    assert ratio([(score, 2 * size) for score, size in low], low) == pytest.approx(2)
    # at equal scores the one whose are higher takes fewer bytes, and the other more
    assert ratio(high, low) == pytest.approx(300 / 200)
    assert ratio(low, [(50.0, 30), (60.0, 60)]) == pytest.approx(200 / 30)


def test_the_step_between_segments() -> None:
    flat = np.full((64, 2048, 3), 100, np.uint8)
    assert from_files._step(flat) == 0
    step = flat.copy()
    step[:, from_files.SEGMENT :, 1] += 3
    assert from_files._step(step) == 3
    noise = np.random.default_rng(0).integers(90, 111, flat.shape).astype(np.uint8)
    assert from_files._step(noise) < 3


def test_the_sky_is_the_same_in_all_columns_and_colors_are_saturated() -> None:
    sky = from_files._sky()
    assert sky.shape == (*from_files.SKY, 3)
    assert (sky == sky[:, :1]).all()
    colors = [tuple(picture[0, 0]) for picture in from_files._colors()]
    assert len(set(colors)) == from_files.HUES
    assert all(min(color) == 0 and max(color) == 255 for color in colors)


def test_how_far_a_mean_color_moves() -> None:
    a = np.zeros((4, 4, 3), np.uint8)
    b = a.copy()
    b[0, :, 2] = 8
    assert from_files._moved(a, b) == 2
