"""The choice between latent and screen layer, and the floor under every picture."""

import io
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import latentpress
from benchmarks.data.patterns import PATTERNS
from helpers.paths import DATA, ROOT
from latentpress import targets
from latentpress.container import SCREEN, SCREEN_WHOLE, unpack
from latentpress.content import lost, screen_layer
from latentpress.content.features import color_share, features, is_lettered, is_written
from latentpress.content.floor import RISKY, risks
from latentpress.content.regions import continued, drawn_region, filled, regions
from latentpress.content.trial import Trial
from latentpress.image import lossless_webp
from latentpress.image.picture import read_picture
from latentpress.options import EncodeOptions
from latentpress.screen.pieces import WEBP_METHOD

Pixels = NDArray[np.uint8]
AUTO = EncodeOptions(content="auto")
BLOCK = 64


@cache
def photo(width: int = 256, height: int = 192) -> Pixels:
    image = Image.open(ROOT / "samples" / "coffee.jpg").convert("RGB")
    return np.asarray(image.crop((40, 40, 40 + width, 40 + height)))


def page(width: int = 320, height: int = 256, ink: tuple[int, int, int] = (20, 20, 30)) -> Pixels:
    image = Image.new("RGB", (width, height), (252, 250, 245))
    draw = ImageDraw.Draw(image)
    for y in range(6, height - 12, 15):
        draw.text(
            (8, y), "The quick brown fox jumps over the lazy dog; 0123456789 times."[y % 7 :], ink
        )
    return np.asarray(image)


@pytest.mark.parametrize("name", ["astronaut", "china", "coffee", "flower"])
def test_photographs_are_the_same_files(name: str) -> None:
    image = Image.open(ROOT / "samples" / f"{name}.jpg").convert("RGB")
    image.thumbnail((400, 400))
    assert latentpress.compress(image, content="auto") == latentpress.compress(
        image, content="photo"
    )


@pytest.mark.parametrize("quality", [0, 50, 100])
@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (3, 250, 9)])
def test_a_single_color_takes_few_bytes_and_is_exact(
    color: tuple[int, int, int], quality: float
) -> None:
    pixels = np.full((512, 512, 3), color, np.uint8)
    data = latentpress.compress(pixels, quality=quality, content="auto")
    assert len(data) <= 120
    np.testing.assert_array_equal(np.asarray(latentpress.decompress(data)), pixels)


def test_a_page_is_a_layer_and_smaller_and_better() -> None:
    pixels = page()
    plain = latentpress.compress(pixels, quality=60, content="photo")
    data = latentpress.compress(pixels, quality=60, content="auto")
    assert SCREEN_WHOLE in unpack(data)[1]
    assert len(data) < len(plain)
    errors = [
        np.abs(np.asarray(latentpress.decompress(d)).astype(int) - pixels).mean()
        for d in (data, plain)
    ]
    assert errors[0] < errors[1]


def test_text_below_a_photograph_is_a_layer_and_the_photograph_a_latent() -> None:
    pixels = np.concatenate([photo(384, 256), page(384, 128)])
    data = latentpress.compress(pixels, quality=50, content="auto")
    chunks = unpack(data)[1]
    assert SCREEN in chunks
    layer = screen_layer(read_picture(pixels), AUTO)
    assert layer is not None
    assert layer.mask[8:].all()
    assert layer.mask[:8].mean() < 0.15
    decoded = np.asarray(latentpress.decompress(data)).astype(int)
    assert np.abs(decoded[256:] - pixels[256:]).mean() < 4


