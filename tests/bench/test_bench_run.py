"""A run from pictures to its folder: real bytes, both ways of grading, interruption and resumption,
failures by name.
"""

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import latentpress
from latentpress.bench import cli_arguments, results_folder, run, work
from latentpress.bench.datasets import find_sources, read_pixels
from latentpress.bench.latentpress_codec import OurCodec
from latentpress.bench.rows import decoded, file_of, original, read_run
from latentpress.errors import (
    DiskFullError,
    ImageError,
    LatentpressError,
    OutputError,
    UsageError,
)
from latentpress.metrics import METRICS, psnr
from latentpress.system.files import atomic_write

METRICS_HERE = ["mse", "psnr", "ssim"]
MEMORY = {"idle_mb": 1.0, "peak_encode_mb": 2.0, "peak_decode_mb": 3.0, "load_s": 0.5}


@pytest.fixture(autouse=True)
def no_memory_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "measure_memory", lambda codec, picture, quality: dict(MEMORY))


def plan_of(
    folder: Any,
    output: Any,
    codecs: Any = "jpeg,png",
    qualities: Any = ("jpeg=30,60",),
    **options: Any,
) -> Any:
    label, sources = find_sources([folder], None, output)
    tried = cli_arguments.qualities(
        cli_arguments.codecs(codecs, [], options.pop("externals", []), options.pop("pictures", [])),
        2,
        qualities,
    )
    return run.Plan(label, sources, tried, options.pop("metrics", METRICS_HERE), **options)


def test_rows_are_of_real_files_and_of_what_they_decode_to(originals: Path, tmp_path: Path) -> None:
    made = run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    assert [(r["codec"], r["setting"], r["image"]) for r in made.rows] == [
        (codec, setting, image)
        for codec, settings in (("jpeg", ("q30", "q60")), ("png", ("lossless",)))
        for image in ("a", "b")
        for setting in settings
    ]
    back = read_run(tmp_path / "run")
    assert back.metrics == METRICS_HERE
    assert back.images == ["a", "b"]
    for row in back.rows:
        path = file_of(back.folder, back.codec(row["codec"]), row["setting"], row["image"])
        assert row["bytes"] == path.stat().st_size
        assert row["bpp"] == pytest.approx(8 * row["bytes"] / (row["width"] * row["height"]))
        pixels = original(back, row["image"])
        assert pixels.shape == (row["height"], row["width"], 3)
        assert row["psnr"] == pytest.approx(
            psnr(pixels, decoded(back, row["codec"], row["setting"], row["image"]))
        )
        assert row["encode_s"] > 0
        assert row["decode_s"] > 0
    assert back.codec("jpeg") | MEMORY == back.codec("jpeg")
    assert {row["psnr"] for row in back.rows if row["codec"] == "png"} == {float("inf")}


