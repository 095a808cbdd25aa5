"""`latentpress.assess` and `latentpress assess`: pairs, folders, tables, what is refused, and the
study's fifteen pairs.
"""

import csv
import json
import math
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from typer.testing import CliRunner

import latentpress
from helpers.metric_weights import clear, published
from helpers.paths import DATA
from helpers.pictures import PROFILE
from latentpress.assessment import check_match, read_graded
from latentpress.cli.app import app
from latentpress.cli.assess_folders import Folders, check_partners
from latentpress.errors import ImageError, OutputError, UsageError, WeightsError
from latentpress.image.cicp import BT709, PRIMARIES
from latentpress.image.profiles import make_profile
from latentpress.metrics import METRICS, psnr, ssim, weights

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LINEAR = make_profile("linear", PRIMARIES[BT709], (1.0, 1.0, 0.0, 0.0, 0.0))
STUDY = DATA / "science-fair"
study = pytest.mark.skipif(
    not STUDY.is_dir(), reason=f"the pictures of the study are not at {STUDY}"
)


def run(*arguments: Any, cwd: Any = None, **environment: Any) -> Any:
    command = [sys.executable, "-m", "latentpress", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, env=os.environ | environment
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def folders(tmp_path: Path, small: NDArray[np.uint8]) -> Any:
    """originals/ with a.png and deep/b.png; decoded/ with a.jpg and deep/b.ltp; a text file that is
    no picture.
    """
    for name in ("originals", "decoded"):
        (tmp_path / name / "deep").mkdir(parents=True)
    Image.fromarray(small).save(tmp_path / "originals" / "a.png")
    Image.fromarray(small[::-1]).save(tmp_path / "originals" / "deep" / "b.png")
    Image.fromarray(small).save(tmp_path / "decoded" / "a.jpg", quality=70)
    (tmp_path / "decoded" / "deep" / "b.ltp").write_bytes(
        latentpress.compress(small[::-1], quality=40)
    )
    (tmp_path / "decoded" / "notes.txt").write_text("not a picture")
    return tmp_path


def test_assess_takes_paths_images_and_arrays(folders: Any, small: NDArray[np.uint8]) -> None:
    a, b = folders / "originals" / "deep" / "b.png", folders / "decoded" / "deep" / "b.ltp"
    decoded = latentpress.decompress(b.read_bytes())
    expected = {
        "psnr": psnr(small[::-1], np.asarray(decoded)),
        "ssim": ssim(small[::-1], np.asarray(decoded)),
    }
    assert latentpress.assess(a, b, ["psnr", "ssim"]) == expected
    assert latentpress.assess(str(a), decoded, ["psnr", "ssim"]) == expected
    assert latentpress.assess(np.ascontiguousarray(small[::-1]), decoded, ["ssim"]) == {
        "ssim": expected["ssim"]
    }
    gray = latentpress.assess(a, b, ["psnr"], gray=True)
    assert gray == {"psnr": psnr(small[::-1], np.asarray(decoded), gray=True)}


def saved(folder: Any, name: Any, image: Any, **options: Any) -> Any:
    path = folder / name
    image.save(path, **options)
    return path


def test_what_would_have_to_be_converted_is_refused(
    tmp_path: Path, small: NDArray[np.uint8]
) -> None:
    plain = saved(tmp_path, "plain.png", Image.fromarray(small))
    deep = saved(tmp_path, "deep.png", Image.fromarray(small[:, :, 0].astype(np.uint16) * 257))
    cmyk = saved(tmp_path, "cmyk.tif", Image.fromarray(small).convert("CMYK"))
    frames = saved(
        tmp_path,
        "frames.gif",
        Image.fromarray(small),
        save_all=True,
        append_images=[Image.fromarray(255 - small)],
    )
    wide = saved(tmp_path, "wide.png", Image.fromarray(small[:, :-1]))
    gray = saved(tmp_path, "gray.png", Image.fromarray(small[:, :, 0]))
    clear_corner = np.dstack([small, np.full(small.shape[:2], 255, np.uint8)])
    opaque = saved(tmp_path, "opaque.png", Image.fromarray(clear_corner))
    clear_corner[0, 0, 3] = 9
    alpha = saved(tmp_path, "alpha.png", Image.fromarray(clear_corner))
    for path, message in (
        (deep, "more than 8 bits"),
        (cmyk, "CMYK"),
        (frames, "2 frames"),
        (wide, "nothing is resized"),
        (gray, "a gray one"),
        (alpha, "alpha channel"),
        (tmp_path / "none.png", "no such file"),
        (tmp_path, "folder"),
    ):
        with pytest.raises(ImageError, match=message) as caught:
            latentpress.assess(plain, path, ["psnr"])
        assert str(path) in str(caught.value)
    assert latentpress.assess(plain, opaque, ["psnr"]) == {"psnr": math.inf}
    assert check_match(read_graded(alpha), read_graded(alpha)) == [
        "the alpha channels were left out"
    ]
    with Image.open(deep) as image, pytest.raises(ImageError, match="more than 8 bits"):
        latentpress.assess(image, image)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("profile", "differs"), [(SRGB, False), (PROFILE, False), (LINEAR, True)])
