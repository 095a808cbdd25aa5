"""The painters of synthetic pictures: shapes, repeatability, masks, and what each kind promises."""

import colorsys
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from training.data.painters import PAINTERS, SHARES, TEXTLESS, flats, paint, patterns
from training.data.painters import text as texts
from training.data.painters.canvas import Canvas, Look
from training.data.painters.fonts import Fonts, collect, default_folders


@pytest.fixture(scope="module")
def fonts() -> Fonts:
    return Fonts.found()


def test_every_kind_has_a_share() -> None:
    assert set(SHARES) == set(PAINTERS)
    assert sum(SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize("size", [64, 200, 512])
@pytest.mark.parametrize("kind", PAINTERS)
def test_pictures_have_the_wanted_shape(kind: str, size: int, fonts: Fonts) -> None:
    for seed in range(2 if size == 512 else 6):
        picture = paint(np.random.default_rng(seed), size, fonts, kind)
        assert picture.shape == (size, size, 4)
        assert picture.dtype == np.uint8
        assert set(np.unique(picture[..., 3])) <= {0, 255}


@pytest.mark.parametrize("kind", PAINTERS)
def test_a_seed_gives_one_picture(kind: str, fonts: Fonts) -> None:
    first, again, other = (paint(np.random.default_rng(s), 96, fonts, kind) for s in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_worker_that_starts_later_paints_the_same(fonts: Fonts) -> None:
    copy = pickle.loads(pickle.dumps(fonts))
    for seed in range(6):
        pictures = [paint(np.random.default_rng(seed), 128, f, "text") for f in (fonts, copy)]
        assert np.array_equal(*pictures)


@pytest.mark.parametrize("kind", TEXTLESS)
def test_textless_kinds_have_empty_masks(kind: str, fonts: Fonts) -> None:
    for seed in range(8):
        assert not paint(np.random.default_rng(seed), 160, fonts, kind)[..., 3].any()


@pytest.mark.parametrize("mode", ["smooth", "aliased", "rgb", "bgr"])
def test_the_mask_covers_glyphs_and_little_more(mode: str, fonts: Fonts) -> None:
    canvas = Canvas(128, (255, 255, 255))
    font = fonts.open(fonts.choose(np.random.default_rng(1)), 20)
    canvas.text((10, 40), "Glyphs", font, (0, 0, 0), Look(mode))
    picture = canvas.pixels()
    inked = (picture[..., :3] < 255).any(2)
    rows, columns = np.nonzero(picture[..., 3])
    near = np.pad(inked, 2)
    assert inked.sum() > 50
    assert (picture[inked][:, 3] == 255).all()
    assert all(near[y : y + 5, x : x + 5].any() for y, x in zip(rows, columns, strict=True))


def test_masks_cover_the_glyphs_of_pages(fonts: Fonts) -> None:
    for seed in range(4):
        canvas = Canvas(200, (255, 255, 255))
        texts.page(np.random.default_rng(seed), canvas, fonts, (0, 0, 0), Look())
        picture = canvas.pixels()
        glyphs = (picture[..., :3] < 255).any(2)
        rules = (picture[..., :3] < 255).any(2).mean(1) > 0.9  # a rule is not text
        assert (picture[..., 3][glyphs & ~rules[:, None]] == 255).mean() > 0.97


def test_most_texts_have_a_mask_and_most_screens_do(fonts: Fonts) -> None:
    for kind, least in (("text", 10), ("interface", 8), ("chart", 8)):
        masks = [PAINTERS[kind](np.random.default_rng(s), 128, fonts)[..., 3] for s in range(10)]
        assert sum(bool(mask.any()) for mask in masks) >= least


def test_a_checker_of_one_pixel_alternates() -> None:
    pixels = patterns.checker(np.random.default_rng(3), 40, 41, cell=1)
    assert np.array_equal(pixels[2:], pixels[:-2])
    assert np.array_equal(pixels[:, 2:], pixels[:, :-2])
    assert (pixels[1:] != pixels[:-1]).any(2).all()
    assert (pixels[:, 1:] != pixels[:, :-1]).any(2).all()


def test_flats_have_few_colors() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        assert len(np.unique(flats.single(rng, 64, 64).reshape(-1, 3), axis=0)) == 1
        assert len(np.unique(flats.split(rng, 64, 64).reshape(-1, 3), axis=0)) <= 2


def test_single_colors_reach_every_saturated_hue() -> None:
    rng, bins = np.random.default_rng(0), set()
    for _ in range(300):
        red, green, blue = (int(v) for v in flats.single(rng, 4, 4)[0, 0])
        hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
        if saturation > 0.95 and value > 0.95:
            bins.add(int(hue * 12) % 12)
    assert bins == set(range(12))


def test_kinds_are_drawn_by_their_shares(fonts: Fonts) -> None:
    pictures = [paint(np.random.default_rng(seed), 64, fonts) for seed in range(30)]
    with_text = sum(bool(picture[..., 3].any()) for picture in pictures)
    assert 8 <= with_text <= 27


def test_without_any_folder_pillows_own_face_writes() -> None:
    fonts = Fonts.found(folders=[])
    assert fonts.faces == []
    assert fonts.font(np.random.default_rng(0), 20).getlength("Latin") > 20
    for kind in ("text", "interface", "chart", "line_art"):
        assert paint(np.random.default_rng(1), 128, fonts, kind).shape == (128, 128, 4)


@pytest.mark.skipif(not default_folders(), reason="this machine has no fonts")
def test_faces_travel_in_an_archive(tmp_path: Path) -> None:
    chosen = collect(default_folders()[:1], 1_500_000)
    assert chosen
    assert sum(len(data) for data in chosen.values()) <= 1_500_000
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for name, data in chosen.items():
            archive.writestr(name, data)
        archive.writestr("README.txt", "no face")
    fonts = Fonts.found(tmp_path / "faces.zip")
    assert len(fonts.faces) == len(chosen)
    assert fonts.font(np.random.default_rng(0), 14) is not None


def test_broken_and_symbol_faces_are_left_out() -> None:
    assert Fonts([b"no face at all", Path("/nowhere/face.ttf")]).faces == []
    names = " ".join(face.family.lower() for face in Fonts.found().faces)
    assert not any(word in names for word in ("cmsy", "cmex", "emoji", "stixsiz", "stixnonuni"))