def test_rows_as_parquet(originals: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    table = parquet.read_table(tmp_path / "run" / "rows.parquet").to_pylist()
    assert [row["bytes"] for row in table] == [
        row["bytes"] for row in read_run(tmp_path / "run").rows
    ]


def test_our_files_are_decoded_by_another_process(
    originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    elsewhere = OurCodec.decode_elsewhere
    monkeypatch.setattr(
        OurCodec,
        "decode_elsewhere",
        lambda self, files: asked.append(len(files)) or elsewhere(self, files),
    )
    made = run.run(
        plan_of(originals, tmp_path / "run", "builtin", ["builtin=20,70"], repeats=1),
        tmp_path / "run",
    )
    assert asked == [4]
    assert [row["setting"] for row in made.rows] == ["q20", "q70"] * 2
    for row in made.rows:
        path = file_of(made.folder, made.codec("builtin"), row["setting"], row["image"])
        data = path.read_bytes()
        assert f"q{latentpress.read_header(data).quality:g}" == row["setting"]
        here = np.asarray(latentpress.decompress(data)).astype(int)
        assert row["psnr"] == pytest.approx(
            psnr(original(made, row["image"]), here.astype(np.uint8)), abs=0.05
        )


def test_rows_tell_the_screen_layer(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    random = np.random.default_rng(0)
    Image.fromarray(np.full((64, 96, 3), 200, np.uint8)).save(tmp_path / "in" / "flat.png")
    smooth = Image.fromarray(random.integers(0, 255, (4, 6, 3), np.uint8)).resize((96, 64))
    smooth.save(tmp_path / "in" / "smooth.png")
    plan = plan_of(
        tmp_path / "in", tmp_path / "run", "builtin,jpeg", ["builtin=20", "jpeg=50"], repeats=1
    )
    run.run(plan, tmp_path / "run")
    told = [
        (row["codec"], row["image"], row["screen_share"]) for row in read_run(tmp_path / "run").rows
    ]
    assert told == [
        ("builtin", "flat", 1),
        ("builtin", "smooth", 0),
        ("jpeg", "flat", None),
        ("jpeg", "smooth", None),
    ]


def test_a_pool_of_processes_grades_alike(originals: Path, tmp_path: Path) -> None:
    alone = run.run(plan_of(originals, tmp_path / "1", jobs=1), tmp_path / "1")
    pooled = run.run(plan_of(originals, tmp_path / "2", jobs=2), tmp_path / "2")
    for a, b in zip(alone.rows, pooled.rows, strict=True):
        assert [a[key] for key in ("codec", "setting", "image", "bytes", *METRICS_HERE)] == [
            b[key] for key in ("codec", "setting", "image", "bytes", *METRICS_HERE)
        ]


class Interruption(BaseException):
    pass


def test_an_interrupted_run_is_usable_and_goes_on_where_it_was(
    originals: Path, tmp_path: Path
) -> None:
    seen = []

    def stop(text: Any) -> None:
        seen.append(text)
        if len(seen) == 3:
            raise Interruption

    with pytest.raises(Interruption):
        run.run(plan_of(originals, tmp_path / "run", on_cell=stop), tmp_path / "run")
    assert len(read_run(tmp_path / "run").rows) == 3
    with (tmp_path / "run" / "rows.csv").open("a") as stream:
        stream.write("jpeg,q60,b,103,77,12")  # as a process that is killed leaves it
    assert len(read_run(tmp_path / "run").rows) == 3
    before = (tmp_path / "run" / "rows.csv").read_text().splitlines()[1:4]
    again, counts = [], []
    plan = plan_of(
        originals,
        tmp_path / "run",
        on_cell=again.append,
        on_start=lambda *numbers: counts.append(numbers),
    )
    finished = run.run(plan, tmp_path / "run")
    assert counts == [(3, 3)]
    assert again == ["jpeg q60 b", "png lossless a", "png lossless b"]
    assert (tmp_path / "run" / "rows.csv").read_text().splitlines()[1:4] == before
    assert len(finished.rows) == len(read_run(tmp_path / "run").rows) == 6


@pytest.mark.skipif(os.name == "nt", reason="Windows has no locks of folders")
def test_two_runs_at_a_time_into_one_folder_are_refused(originals: Path, tmp_path: Path) -> None:
    told = []

    def second(text: str) -> None:
        with pytest.raises(OutputError, match="run: another run is writing there"):
            run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
        told.append(text)

    run.run(plan_of(originals, tmp_path / "run", on_cell=second), tmp_path / "run")
    assert len(told) == len(read_run(tmp_path / "run").rows) == 6


def test_rows_that_two_runs_made_count_once(originals: Path, tmp_path: Path) -> None:
    run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    rows = tmp_path / "run" / "rows.csv"
    before = rows.read_text()
    rows.write_text(before + before.split("\n", 1)[1])
    run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    assert rows.read_text() == before


def test_a_disk_that_is_full_at_the_beginning_spoils_no_run(
    originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes, **how: Any) -> None:
        if path.name == "rows.csv":
            raise DiskFullError(f"{path}: the disk is full")
        atomic_write(path, data, **how)

    with monkeypatch.context() as disk:
        disk.setattr(results_folder, "atomic_write", full)
        with pytest.raises(DiskFullError):
            run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    assert len(run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run").rows) == 6


def test_a_finished_run_computes_nothing_again_and_takes_more(
    originals: Path, tmp_path: Path
) -> None:
    run.run(plan_of(originals, tmp_path / "run", command="first"), tmp_path / "run")
    again = []
    run.run(
        plan_of(originals, tmp_path / "run", on_cell=again.append, command="first"),
        tmp_path / "run",
    )
    assert again == []
    more = plan_of(
        originals,
        tmp_path / "run",
        "webp",
        ["webp=40"],
        metrics=["psnr"],
        on_cell=again.append,
        command="second",
    )
    grown = run.run(more, tmp_path / "run")
    assert again == ["webp q40 a", "webp q40 b"]
    assert [codec["name"] for codec in grown.info["codecs"]] == ["jpeg", "png", "webp"]
    assert grown.info["command"] == "first && second"
    assert len(read_run(tmp_path / "run").rows) == 8
    bare = read_run(tmp_path / "run").rows[-1]
    assert bare["ssim"] is None
    run.run(
        plan_of(originals, tmp_path / "run", "webp", ["webp=40"], on_cell=again.append),
        tmp_path / "run",
    )
    filled = read_run(tmp_path / "run").rows[-1]
    assert filled["ssim"] is not None  # a metric that was missing is computed
    assert {k: v for k, v in filled.items() if k not in ("mse", "ssim")} == {
        k: v for k, v in bare.items() if k not in ("mse", "ssim")
    }
    run.run(
        plan_of(originals, tmp_path / "run", "webp", ["webp=50"], metrics=[*METRICS_HERE, "gmsd"]),
        tmp_path / "run",
    )
    # what was not asked for again is kept without it
    assert len(read_run(tmp_path / "run").rows) == 10


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_is_stopped_while_it_gets_a_metric_loses_no_row(
    originals: Path, tmp_path: Path, jobs: Any
) -> None:
    run.run(plan_of(originals, tmp_path / "run", metrics=["psnr"]), tmp_path / "run")
    before = read_run(tmp_path / "run").rows
    counts, seen = [], []

    def stop(text: Any) -> None:
        seen.append(text)
        if len(seen) == 2:
            raise Interruption

    def count(*numbers: Any) -> None:
        counts.append(numbers)

    with pytest.raises(Interruption):
        run.run(
            plan_of(originals, tmp_path / "run", on_cell=stop, on_start=count, jobs=jobs),
            tmp_path / "run",
        )
    rows = read_run(tmp_path / "run").rows
    assert [row["ssim"] is None for row in rows] == [False, False, True, True, True, True]
    assert [{key: row[key] for key in before[0]} for row in rows] == before
    run.run(plan_of(originals, tmp_path / "run", on_start=count), tmp_path / "run")
    assert counts == [(6, 0), (4, 2)]
    rows = read_run(tmp_path / "run").rows
    assert rows[-1]["mse"] == 0.0
    assert rows[0]["ssim"] == pytest.approx(
        METRICS["ssim"].function(*pictures_of(rows[0], originals, tmp_path / "run")), abs=1e-6
    )


def pictures_of(row: Any, originals: Path, folder: Any) -> Any:
    """The original and the decoded picture of a row."""
    return read_pixels(originals / f"{row['image']}.png"), decoded(
        read_run(folder), row["codec"], row["setting"], row["image"]
    )


def test_a_lost_file_is_made_again(originals: Path, tmp_path: Path) -> None:
    made = run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    file_of(made.folder, made.codec("jpeg"), "q30", "b").unlink()
    again = []
    run.run(plan_of(originals, tmp_path / "run", on_cell=again.append), tmp_path / "run")
    assert again == ["jpeg q30 b"]


def test_rows_stay_whose_files_were_deleted(originals: Path, tmp_path: Path) -> None:
    run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    before = read_run(tmp_path / "run").rows
    shutil.rmtree(tmp_path / "run" / "files")
    run.run(plan_of(originals, tmp_path / "run", "webp", ["webp=40"]), tmp_path / "run")
    rows = read_run(tmp_path / "run").rows
    assert rows[: len(before)] == before
    assert len(rows) == len(before) + 2


def test_runs_that_do_not_belong_together_are_told(originals: Path, tmp_path: Path) -> None:
    run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    with pytest.raises(UsageError, match=r"graded otherwise.*choose another folder"):
        run.run(plan_of(originals, tmp_path / "run", gray=True), tmp_path / "run")
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    threads = info["machine"]["threads"]
    (tmp_path / "run" / "run.json").write_text(
        json.dumps(info | {"machine": info["machine"] | {"threads": threads + 30}})
    )
    with pytest.raises(UsageError, match=f"another threads .{threads + 30}, now {threads}"):
        run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    info["codecs"][0]["version"] = "libjpeg 6b"
    (tmp_path / "run" / "run.json").write_text(json.dumps(info))
    with pytest.raises(UsageError, match=r"another version of jpeg \(libjpeg 6b"):
        run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    (originals / "b.png").unlink()
    with pytest.raises(UsageError, match="over other pictures"):
        run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")


def test_all_times_of_a_run_are_medians_of_as_many(originals: Path, tmp_path: Path) -> None:
    run.run(plan_of(originals, tmp_path / "run", repeats=2), tmp_path / "run")
    more = plan_of(originals, tmp_path / "run", "webp", ["webp=40"])
    with pytest.raises(UsageError, match=r"the median of 2, now 3: .*, or name --repeats 2$"):
        run.run(more, tmp_path / "run")
    graded = run.run(plan_of(originals, tmp_path / "run", metrics=["gmsd"]), tmp_path / "run")
    assert graded.info["repeats"] == 2
    assert all(row["gmsd"] is not None for row in graded.rows)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_picture_that_fails_ends_the_run_with_its_name(
    originals: Path, tmp_path: Path, jobs: Any
) -> None:
    script = tmp_path / "halves.py"
    script.write_text(
        "import sys; from PIL import Image; i = Image.open(sys.argv[1]); "
        "i.crop((0, 0, 80, 64)).save(sys.argv[2], 'PNG')"
    )
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}"
    externals = [f"half:{command} {{in}} {{out}}:{command} {{out}} {{png}}"]
    plan = plan_of(
        originals, tmp_path / "run", "jpeg", ["jpeg=30"], externals=externals, jobs=jobs, repeats=1
    )
    with pytest.raises(ImageError, match=r"^b\.png, half default: .*differ in size"):
        run.run(plan, tmp_path / "run")
    rows = read_run(tmp_path / "run").rows
    assert [(row["codec"], row["image"]) for row in rows] == [
        ("jpeg", "a"),
        ("jpeg", "b"),
        ("half", "a"),
    ]
    # from its kept picture, no program runs
    assert decoded(read_run(tmp_path / "run"), "half", "default", "a").shape == (64, 80, 3)


def test_pictures_decoded_elsewhere_stand_beside_ours(originals: Path, tmp_path: Path) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    for path in originals.iterdir():
        Image.fromarray(read_pixels(path) // 2).save(folder / path.name)
    (folder / "sizes.csv").write_text("file,bytes\na.png,640\nb.png,1000\n")
    made = run.run(
        plan_of(originals, tmp_path / "run", "jpeg", ["jpeg=30"], pictures=[f"theirs={folder}"]),
        tmp_path / "run",
    )
    rows = [row for row in made.rows if row["codec"] == "theirs"]
    assert [(row["setting"], row["bytes"], row["encode_s"]) for row in rows] == [
        ("published", 640, None),
        ("published", 1000, None),
    ]
    assert rows[0]["bpp"] == 1.0
    assert np.array_equal(decoded(made, "theirs", "published", "a"), original(made, "a") // 2)
    assert run.run(
        plan_of(originals, tmp_path / "run", "jpeg", ["jpeg=30"], pictures=[f"theirs={folder}"]),
        tmp_path / "run",
    ).rows


def test_large_folders_are_held_in_batches(
    originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sources = find_sources([originals], None, originals)
    cells = [(quality, source) for source in sources for quality in (30, 60)]

    def held() -> list[str]:
        return [" ".join(f"{s.name}{q}" for q, s in batch) for batch in run.batches(cells)]

    assert held() == ["a30 a60 b30 b60"]
    monkeypatch.setattr(run, "BATCH_PICTURES", 3)
    assert held() == ["a30 a60 b30", "b60"]
    a, b = (source.width * source.height for source in sources)
    monkeypatch.setattr(run, "BATCH_PIXELS", 2 * max(a, b))
    assert held() == ["a30 a60", "b30 b60"]
    monkeypatch.setattr(run, "BATCH_PIXELS", 100)
    assert held() == ["a30", "a60", "b30", "b60"]
    assert list(run.batches([])) == []


def test_pictures_that_get_a_metric_are_held_in_batches_too(
    originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.run(plan_of(originals, tmp_path / "run", metrics=["psnr"]), tmp_path / "run")
    held, grades = [], run._grades
    monkeypatch.setattr(run, "_grades", lambda of, *how: held.append(len(of)) or grades(of, *how))
    monkeypatch.setattr(run, "BATCH_PIXELS", 100)
    run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    assert held == [1] * 6


def test_an_original_that_changed_is_told(originals: Path, tmp_path: Path) -> None:
    made = run.run(plan_of(originals, tmp_path / "run"), tmp_path / "run")
    Image.new("RGB", (80, 64)).save(originals / "a.png")
    with pytest.raises(ImageError, match="is not the picture that this run compressed"):
        original(made, "a")


@pytest.mark.parametrize("info", [None, "{}", "not json"])
def test_folders_without_a_run(tmp_path: Path, info: str | None) -> None:
    if info is not None:
        (tmp_path / "run.json").write_text(info)
        (tmp_path / "rows.csv").write_text("codec,setting,image\n")
    with pytest.raises(LatentpressError, match="holds no run"):
        read_run(tmp_path)