def test_profiles_that_give_the_same_colors_do_not_differ(
    tmp_path: Path, small: NDArray[np.uint8], mode: str, profile: bytes, differs: bool
) -> None:
    image = Image.fromarray(small).convert(mode)
    original = saved(tmp_path, "a.jpg", image, icc_profile=profile)
    pressed = latentpress.compress(original)
    assert check_match(read_graded(original), read_graded(pressed)) == []
    plain = read_graded(saved(tmp_path, "a.png", image))
    told = ["the color profiles differ: the stored samples were compared as they are"]
    is_p3 = profile is PROFILE and mode == "RGB"  # whose curve is that of sRGB
    assert check_match(plain, read_graded(pressed)) == (told if differs or is_p3 else [])


def test_a_turned_photograph_is_graded_upright(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    turned = saved(
        tmp_path, "turned.png", Image.fromarray(np.ascontiguousarray(np.rot90(small))), exif=exif
    )
    assert latentpress.assess(
        saved(tmp_path, "a.png", Image.fromarray(small)), turned, ["mse"]
    ) == {"mse": 0}


def test_folders_pair_by_path_without_suffix(folders: Any) -> None:
    pairs = Folders(folders / "originals", folders / "decoded").pairs()
    assert [(name, a.key, b.key) for name, a, b in pairs.pairs] == [
        ("a", "a.png", "a.jpg"),
        ("deep/b", "deep/b.png", "deep/b.ltp"),
    ]
    assert not pairs.alone


def test_left_over_double_and_mixed_inputs_are_usage_errors(
    folders: Any, small: NDArray[np.uint8]
) -> None:
    originals, decoded = folders / "originals", folders / "decoded"
    Image.fromarray(small).save(originals / "alone.png")
    with pytest.raises(UsageError, match=r"without a partner.*alone\.png"):
        check_partners(Folders(originals, decoded).pairs())
    Image.fromarray(small).save(originals / "alone.bmp")
    with pytest.raises(UsageError, match=r"alone\.bmp and .*alone\.png have the same name"):
        check_partners(Folders(originals, decoded).pairs())
    with pytest.raises(UsageError, match="two folders"):
        Folders(originals, decoded / "a.jpg").pairs()
    (folders / "empty").mkdir()
    with pytest.raises(UsageError, match="no pictures"):
        Folders(folders / "empty", folders / "empty").pairs()


def test_what_is_graded_may_have_the_whole_name_of_its_original(
    folders: Any, small: NDArray[np.uint8]
) -> None:
    originals, kept = folders / "originals", folders / "kept"
    (kept / "deep").mkdir(parents=True)
    for name in ("a.png.ltp", "deep/b.png.ltp"):
        (kept / name).write_bytes((folders / "decoded" / "deep" / "b.ltp").read_bytes())
    pairs = Folders(originals, kept).pairs()
    assert [(name, b.key) for name, _, b in pairs.pairs] == [
        ("a.png", "a.png.ltp"),
        ("deep/b.png", "deep/b.png.ltp"),
    ]
    Image.fromarray(small).save(kept / "a.png.png")  # as `decompress` makes it beside the file
    with pytest.raises(UsageError, match=r"a\.png\.ltp and .*a\.png\.png have the same name"):
        check_partners(Folders(originals, kept).pairs())


def test_a_pair_as_json_with_infinity_as_text(folders: Any) -> None:
    done = run(
        "assess",
        "originals/a.png",
        "originals/a.png",
        "--metrics",
        "ssim,psnr",
        "--json",
        cwd=folders,
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout, parse_constant=pytest.fail)
    assert result["metrics"] == {"psnr": "inf", "ssim": 1.0}
    assert result["identical"]
    assert result["bpp"] == 8 * result["bytes"] / (result["width"] * result["height"])


def test_folders_as_a_table(folders: Any, small: NDArray[np.uint8]) -> None:
    done = run(
        "assess",
        "originals",
        "decoded",
        "--metrics",
        "mse,psnr,ssim",
        "-o",
        "table.csv",
        cwd=folders,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with (folders / "table.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["image", "width", "height", "bytes", "bpp", "mse", "psnr", "ssim"]
    assert [row["image"] for row in rows] == ["a", "deep/b", "mean"]
    assert float(rows[0]["psnr"]) == psnr(
        small, np.asarray(Image.open(folders / "decoded" / "a.jpg"))
    )
    assert float(rows[2]["psnr"]) == pytest.approx(
        (float(rows[0]["psnr"]) + float(rows[1]["psnr"])) / 2
    )
    refused = run("assess", "originals", "decoded", "-o", "table.csv", cwd=folders)
    assert refused.returncode == 1
    assert "--overwrite" in refused.stderr


def test_missing_weights_leave_columns_empty_with_one_notice(
    folders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "found", lambda key: [])
    arguments = ["assess", str(folders / "originals"), str(folders / "decoded"), "--metrics"]
    result = CliRunner().invoke(app, [*arguments, "psnr,lpips", "-o", str(folders / "table.csv")])
    assert result.exit_code == 0
    [notice] = result.stderr.splitlines()
    assert "lpips left empty" in notice
    assert "latentpress metrics fetch" in notice
    with (folders / "table.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["lpips"] for row in rows} == {""}
    assert all(float(row["psnr"]) > 20 for row in rows)
    assert isinstance(CliRunner().invoke(app, [*arguments, "lpips"]).exception, WeightsError)


def test_tables_as_json_and_excel(folders: Any) -> None:
    words = ["assess", "originals", "decoded", "--metrics", "psnr", "--grey", "-o"]
    done = run(*words, "table.json", cwd=folders)
    assert done.returncode == 0, done.stderr
    result = json.loads((folders / "table.json").read_text())
    assert result["grey"]
    assert [image["image"] for image in result["images"]] == ["a", "deep/b"]
    openpyxl = pytest.importorskip("openpyxl")
    assert run(*words, "t.xlsx", cwd=folders).returncode == 0
    lines = list(openpyxl.load_workbook(folders / "t.xlsx").active.iter_rows(values_only=True))
    assert lines[0] == ("image", "width", "height", "bytes", "bpp", "psnr")
    assert lines[-1][-1] == pytest.approx(result["mean"]["metrics"]["psnr"])


def test_an_output_that_cannot_be_is_found_before_anything_is_graded(
    folders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentpress.metrics.assess", lambda *_, **__: pytest.fail("graded"))
    arguments = [
        "assess",
        str(folders / "originals"),
        str(folders / "decoded"),
        "--metrics",
        "mse",
        "-o",
    ]
    assert isinstance(
        CliRunner().invoke(app, [*arguments, str(folders / "none" / "t.csv")]).exception,
        OutputError,
    )
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    result = CliRunner().invoke(app, [*arguments, str(folders / "t.xlsx")])
    assert isinstance(result.exception, UsageError)
    assert "openpyxl" in str(result.exception)
    assert not list(folders.glob("*t.*"))


def test_names_from_outside_stay_names_in_a_table(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    odd = ["=1+1.png", "a\x01.png", os.fsdecode(b"\xff.png")]
    for name in odd:
        for folder in ("in", "out"):
            (tmp_path / folder).mkdir(exist_ok=True)
            try:
                Image.fromarray(small).save(tmp_path / folder / name)
            except OSError:
                pytest.skip("the file system refuses such a name")
    arguments = ["assess", str(tmp_path / "in"), str(tmp_path / "out"), "--metrics", "mse", "-o"]
    for suffix in ("xlsx", "csv"):
        result = CliRunner().invoke(app, [*arguments, str(tmp_path / f"t.{suffix}")])
        assert result.exit_code == 0, result.exception
    cells = [
        row[0] for row in openpyxl.load_workbook(tmp_path / "t.xlsx").active.iter_rows(min_row=2)
    ]
    assert [(cell.value, cell.data_type) for cell in cells] == [
        (name, "s") for name in ("=1+1", "a\ufffd", "\ufffd", "mean")
    ]
    assert [line.split(b",")[0] for line in (tmp_path / "t.csv").read_bytes().splitlines()[1:]] == [
        b"=1+1",
        b"a\x01",
        b"\xff",
        b"mean",
    ]


def test_wrong_usage_is_one_sentence(folders: Any) -> None:
    for arguments, text in (
        (("--metrics", "psnr,niqe"), "unknown metric 'niqe'"),
        (("-o", "table.txt"), ".csv, .xlsx, .json"),
        (("--weights", "nowhere"), "no such folder"),
        (("--engine", "spark"), "--engine: one of local, ray, not 'spark'"),
    ):
        for pair in (("originals", "decoded"), ("originals/a.png", "decoded/a.jpg")):
            done = run("assess", *pair, *arguments, cwd=folders)
            assert done.returncode == 2
            [line] = done.stderr.splitlines()
            assert text in line


def test_the_metrics_are_listed() -> None:
    listed = json.loads(run("metrics", "--json").stdout)
    assert [row["name"] for row in listed] == list(METRICS)
    by_name = {row["name"]: row for row in listed}
    assert by_name["psnr"]["range"] == [0.0, "inf"]
    assert by_name["dists"]["needs_weights"]
    assert (by_name["dists"]["missing"] is None) <= (len(by_name["dists"]["weights"]) == 2)


def study_pairs() -> Any:
    return [(kind, number) for kind in ("sd15_vae", "jpeg100", "webp80") for number in range(1, 6)]


def study_sheet(title: Any) -> Any:
    openpyxl = pytest.importorskip("openpyxl")
    with closing(openpyxl.load_workbook(STUDY / "friqa_data.xlsx", read_only=True)) as book:
        rows = book[title].iter_rows(min_row=2, max_row=16, max_col=1, values_only=True)
        return [row[0] for row in rows]


@study
def test_ssim_of_the_study_is_reproduced_to_four_digits() -> None:
    for (kind, number), expected in zip(study_pairs(), study_sheet("SSIM"), strict=True):
        values = latentpress.assess(
            STUDY / f"original_{number:02}.png",
            STUDY / f"{kind}_{number:02}.png",
            ["ssim"],
            gray=True,
        )
        assert values["ssim"] == pytest.approx(expected, abs=5e-5), (kind, number)


@study
def test_psnr_of_the_study_is_not_what_it_reported_and_is_what_it_is() -> None:
    reported, true = study_sheet("PSNR")[:5], [23.7, 20.6, 33.2, 20.0, 28.7]
    for number in range(1, 6):
        a, b = STUDY / f"original_{number:02}.png", STUDY / f"sd15_vae_{number:02}.png"
        value = latentpress.assess(a, b, ["psnr"], gray=True)["psnr"]
        assert value == pytest.approx(true[number - 1], abs=0.05), number
        assert value < reported[number - 1] - 2


@study
@published("alex")
def test_lpips_of_the_study() -> None:
    clear()
    for number, expected in enumerate([0.087, 0.111, 0.043, 0.136, 0.028], 1):
        a, b = STUDY / f"original_{number:02}.png", STUDY / f"sd15_vae_{number:02}.png"
        values = latentpress.assess(a, b, ["lpips"], gray=True)
        assert values["lpips"] == pytest.approx(expected, abs=0.002), number


def test_the_bytes_of_a_file_are_graded_as_the_file(small: np.ndarray) -> None:
    data = latentpress.compress(small, quality=40)
    decoded = np.asarray(latentpress.decompress(data))
    assert latentpress.assess(small, data, ["psnr"]) == latentpress.assess(small, decoded, ["psnr"])
    with pytest.raises(ImageError, match=r"already an \.ltp file"):
        latentpress.compress(data)