@pytest.mark.parametrize("quality", [60, 90])
def test_a_page_that_was_a_jpeg_is_a_layer_as_a_whole(quality: int) -> None:
    """Its letters are no flat cells, since JPEG leaves traces about them; its margins are."""
    image = Image.new("L", (640, 800), 235)
    draw = ImageDraw.Draw(image)
    for y in range(100, 700, 27):
        line = "The quick brown fox jumps over the lazy dog"[y % 7 :]
        draw.text((90, y), line, 20, ImageFont.load_default(22))
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    found = features(read_picture(file.getvalue()))
    assert (found.flat >= 0.4).mean() < 0.6
    layer = screen_layer(read_picture(file.getvalue()), AUTO)
    assert layer is not None
    assert layer.is_whole


def small_text(ink: int = 0, paper: int = 255, pitch: int = 17) -> Pixels:
    """A page of 11-pixel text, gray levels. pitch: rows from line to line."""
    image = Image.new("L", (480, 512), paper)
    draw = ImageDraw.Draw(image)
    for y in range(48, 453, pitch):
        line = ("The quick brown fox jumps over the lazy dog; 0123456789 times. " * 2)[y % 9 :]
        draw.text((48, y), line[:60], ink, ImageFont.load_default(11))
    return np.asarray(image)


