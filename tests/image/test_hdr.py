"""PQ and HLG pictures become SDR as the module says, with a notice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.pictures import PROFILE, read, saved, shown, whole, with_nclx, with_png_chunks
from latentpress.errors import ConversionError
from latentpress.image.cicp import HLG, PQ, Cicp
from latentpress.image.hdr import KNEE, PEAK, REFERENCE_WHITE, hlg_scene, pq_light, to_sdr, tone_map


def encoded(linear: Any) -> Any:
    """Linear 0..1 -> sRGB 0..255 (IEC 61966-2-1)."""
    return 255 * np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.asarray(linear) ** (1 / 2.4) - 0.055
    )


def test_curves_at_the_values_of_the_recommendations() -> None:
    # ITU-R BT.2408-7, table 1: reference white 203 cd/m2 is 58 % PQ and 75 % HLG; 18 % gray, 26
    # cd/m2, is 38 % of both
    assert pq_light(np.array([0.5807, 0.38]))[0] == pytest.approx(203, rel=0.01)
    assert pq_light(np.array([0.0, 1.0])).tolist() == [0, pytest.approx(10000)]
    assert pq_light(np.array([0.7518]))[0] == pytest.approx(1000, rel=0.01)
    scene = hlg_scene(np.array([0.0, 0.38, 0.5, 0.75, 1.0]))
    assert scene[[0, 2, 4]].tolist() == pytest.approx([0, 1 / 12, 1], abs=1e-4)
    assert 1000 * scene[3] ** 1.2 == pytest.approx(203, rel=0.01)
    assert 1000 * scene[1] ** 1.2 == pytest.approx(26, rel=0.03)


def test_the_tone_map_is_the_identity_below_the_knee_and_smooth_and_monotonous_above() -> None:
    light = np.linspace(0, 6, 6001, dtype=np.float32)
    mapped = tone_map(light)
    assert np.array_equal(mapped[light <= KNEE], light[light <= KNEE])
    slopes = np.diff(mapped.astype(float)) / np.diff(light.astype(float))
    assert slopes.min() > -1e-3
    assert np.abs(np.diff(slopes)).max() < 0.02
    assert mapped[light >= PEAK / REFERENCE_WHITE + 0.01].min() == 1
    assert 0.85 < tone_map(np.array([1], np.float32))[0] < 0.95


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_gray_light_below_the_knee_stays_as_bright_as_it_was(transfer: int, mode: str) -> None:
    levels = np.arange(256, dtype=np.uint8)
    image = Image.fromarray(levels[None]).convert(mode)
    out = np.asarray(to_sdr(image, Cicp(9, transfer)))[0]
    assert out.shape == ((256,) if mode == "L" else (256, 3))
    out = out.reshape(256, -1)
    light = pq_light(levels / 255) if transfer == PQ else 1000 * hlg_scene(levels / 255) ** 1.2
    below = light / REFERENCE_WHITE <= KNEE
    assert np.abs(out[below] - encoded(light[below] / REFERENCE_WHITE)[:, None]).max() < 1.01
    assert np.diff(out.astype(int), axis=0).min() >= 0
    assert out[-1].min() == 255


def test_colors_keep_their_place_in_display_p3() -> None:
    """BT.2020 PQ samples of known P3 light come back as that light."""
    p3 = np.array([[0.3, 0.1, 0.05], [0.05, 0.4, 0.2], [0.2, 0.2, 0.6]])
    # linear P3 -> BT.2020: both D65, ITU-R BT.2407
    matrix = np.array(
        [
            [0.753833, 0.198597, 0.047570],
            [0.045744, 0.941777, 0.012479],
            [-0.001210, 0.017602, 0.983609],
        ]
    )
    light = np.maximum(p3 @ matrix.T, 0) * REFERENCE_WHITE
    samples = (
        np.interp(light, pq_light(np.linspace(0, 1, 100001)), np.linspace(0, 255, 100001))
        .round()
        .astype(np.uint8)
    )
    out = np.asarray(to_sdr(Image.fromarray(samples[None]), Cicp(9, PQ)))[0]
    assert np.abs(out - encoded(p3)).max() < 6  # PQ in 8 bits is as coarse as this


@pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
@pytest.mark.parametrize(
    ("primaries", "words"),
    [(9, r"\(BT.2020\) were converted to 8-bit SDR in Display P3"), (1, "in sRGB")],
)
def test_files_are_converted_with_a_notice_and_refused_under_strict(
    tmp_path: Path, transfer: int, name: str, primaries: int, words: str
) -> None:
    image = Image.new("RGB", (16, 16), (110, 110, 110))
    png = with_png_chunks(saved(image, "PNG"), (b"cICP", bytes([primaries, transfer, 0, 1])))
    avif = with_nclx(saved(image, "AVIF", quality=100), primaries, transfer)
    for data in (png, avif):
        picture = read(tmp_path, data)
        assert picture.icc == (PROFILE if primaries == 9 else None)
        right = (
            pq_light(np.array([110 / 255]))
            if transfer == PQ
            else 1000 * hlg_scene(np.array([110 / 255])) ** 1.2
        )
        assert (
            np.abs(shown(whole(picture), picture.icc) - encoded(right / REFERENCE_WHITE)).max()
            < 2.5
        )
        with pytest.raises(ConversionError, match=f"{name} colors .*{words}"):
            read(tmp_path, data, strict=True)
    gray = with_png_chunks(
        saved(image.convert("L"), "PNG"), (b"cICP", bytes([primaries, transfer, 0, 1]))
    )
    assert read(tmp_path, gray).gray
    clear = image.convert("RGBA")
    clear.putalpha(77)
    picture = read(
        tmp_path,
        with_png_chunks(saved(clear, "PNG"), (b"cICP", bytes([primaries, transfer, 0, 1]))),
    )
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[77] * 16] * 16
    assert np.abs(shown(whole(picture), picture.icc) - encoded(right / REFERENCE_WHITE)).max() < 2.5


def test_large_pictures_are_converted_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8))
    at_once = to_sdr(image, Cicp(9, HLG)).tobytes()
    monkeypatch.setattr("latentpress.image.hdr.BAND", 70)
    assert to_sdr(image, Cicp(9, HLG)).tobytes() == at_once
