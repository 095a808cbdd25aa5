"""Targets: a size is never passed and nearly reached, a metric is reached by little, what cannot be
met says the nearest.
"""

import math
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.paths import DATA
from latentpress import targets
from latentpress.container import LATENT_TRELLIS, read_header, unpack
from latentpress.errors import TargetError, UsageError
from latentpress.metrics import METRICS, psnr, ssim
from latentpress.options import TOP_STEP, EncodeOptions
from latentpress.targets import Analyzed
from latentpress.targets.bracket import MAX_PROBES, Sizes, WrittenFiles, bracket


@pytest.fixture(scope="module")
def analyzed(photo: NDArray[np.uint8]) -> Analyzed:
    return Analyzed(photo)


def test_an_analyzed_picture_gives_the_files_of_compress(
    photo: NDArray[np.uint8], analyzed: Analyzed
) -> None:
    assert analyzed.write(3333) == latentpress.compress(photo, quality=33.33)


@settings(max_examples=12, deadline=None)
@given(share=st.floats(0.02, 0.98))
def test_a_size_is_never_passed_and_nearly_reached(analyzed: Analyzed, share: float) -> None:
    least, most = len(analyzed.write(0)), len(analyzed.write(TOP_STEP))
    limit = int(least * (most / least) ** share)
    data = targets.to_size(analyzed, limit)
    assert 0.99 * limit <= len(data) <= limit