def as_jpeg(pixels: Pixels, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(file, "JPEG", quality=quality)
    return file.getvalue()


@pytest.mark.parametrize(
    ("pixels", "quality"),
    [
        (small_text(), 60),
        (small_text(), 95),
        (small_text(230, 0, pitch=14), 80),
    ],
    ids=["white", "hardly", "dark"],
)
def test_small_text_that_was_a_jpeg_is_a_layer_as_a_whole(pixels: Pixels, quality: int) -> None:
    """Hardly a cell of it is flat with sharp edges."""
    data = as_jpeg(pixels, quality)
    layer = screen_layer(read_picture(data), AUTO)
    assert layer is not None
    assert layer.is_whole
    plain, auto = (latentpress.compress(data, quality=50, content=c) for c in ("photo", "auto"))
    errors = [
        np.abs(np.asarray(latentpress.decompress(d).convert("L")).astype(int) - pixels).mean()
        for d in (plain, auto)
    ]
    assert errors[1] < 0.6 * errors[0]


def test_a_scan_with_noise_is_a_layer_though_no_cell_is_flat() -> None:
    clean = Image.fromarray(small_text(20, 244)).rotate(1, Image.Resampling.BICUBIC, fillcolor=244)
    noise = np.random.default_rng(1).normal(0, 4, (512, 480, 3))
    pixels = np.clip(np.rint(np.asarray(clean)[..., None] + noise), 0, 255).astype(np.uint8)
    picture = read_picture(pixels)
    found = features(picture)
    assert not (found.flat >= 0.4).any()
    assert is_written(picture, found.busy)
    layer = screen_layer(picture, AUTO)
    assert layer is not None
    assert layer.is_whole


def test_text_over_a_photograph_and_what_has_no_ground_are_not_written() -> None:
    over = np.array(Image.fromarray(photo()).resize((512, 512)))
    over[96:416, 64:448] = small_text()[96:416, 48:432, None]
    noise = np.random.default_rng(2).integers(0, 256, (256, 256, 3), np.uint8)
    for pixels in (over, noise):
        picture = read_picture(pixels)
        found = features(picture)
        assert found.busy.mean() >= 0.2
        assert not is_written(picture, found.busy)


def test_the_rest_of_a_map_follows_its_small_legend() -> None:
    """Names on grounds of many colors, and a white legend, the one part that is flat."""
    random = np.random.default_rng(4)
    image = Image.new("RGB", (640, 480))
    draw = ImageDraw.Draw(image)
    for y in range(0, 480, 80):
        for x in range(0, 640, 80):
            draw.rectangle((x, y, x + 79, y + 79), tuple(random.integers(150, 230, 3).tolist()))
    noise = random.normal(0, 2, (480, 640, 1))
    image = Image.fromarray(np.clip(np.array(image) + noise, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for y in range(4, 470, 15):
        draw.text(
            (4 + y % 40, y),
            "Station Road, Church Street, Mill Lane, High Street " * 2,
            (40, 40, 60),
        )
    draw.rectangle((160, 128, 416, 288), (255, 255, 255))
    for y in range(134, 276, 15):
        draw.text((170, y), "a legend of the map", (20, 20, 30))
    picture = read_picture(np.asarray(image))
    found = features(picture)
    assert 0.05 < drawn_region(found).mean() < 0.25
    layer = screen_layer(picture, AUTO)
    assert layer is not None
    assert layer.is_whole


@pytest.mark.parametrize(("columns", "lettered"), [(10, False), (14, False), (20, True)])
def test_lettering_leaves_half_of_a_cell_to_its_ground(columns: int, lettered: bool) -> None:
    """The colored squares of a mosaic that was a JPEG leave less to any color of theirs."""
    pixels = np.random.default_rng(columns).integers(0, 256, (256, 256, 3), np.uint8)
    pixels[:, np.arange(256) % 32 < columns] = 100
    picture = read_picture(pixels)
    busy = features(picture).busy
    assert busy.all()
    assert is_lettered(picture, busy, np.ones_like(busy)) is lettered


def icon(size: int) -> Pixels:
    """A badge in the shades of one color, smooth at its borders: no two rows are the same."""
    y, x = np.mgrid[:size, :size] / (size - 1) - 0.5
    inside = np.clip((0.45 - np.hypot(x, y)) * size, 0, 1)[..., None]
    mark = np.clip((0.2 - np.abs(x) - np.abs(y)) * size, 0, 1)[..., None]
    badge = np.array([40, 110, 220]) * (1 - 0.6 * y[..., None])
    shown = 255 * (1 - inside) + inside * (badge * (1 - mark) + 255 * mark)
    return np.rint(np.clip(shown, 0, 255)).astype(np.uint8)


@pytest.mark.parametrize("size", [24, 32, 64, 128])
def test_an_icon_is_a_layer(size: int) -> None:
    layer = screen_layer(read_picture(icon(size)), AUTO)
    assert layer is not None
    assert layer.is_whole


@pytest.mark.parametrize("size", [24, 64, 128])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_small_photograph_is_a_latent(size: int, mode: str) -> None:
    image = Image.open(ROOT / "samples" / "coffee.jpg").convert(mode)
    image.thumbnail((size, size))
    assert screen_layer(read_picture(np.asarray(image)), AUTO) is None


def test_what_is_chosen_does_not_follow_from_the_quality_and_sizes_rise() -> None:
    pixels = np.concatenate([photo(256, 192), page(256, 192)])
    files = [latentpress.compress(pixels, quality=q, content="auto") for q in (0, 30, 60, 90)]
    assert [len(data) for data in files] == sorted(len(data) for data in files)
    assert len({tuple(unpack(data)[1]) for data in files}) == 1


@pytest.mark.parametrize(
    "make", [page, lambda: np.concatenate([photo(256, 192), page(256, 192)])], ids=["page", "both"]
)
def test_targets_are_met(make: object) -> None:
    pixels = make()  # type: ignore[operator]
    middle = len(latentpress.compress(pixels, quality=50, content="auto"))
    data = targets.to_size(pixels, middle, options=AUTO)
    assert 0.85 * middle <= len(data) <= middle
    assert len(targets.to_rate(pixels, 8 * middle / pixels[..., 0].size, options=AUTO)) <= middle
    files = targets.to_total([pixels, photo()], 2 * middle, options=AUTO)
    assert sum(map(len, files)) <= 2 * middle
    reached = targets.to_metric(pixels, "psnr", 30, options=AUTO)
    error = np.square(np.asarray(latentpress.decompress(reached)).astype(float) - pixels).mean()
    assert error <= 255**2 / 1000


def test_hidden_colors_do_not_make_a_screen() -> None:
    clear = np.dstack([photo(), np.full(photo().shape[:2], 255, np.uint8)])
    clear[:64, :, 3] = 0
    clear[:64, :, :3] = page(256, 64)
    assert latentpress.compress(clear, content="auto") == latentpress.compress(
        clear, content="photo"
    )


def foliage(width: int = 512, height: int = 384) -> Pixels:
    """A photograph with leaves before a white sky in a corner: flat cells with sharp edges."""
    random = np.random.default_rng(3)
    pixels = np.array(Image.fromarray(photo()).resize((width, height)))
    leaves = random.integers(0, 160, (96, 128, 3), np.uint8)
    is_leaf = random.random((24, 32)).repeat(4, 0).repeat(4, 1) < 0.12
    pixels[:96, :128] = np.where(is_leaf[..., None], leaves, np.uint8(255))
    return pixels


def test_leaves_before_a_white_sky_have_many_colors_and_are_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tried(*_: object) -> bool:
        raise AssertionError("both ways were tried")

    monkeypatch.setattr("latentpress.content.trial.Trial.prefers_layer", tried)
    picture = read_picture(foliage())
    found = features(picture)
    region = drawn_region(found)
    assert 4 <= region.sum() < 0.25 * region.size
    assert color_share(picture, region & found.drawn) > 0.7
    assert screen_layer(picture, AUTO) is None
    letters = np.array(foliage())
    letters[:96, :128] = page(128, 96)
    picture = read_picture(letters)
    found = features(picture)
    assert color_share(picture, drawn_region(found) & found.drawn) < 0.5
    with pytest.raises(AssertionError, match="both ways"):
        screen_layer(picture, AUTO)


def test_fine_patterns_are_measured_in_levels() -> None:
    pixels = np.full((64, 96, 3), 90, np.uint8)
    pixels[:, :32, 1] += np.uint8(60) * (np.arange(32) % 2).astype(np.uint8)  # columns
    pixels[32:, 64:, 2] += np.uint8(40) * (np.arange(32) % 2).astype(np.uint8)[:, None]  # rows
    fine = features(read_picture(pixels)).fine
    np.testing.assert_allclose(fine, [[60, 0, 0], [60, 0, 40]], atol=2)
    smooth = Image.fromarray(photo()).resize((512, 384))
    assert not features(read_picture(smooth)).fine.any()


@pytest.mark.parametrize("rows", [1, 2, 3, 16])  # the last window of a picture may have two
def test_stripes_are_known_in_windows_of_any_height(rows: int) -> None:
    columns = np.arange(64, dtype=np.uint8)[None, :, None].repeat(rows, 0).repeat(3, 2)
    for window in (columns, columns.swapaxes(0, 1)):
        assert lost.alternates(window % 2 * 255)
        assert not lost.alternates(window)


def test_regions_and_holes() -> None:
    mask = np.zeros((9, 9), bool)
    mask[1:8, 1:8] = True
    mask[3, 3] = mask[5, 6] = False
    mask[0, 8] = True  # touches at a corner
    assert [len(rows) for rows, _ in regions(mask)] == [48]
    assert filled(mask)[3, 3]
    assert filled(mask)[5, 6]


def test_borders_of_the_mask_lie_where_those_of_the_drawing_do() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 320, 3), np.uint8)
    pixels = noise.copy()
    pixels[58:200, 93:232] = (252, 250, 245)  # 6 rows and 3 columns above and left of cells
    inner = np.zeros((8, 10), bool)
    inner[2:6, 3:7] = True
    found = continued(inner, read_picture(pixels))
    wanted = np.zeros_like(inner)
    wanted[1:7, 3:8] = True  # three columns are too few, eight rows and columns are not
    np.testing.assert_array_equal(found, wanted)
    turned = continued(inner.T, read_picture(np.ascontiguousarray(pixels.transpose(1, 0, 2))))
    np.testing.assert_array_equal(turned, wanted.T)
    np.testing.assert_array_equal(continued(inner, read_picture(noise)), inner)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 40, 3), (33, 1, 3), (32, 64, 3)])
