"""`latentpress study`: real files of four codecs, JPEG and WebP at the VAE's bytes, one sheet a
metric, pictures that show it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

import latentpress
from latentpress.bench import study_preset
from latentpress.bench.rows import file_of, read_run
from latentpress.cli.app import app
from latentpress.metrics import mse, psnr, ssim

pytest.importorskip("jinja2", reason="the study writes a page")
openpyxl = pytest.importorskip("openpyxl", reason="the study writes workbooks")
IMAGES = ("one", "two")


def read(path: Any) -> Any:
    with Image.open(path) as image:
        return image.copy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo: NDArray[np.uint8]) -> Any:
    """The command on two pictures, with fewer qualities than it has by itself."""
    root = tmp_path_factory.mktemp("study")
    (root / "photos").mkdir()
    Image.fromarray(photo[:150, :200]).save(root / "photos" / "one.png")
    Image.fromarray(photo[120:261, 150:347]).save(root / "photos" / "two.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_preset, "VAE_QUALITIES", ())
        patch.setattr(study_preset, "JPEG_QUALITIES", (5, 20, 100))
        patch.setattr(study_preset, "WEBP_QUALITIES", (0, 20, 80))
        done = CliRunner().invoke(
            app,
            ["study", "--images", str(root / "photos"), "-o", str(root / "out"), "-q", "60.004"],
        )  # whose files are of quality 60
    assert done.exit_code == 0, done.output
    assert "JPEG, same bytes" in done.output
    return root / "out"


def test_sheets_hold_what_the_files_are(folder: Any) -> None:
    run = read_run(folder)
    book = openpyxl.load_workbook(folder / "study-builtin.xlsx")
    names = [
        "MSE",
        "PSNR",
        "SSIM",
        *(["LPIPS"] if "lpips" in run.metrics else []),
        "bytes",
        "bits per pixel",
        "settings",
    ]
    assert book.sheetnames == names
    sheets = {name: list(book[name].values) for name in names}
    header = (
        "image",
        "latentpress q60",
        "PNG",
        "JPEG q100",
        "WebP q80",
        "JPEG, same bytes",
        "WebP, same bytes",
    )
    assert {sheet[0] for sheet in sheets.values()} == {header}
    codecs = ("builtin", "png", "jpeg", "webp", "jpeg", "webp")
    for i, image in enumerate(IMAGES, start=1):
        original = np.asarray(read(folder.parent / "photos" / f"{image}.png"))
        for column, codec in enumerate(codecs, start=1):
            path = file_of(folder, run.codec(codec), sheets["settings"][i][column], image)
            data = path.read_bytes()
            assert sheets["bytes"][i][column] == len(data)
            assert sheets["bits per pixel"][i][column] == pytest.approx(
                8 * len(data) / original[..., 0].size
            )
            picture = (
                latentpress.decompress(data) if codec == "builtin" else read(path).convert("RGB")
            )
            decoded = np.asarray(picture)
            assert sheets["MSE"][i][column] == pytest.approx(
                mse(original, decoded, gray=True), rel=1e-3
            )
            assert sheets["SSIM"][i][column] == pytest.approx(
                ssim(original, decoded, gray=True), abs=1e-4
            )
            expected = psnr(original, decoded, gray=True)
            assert sheets["PSNR"][i][column] == (
                "inf" if codec == "png" else pytest.approx(expected, abs=0.01)
            )
    for name in names[:-1]:
        for column in range(1, 7):
            cells = [sheets[name][i][column] for i in (1, 2)]
            assert sheets[name][3][column] == (
                "inf" if "inf" in cells else pytest.approx(sum(cells) / 2)
            )


def test_the_rivals_at_the_same_bytes_are_the_closest(folder: Any) -> None:
    run = read_run(folder)
    table = study_preset.columns(run, "builtin", 60)
    for column, codec in ((table[4], "jpeg"), (table[5], "webp")):
        for image in IMAGES:
            size = table[0].rows[image]["bytes"]
            apart = [
                abs(r["bytes"] - size)
                for r in run.rows
                if (r["codec"], r["image"]) == (codec, image)
            ]
            assert len(apart) == 3
            assert abs(column.rows[image]["bytes"] - size) == min(apart)


def test_pictures(folder: Any) -> None:
    for image in IMAGES:
        width = read(folder.parent / "photos" / f"{image}.png").width
        comparison = read(folder / "comparisons" / f"{image}-builtin.png")
        assert comparison.width >= 4 * width
        assert read(folder / "differences" / f"{image}-builtin.png").width >= 5 * width
        latent = read(folder / "latents" / f"{image}-builtin.png")
        assert latent.mode == "L"
        assert np.asarray(latent).std() > 10
    assert (folder / "report.html").stat().st_size > 10_000


def test_the_plan_is_the_study() -> None:
    plan = {
        codec.name: qualities for codec, qualities in study_preset.plan_codecs("builtin", None, 42)
    }
    assert list(plan) == ["builtin", "png", "jpeg", "webp"]
    assert 42 in plan["builtin"]
    assert study_preset.JPEG_OF_STUDY in plan["jpeg"]
    assert study_preset.WEBP_OF_STUDY in plan["webp"]


def test_an_unknown_vae_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["study", "--codec", "jpeg", "-o", str(tmp_path / "x")])
    assert isinstance(done.exception, latentpress.UsageError)
    assert "the VAE is one of builtin" in str(done.exception)
    assert not (tmp_path / "x").exists()


def test_a_picture_that_is_all_screen_layer_has_no_latent_to_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: NDArray[np.uint8]
) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(photo[:64, :96]).save(tmp_path / "photos" / "a.png")
    Image.new("RGB", (96, 64), (9, 99, 199)).save(tmp_path / "photos" / "flat.png")
    monkeypatch.setattr(study_preset, "VAE_QUALITIES", ())
    monkeypatch.setattr(study_preset, "JPEG_QUALITIES", (5, 100))
    monkeypatch.setattr(study_preset, "WEBP_QUALITIES", (0, 80))
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["study", "--images", str(tmp_path / "photos"), "-o", str(out)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert [path.name for path in (out / "latents").iterdir()] == ["a-builtin.png"]
    for kind in ("comparisons", "differences"):
        assert len(list((out / kind).iterdir())) == 2