def test_what_a_metric_finds_in_the_picture_is_found_once_in_a_search(
    analyzed: Analyzed, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = METRICS["ssimulacra2"]
    measured = analyzed.measuring(metric)
    for step in (1000, 7000):
        data = analyzed.write(step)
        assert measured(data) == analyzed.measure(data, metric.function)
    found = []
    keeping = lambda original: found.append(original) or metric.keeping(original)
    monkeypatch.setitem(METRICS, "ssimulacra2", metric._replace(keeping=keeping))
    data = targets.to_metric(analyzed, "ssimulacra2", 40)
    assert 40 <= analyzed.measure(data, metric.function) < 42
    assert len(found) == 1


def written_for(analyzed: Analyzed, limit: int) -> list[int]:
    """The sizes of the files that a search for a size writes, in order."""
    files = WrittenFiles(lambda step: [analyzed.write(step)])
    files.within(limit, analyzed.fixed_bytes(), analyzed.log_sizes())
    return list(files.sizes.values())


def test_five_probes_come_within_a_hundredth(analyzed: Analyzed) -> None:
    least, most = len(analyzed.write(0)), len(analyzed.write(TOP_STEP))
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        limit = int(least * (most / least) ** share)
        assert max(s for s in written_for(analyzed, limit)[:5] if s <= limit) >= 0.99 * limit


@pytest.mark.parametrize(
    ("name", "bpp"), [("kodim03", 0.08), ("kodim08", 0.8), ("kodim13", 0.25), ("kodim20", 0.14)]
)
def test_five_probes_on_kodak(name: str, bpp: float) -> None:
    path = DATA / "kodak" / f"{name}.png"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    analyzed = Analyzed(path)
    limit = int(bpp * analyzed.pixels / 8)
    assert max(s for s in written_for(analyzed, limit)[:5] if s <= limit) >= 0.99 * limit


def test_side_chunks_count_and_do_not_mislead(photo: NDArray[np.uint8]) -> None:
    image = Image.fromarray(photo)
    image.info["exif"] = (
        b"Exif\0\0" + np.random.default_rng(0).integers(0, 256, 10_240, np.uint8).tobytes()
    )  # not to be deflated
    analyzed = Analyzed(image)
    assert analyzed.fixed_bytes() > 10_000
    limit = analyzed.fixed_bytes() + 3000
    found = written_for(analyzed, limit)
    assert max(s for s in found[:5] if s <= limit) >= 0.99 * limit
    with pytest.raises(
        TargetError, match=r"the least.*; metadata take 10,240 bytes, which `strip` leaves out"
    ):
        targets.to_size(analyzed, 9000)
    with pytest.raises(TargetError, match="metadata take 10,240 bytes"):
        targets.to_rate(analyzed, 0.1)
    with pytest.raises(TargetError, match="metadata take 20,480 bytes"):
        targets.to_total([analyzed, analyzed], 9000)


def test_a_limit_above_the_largest_file_gives_quality_100(analyzed: Analyzed) -> None:
    assert read_header(targets.to_size(analyzed, 10**9)).quality == 100


def test_a_rate_counts_the_whole_file(analyzed: Analyzed) -> None:
    middle = 8 * len(analyzed.write(TOP_STEP // 2)) / analyzed.pixels
    assert 0.99 * middle <= read_header(targets.to_rate(analyzed, middle)).bpp <= middle


def test_one_quality_for_all_sums_to_the_budget(
    photo: NDArray[np.uint8], small: NDArray[np.uint8]
) -> None:
    limit = sum(len(latentpress.compress(x, quality=47.11)) for x in (photo, small))
    files = targets.to_total([photo, small], limit)
    assert 0.99 * limit <= sum(map(len, files)) <= limit
    assert len({read_header(f).quality for f in files}) == 1


def test_a_budget_for_many_pictures_holds_the_pixels_of_one(
    photo: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(photo).save(path)
    held: list[weakref.ref[Image.Image]] = []
    load = targets.analyzed.pipeline.read_picture

    def counted(*source: Any, **how: Any) -> Any:
        picture = load(*source, **how)
        assert not any(other() is not None for other in held)
        held.append(weakref.ref(picture.stored))
        return picture

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets.analyzed.pipeline, "read_picture", counted)
        assert len(targets.to_total([path] * 3, 9000)) == 3


@pytest.mark.parametrize(("name", "metric"), [("psnr", psnr), ("ssim", ssim)])
def test_a_metric_is_reached_by_the_least_quality(
    photo: NDArray[np.uint8], analyzed: Analyzed, name: str, metric: Any
) -> None:
    value = analyzed.measure(
        latentpress.compress(photo, quality=60, optimize_for="mse" if name == "psnr" else None),
        metric,
    )
    data = targets.to_metric(analyzed, name, value)
    assert metric(photo, np.asarray(latentpress.decompress(data))) >= value
    # from tenth to tenth of a quality SSIM goes up and down by .003 on so small a picture
    assert 57 <= read_header(data).quality <= 61


def test_a_metric_that_falls_with_quality(photo: NDArray[np.uint8], analyzed: Analyzed) -> None:
    from latentpress.metrics import mse

    data = targets.to_metric(
        analyzed,
        "mse",
        analyzed.measure(latentpress.compress(photo, quality=40, optimize_for="mse"), mse),
    )
    assert 39 <= read_header(data).quality <= 40.5
    assert analyzed.options.optimize_for is None  # the caller's own


def test_psnr_is_reached_with_the_same_steps_everywhere(
    photo: NDArray[np.uint8], analyzed: Analyzed
) -> None:
    value = analyzed.measure(analyzed.write(6000), psnr)
    data = targets.to_metric(analyzed, "psnr", value)
    assert unpack(data)[0].chunks[0].type == LATENT_TRELLIS
    assert len(data) < len(
        targets.to_metric(photo, "psnr", value, options=EncodeOptions(optimize_for="perceptual"))
    )


def test_what_cannot_be_met_names_the_nearest_and_best_effort_gives_it(
    photo: NDArray[np.uint8], analyzed: Analyzed
) -> None:
    least, best = (
        len(analyzed.write(0)),
        analyzed.measure(latentpress.compress(photo, quality=100, optimize_for="mse"), psnr),
    )
    with pytest.raises(TargetError, match=f"{least:,}") as raised:
        targets.to_size(analyzed, 50)
    assert raised.value.nearest == [analyzed.write(0)]
    assert len(targets.to_size(analyzed, 50, best_effort=True)) == least
    with pytest.raises(TargetError, match=f"{8 * least / analyzed.pixels:.4f}"):
        targets.to_rate(analyzed, 1e-4)
    with pytest.raises(TargetError, match=f"{best:.4g}") as raised:
        targets.to_metric(analyzed, "psnr", 60)
    assert read_header(raised.value.nearest[0]).quality >= 99
    assert read_header(targets.to_metric(analyzed, "psnr", 60, best_effort=True)).quality >= 99
    with pytest.raises(TargetError) as raised:
        targets.to_total([analyzed, analyzed], 60)
    assert list(map(len, raised.value.nearest)) == [least, least]


def test_targets_that_mean_nothing_are_refused(analyzed: Analyzed) -> None:
    for wrong in (
        lambda: targets.to_size(analyzed, 0),
        lambda: targets.to_size(analyzed, math.inf),  # type: ignore[arg-type]
        lambda: targets.to_total([analyzed], math.nan),  # type: ignore[arg-type]
        lambda: targets.to_rate(analyzed, 0),
        lambda: targets.to_rate(analyzed, math.nan),
        lambda: targets.to_metric(analyzed, "beauty", 3),
    ):
        with pytest.raises(UsageError):
            wrong()


@settings(max_examples=200, deadline=None)
@given(root=st.floats(-50, TOP_STEP + 50), power=st.floats(0.2, 4))
def test_the_bracket_holds_the_root_of_any_rising_function(root: float, power: float) -> None:
    probes: list[int] = []

    def gap(step: int) -> float:
        probes.append(step)
        return math.copysign(abs((step - root) / 1000) ** power, step - root)

    low, high = bracket(gap, start=TOP_STEP // 2, done=lambda low, high: high - low <= 1)
    assert -1 <= low < high <= TOP_STEP + 1
    assert low < 0 or gap(low) < 0
    assert high > TOP_STEP or gap(high) >= 0
    assert len(probes) <= MAX_PROBES + 3
    if root < -1:
        assert (low, high) == (-1, 0)
    if root > TOP_STEP + 1:
        assert (low, high) == (TOP_STEP, TOP_STEP + 1)


def test_sizes_that_go_up_and_down_lead_no_search_astray() -> None:
    estimate = np.linspace(math.log(100), math.log(1800), TOP_STEP + 1)
    wobble = np.random.default_rng(0).normal(0, 0.015, TOP_STEP + 1)  # as of 3500 pixels
    sizes = np.exp(0.97 * estimate + 0.2 + wobble).astype(int)
    for limit in range(200, 1500):
        files = Sizes(lambda step: int(sizes[step]))
        assert files.size(files.within(limit, 25, estimate)) >= 0.9 * limit


def test_what_is_no_rate_and_no_picture_is_usage() -> None:
    for bpp in (0, -1, math.inf, math.nan):
        with pytest.raises(UsageError, match="a rate is"):
            targets.to_rate(np.zeros((8, 8, 3), np.uint8), bpp)
    for value in (math.inf, -math.inf, math.nan):
        with pytest.raises(UsageError, match="a finite value of psnr"):
            targets.to_metric(np.zeros((8, 8, 3), np.uint8), "psnr", value)
    with pytest.raises(UsageError, match="no picture"):
        targets.to_total([], 1000)
    # more than any machine's integer
    assert read_header(targets.to_rate(np.zeros((8, 8, 3), np.uint8), 1e308)).quality == 100


def test_a_rate_may_be_met_to_the_byte() -> None:
    """8 x bytes / pixels x pixels / 8 may be a little less than the bytes."""
    for width in range(20, 60):
        analyzed = targets.Analyzed(np.zeros((20, width, 3), np.uint8))
        data = analyzed.write(0)
        assert len(targets.to_rate(analyzed, 8 * len(data) / analyzed.pixels)) == len(data)


def test_a_size_that_only_the_latent_reaches_is_reached() -> None:
    dots = np.random.default_rng(0).integers(0, 2, (96, 128), np.uint8) * 255
    auto = EncodeOptions(content="auto")
    layer = latentpress.compress(dots, quality=0, content="auto")
    photo = latentpress.compress(dots, quality=0, content="photo")
    assert len(photo) < len(layer)
    assert targets.to_size(dots, len(layer), options=auto) == layer
    limit = (len(photo) + len(layer)) // 2
    assert targets.to_size(dots, limit, options=auto) == targets.to_size(
        dots, limit, options=EncodeOptions(content="photo")
    )
    assert targets.to_size(dots, 50, options=auto, best_effort=True) == photo
    with pytest.raises(TargetError, match=f"the least, at quality 0, has {len(photo):,}"):
        targets.to_size(dots, 50, options=auto)
    with pytest.raises(TargetError, match=f"has {len(layer):,}"):  # as asked for
        targets.to_size(dots, limit, options=EncodeOptions(content="screen"))


def test_a_total_that_only_the_latents_of_some_drawings_reach_is_reached() -> None:
    dots = np.random.default_rng(0).integers(0, 2, (96, 128), np.uint8) * 255
    square = np.full((96, 128), 255, np.uint8)
    square[30:60, 40:90] = 0  # which a layer shows in fewer bytes than a latent
    pictures = [dots, square]
    layers = [latentpress.compress(picture, quality=0) for picture in pictures]
    latents = [latentpress.compress(picture, quality=0, content="photo") for picture in pictures]
    least = [latents[0], layers[1]]
    assert list(map(len, least)) == list(map(min, map(len, layers), map(len, latents)))
    limit = sum(map(len, least))
    for more in (0, 100, 300):
        files = targets.to_total(pictures, limit + more)
        assert 0.97 * (limit + more) < sum(map(len, files)) <= limit + more < sum(map(len, layers))
    assert targets.to_total(pictures, 100, best_effort=True) == least
    with pytest.raises(TargetError, match=f"at quality 0 they have {limit:,}"):
        targets.to_total(pictures, limit - 1)
    assert targets.to_total(pictures, sum(map(len, layers))) == layers