def test_what_is_drawn_goes_on_in_pictures_of_any_size(shape: tuple[int, int, int]) -> None:
    picture = read_picture(np.full(shape, 9, np.uint8))
    mask = np.zeros(features(picture).flat.shape, bool)
    mask[0, 0] = True
    assert continued(mask, picture)[0, 0]
    assert not continued(~mask & mask, picture).any()


def test_a_panel_over_a_photograph_is_a_layer_up_to_its_edges() -> None:
    pixels = np.array(Image.fromarray(photo()).resize((512, 384)))
    pixels[91:304, 150:420] = page(270, 213)  # five rows into cells, their text below
    layer = screen_layer(read_picture(pixels), AUTO)
    assert layer is not None
    shown = layer.mask.repeat(32, 0).repeat(32, 1)[:384, :512]
    assert shown[91:304, 150:420].all()
    assert not layer.mask.all()


def test_a_small_picture_has_features() -> None:
    for shape in ((1, 1, 3), (2, 40, 3), (33, 1, 3)):
        found = features(read_picture(np.full(shape, 9, np.uint8)))
        assert found.flat.shape == (-(-shape[0] // 32), -(-shape[1] // 32))
        assert not drawn_region(found).any() or found.flat.min() > 0


# the floor


@st.composite
def colors(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    one, two = (np.array(draw(st.tuples(*[st.integers(0, 255)] * 3))) for _ in range(2))
    return one, two


@st.composite
def patterns(draw: st.DrawFn) -> Pixels:
    """Stripes, checkers, dithers, noise, zone plates or text in any two colors, 128 x 128."""
    y, x = np.mgrid[:128, :128]
    one, two = draw(colors())
    kind = draw(
        st.sampled_from(
            [
                "rows",
                "columns",
                "diagonal",
                "checker",
                "bayer",
                "noise",
                "color noise",
                "zone",
                "text",
            ]
        )
    )
    period = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    if kind == "color noise":
        return rng.integers(0, 256, (128, 128, 3), np.uint8)
    if kind == "text":
        image = Image.new("RGB", (128, 128), tuple(one.tolist()))
        for top in range(0, 120, 12):
            ImageDraw.Draw(image).text((1, top), "Hamburgefonstiv 0123", tuple(two.tolist()))
        return np.asarray(image)
    threshold = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])[
        y % 4, x % 4
    ]
    share = {
        "rows": y // period % 2,
        "columns": x // period % 2,
        "diagonal": (x + y) // period % 2,
        "checker": (x // period + y // period) % 2,
        "bayer": (photo(128, 128).mean(2) / 16 > threshold),
        "noise": rng.random((128, 128)),
        "zone": 0.5 + 0.5 * np.cos(np.pi * (x**2 + y**2) / (128 * draw(st.floats(1.2, 4)))),
    }[kind]
    weight = np.asarray(share, float)[..., None]
    return np.rint(one * (1 - weight) + two * weight).astype(np.uint8)


def block_errors(
    original: Pixels, decoded: Pixels
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """PSNR and shift of the mean color of each block."""
    height, width = (side // BLOCK * BLOCK for side in original.shape[:2])
    difference = (original.astype(float) - decoded)[:height, :width]
    blocks = difference.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    psnr = 10 * np.log10(255**2 / np.maximum(np.square(blocks).mean((1, 3, 4)), 1e-3))
    return psnr, np.abs(blocks.mean((1, 3))).max(-1)


def avif_in(limit: int, pixels: Pixels) -> Pixels:
    """What AVIF makes of it in at most so many bytes."""
    best = None
    low, high = 0, 100
    while low <= high:
        middle = (low + high) // 2
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "AVIF", quality=middle)
        if len(stream.getvalue()) <= limit or best is None:
            best = np.asarray(Image.open(stream).convert("RGB"))
        if len(stream.getvalue()) <= limit:
            low = middle + 1
        else:
            high = middle - 1
    assert best is not None
    return best


@pytest.mark.parametrize("name", ["rows-1", "interlaced"])
def test_a_pattern_that_av1_gives_back_far_better_is_the_layers(name: str) -> None:
    pixels = PATTERNS[name]()
    auto, photo_only = (
        latentpress.compress(pixels, quality=80, content=content) for content in ("auto", "photo")
    )
    ours, latent = (
        block_errors(pixels, np.asarray(latentpress.decompress(data)))[0].min()
        for data in (auto, photo_only)
    )
    assert ours > latent + 3


def test_blocks_are_looked_at_until_enough_are_lost_and_each_coded_exactly_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    windows, webps = [], []
    looked, coded = lost._lost_in, lossless_webp.encode_webp
    monkeypatch.setattr(lost, "_lost_in", lambda *a: windows.append(a) or looked(*a))
    monkeypatch.setattr(lossless_webp, "encode_webp", lambda *a: webps.append(a) or coded(*a))
    checker = (np.indices((1024, 256)).sum(0) % 2 * 255).astype(np.uint8)
    trial = Trial(read_picture(np.repeat(checker[..., None], 3, 2)), AUTO)
    found = lost.lost_blocks(trial, features(trial.picture).fine, 0.2)
    assert 0.2 <= found.mean() < 0.5
    assert len(windows) < 8  # of 17
    assert len([a for a in webps if a[1:] == (WEBP_METHOD,)]) <= len(windows)


def test_a_mean_color_that_the_latent_moves_is_kept_from_quality_90_on() -> None:
    path = DATA / "kodak" / "kodim24.png"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    pixels = np.asarray(Image.open(path).convert("RGB"))[64:256, 448:640]
    analyzed = targets.Analyzed(pixels, AUTO)
    files = {quality: analyzed.write(100 * quality) for quality in (50, 89, 90, 95, 100)}
    assert [len(data) for data in files.values()] == sorted(map(len, files.values()))
    for quality, data in files.items():
        photo_only = latentpress.compress(pixels, quality=quality, content="photo")
        plain, moved = (
            block_errors(pixels, np.asarray(latentpress.decompress(d)))[1].max()
            for d in (photo_only, data)
        )
        assert data == latentpress.compress(pixels, quality=quality, content="auto")
        if quality < 90:
            assert data == photo_only
        else:
            assert plain > 3
            assert moved <= 3
            assert unpack(data)[1].items() >= unpack(photo_only)[1].items()


def test_risky_are_edges_that_end_at_the_ends_of_the_range() -> None:
    y, x = np.mgrid[:64, :64]
    stripes = (x // 5 + y // 7) % 2
    vivid = np.stack([255 * stripes, 40 + 150 * stripes, 0 * stripes], 2)
    within = 60 + vivid // 3
    calm = np.full((64, 64, 3), (255, 40, 0))
    pixels = np.concatenate([vivid, within, calm], 1).astype(np.uint8)
    found = risks(read_picture(np.concatenate([pixels, pixels[:30]])))
    assert found.shape == (2, 3)
    assert (found[:, 0] > RISKY).all()
    assert (found[:, 1:] < RISKY).all()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(patterns(), st.booleans(), st.sampled_from([90, 95, 100]))
def test_no_block_is_lost(pattern: Pixels, tiled: bool, quality: float) -> None:
    pixels = photo(256, 192).copy() if tiled else pattern
    if tiled:
        pixels[64:192, 128:256] = pattern
    data = latentpress.compress(pixels, quality=quality, content="auto")
    psnr, shift = block_errors(pixels, np.asarray(latentpress.decompress(data)))
    assert shift.max() <= 3
    if psnr.min() < 24:
        rival, _ = block_errors(pixels, avif_in(len(data), pixels))
        assert (rival[psnr < 24] <= 30).all()
