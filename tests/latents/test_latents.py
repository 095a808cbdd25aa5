"""`latentpress.latents`: what is saved comes back, one by one or all, in its type and as exact as
asked for.
"""

import contextlib
import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.latent_files import CHANNELS, record_of, smooth
from helpers.object_store import web_server
from latentpress import latents
from latentpress.errors import FormatError, ImageError, OutputError, UsageError
from latentpress.latents import Reader, Writer, load, save
from latentpress.system.files import OutputStream

PRECISIONS: list[dict[str, Any]] = [
    {"max_error": 0.05},
    {"rmse": 0.02},
    {"quality": 60},
    {"lossless": True},
]
NESTED: dict[str, Any] = {}  # deeper than JSON's encoder follows
for _ in range(100_000):
    NESTED = {"a": NESTED}


def batch(space: str, amount: int = 2) -> Any:
    return np.stack([smooth(CHANNELS[space], 17, 22, seed) for seed in range(amount)])


@pytest.mark.parametrize("space", [s for s in CHANNELS if s != "raw"])
@pytest.mark.parametrize("precision", PRECISIONS, ids=lambda p: next(iter(p)))
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_round_trip(tmp_path: Path, space: str, precision: dict[str, Any], dtype: Any) -> None:
    y = batch(space).astype(dtype)
    save(y, tmp_path / "a.ltps", space=space, **precision)
    y_hat = load(tmp_path / "a.ltps")
    assert y_hat.dtype == dtype
    error = np.abs(y_hat.astype(float) - y)
    if "lossless" in precision:
        assert y_hat.tobytes() == y.tobytes()
    elif "rmse" in precision:
        each = np.sqrt(np.square(error).mean((1, 2, 3)))
        assert (each <= 0.02).all()
        assert (each > 0.018).all()
    elif "max_error" in precision:
        assert error.max() <= 0.05
    else:
        # half of the step, but for rounding to float16
        assert 0 < error.max() <= 0.5 * 1.5 * (0.05 / 1.5) ** 0.6 + 0.003


def test_the_same_bytes_again(tmp_path: Path) -> None:
    for name in "ab":
        save(batch("sd15"), tmp_path / name, space="sd15", rmse=0.05)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_saving_what_was_loaded_is_as_close(tmp_path: Path) -> None:
    y = batch("sd3")
    save(y, tmp_path / "a", space="sd3", max_error=0.01)
    save(load(tmp_path / "a"), tmp_path / "b", space="sd3", lossless=True)
    assert load(tmp_path / "b").tobytes() == load(tmp_path / "a").tobytes()


def test_prediction_pays() -> None:
    """A latent with neighbors alike takes fewer bytes than its numbers in another order."""
    from latentpress.latents.precision import Precision, encode

    y = smooth(4, 48, 48)
    shuffled = np.random.default_rng(0).permuted(y.reshape(4, -1), axis=1).reshape(y.shape)
    sizes = [len(encode(x, 0, Precision(rmse=0.02), 1)[1]) for x in (y, shuffled)]
    assert sizes[0] < 0.95 * sizes[1]


def test_latents_of_different_sizes_and_types_come_back_as_a_list(tmp_path: Path) -> None:
    ys = [smooth(3, 1, 1), smooth(2, 3, 40).astype(np.float16), smooth(1, 40, 2)]
    save(ys, tmp_path / "a", lossless=True)
    back = load(tmp_path / "a")
    assert isinstance(back, list)
    for y, y_hat in zip(ys, back, strict=True):
        assert y_hat.dtype == y.dtype
        assert (y_hat == y).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 1, 9), (4, 9, 1), (3, 2, 2), (1, 5, 7)])
def test_odd_shapes(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    y = smooth(*shape)
    save(y, tmp_path / "a", max_error=0.01)
    assert np.abs(load(tmp_path / "a")[0] - y).max() <= 0.01


def test_one_latent_without_the_others(tmp_path: Path) -> None:
    """Bytes of other latents may be damaged: they are not read."""
    y, file = batch("sd15", 5), tmp_path / "a"
    save(y, file, space="sd15", lossless=True)
    data = bytearray(file.read_bytes())
    start, size = record_of(bytes(data), 1)
    data[start : start + size] = bytes(size)
    file.write_bytes(data)
    with Reader(file) as reader:
        assert (reader[3] == y[3]).all()
        assert (reader[-1] == y[4]).all()
        with pytest.raises(FormatError, match="latent 1"):
            reader[1]
        with pytest.raises(IndexError):
            reader[5]


def test_names_and_metadata(tmp_path: Path) -> None:
    y = batch("sd15")
    save(
        y,
        tmp_path / "a",
        space="sd15",
        quality=50,
        names=["one", "zwei/ü"],
        metadata=[{"caption": "a squirrel", "label": 3}, {}],
    )
    with Reader(tmp_path / "a") as reader:
        assert reader.names() == ["one", "zwei/ü"]
        assert reader.info(0).metadata == {"caption": "a squirrel", "label": 3}
        assert reader.info(1).metadata == {}
        assert (reader.space, reader.info(0).shape, reader.info(0).dtype) == (
            "sd15",
            (4, 17, 22),
            "float32",
        )


def test_names_in_an_array(tmp_path: Path) -> None:
    y = batch("sd15")
    save(y, tmp_path / "a", lossless=True, names=np.array(["one", "two"]))
    with Reader(tmp_path / "a") as reader:
        assert reader.names() == ["one", "two"]


def test_a_constant_latent_is_padded_rather_than_refused(tmp_path: Path) -> None:
    y = np.full((1, 3, 900, 900), 2.5, np.float32)
    save(y, tmp_path / "a", max_error=0.01)
    assert np.abs(load(tmp_path / "a") - y).max() <= 0.01
    assert (tmp_path / "a").stat().st_size < 1000
    with Reader(tmp_path / "a") as reader:
        assert reader.info(0).metadata == {}


def write(file: Path, ys: list[Any], **arguments: Any) -> None:
    with Writer(file, **arguments) as writer:
        for y in ys:
            writer.add(y)


def test_appending(tmp_path: Path) -> None:
    y, file = batch("sd15", 3), tmp_path / "a"
    for i, latent in enumerate(y):
        with Writer(file, space="sd15", lossless=True, append=True) as writer:
            writer.add(latent, name=str(i))
    assert (load(file) == y).all()
    before = file.read_bytes()
    with (
        pytest.raises(UsageError, match="sd15"),
        Writer(file, space="sdxl", lossless=True, append=True),
    ):
        pass
    with pytest.raises(UsageError, match="float64"):
        write(file, [y[0], y[1].astype(np.float64)], space="sd15", lossless=True, append=True)
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("there", [True, False])
def test_of_two_that_append_at_a_time_none_is_lost_silently(tmp_path: Path, there: bool) -> None:
    y, file = batch("raw", 3), tmp_path / "a"
    if there:
        save(y[:1], file, lossless=True)

    def append(latent: Any) -> Writer:
        writer = Writer(file, lossless=True, append=True)
        with writer:
            writer.add(latent)
        return writer

    def both() -> None:
        with Writer(file, lossless=True, append=True) as writer:
            writer.add(y[1])
            append(y[2])

    with pytest.raises(OutputError, match=r"another process is appending|exists already"):
        both()
    kept = len(load(file))
    append(y[2])  # and nothing stays locked
    assert len(load(file)) == kept + 1
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")
def test_nobody_appends_to_a_file_that_is_just_being_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, file = batch("raw", 3), tmp_path / "a"
    save(y[:1], file, lossless=True)
    replace = os.replace

    def replaced(*paths: str) -> None:
        monkeypatch.undo()
        with pytest.raises(OutputError, match="another process is appending"):
            write(file, [y[2]], lossless=True, append=True)
        replace(*paths)

    monkeypatch.setattr(os, "replace", replaced)
    write(file, [y[1]], lossless=True, append=True)
    assert os.replace is replace
    assert (load(file) == y[:2]).all()


def test_what_cannot_be_appended_to_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder, not a file"):
        write(tmp_path, [], lossless=True, append=True)
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(FormatError, match=r"a: not an \.ltps file"):
        write(tmp_path / "a", [], lossless=True, append=True)
    assert (tmp_path / "a").read_bytes() == b"mine"


def test_a_disk_that_is_full_before_the_first_latent_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    save(batch("raw"), file, lossless=True)
    before = file.read_bytes()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Writer, "_copy", full)
    with (
        pytest.raises(OutputError, match="a: the disk is full"),
        Writer(file, lossless=True, append=True),
    ):
        pass
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_no_message_of_a_reader_shows_what_is_secret_in_a_url(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra remote")
    save(batch("raw"), tmp_path / "a", lossless=True)
    data = bytearray((tmp_path / "a").read_bytes())
    data[30] ^= 1
    with (
        web_server({"a": bytes(data)}) as url,
        Reader(f"{url}/a?signature=secret") as reader,
    ):
        with pytest.raises(FormatError, match="/a, latent 0: it is damaged"):
            reader[0]
        with pytest.raises(IndexError, match="/a holds 2 latents; there is no number 2"):
            reader[2]


@pytest.mark.parametrize("wrong", ["a", slice(0, 2), [0, 1], 1.0, None])
def test_a_number_that_is_none_is_told_as_python_does(tmp_path: Path, wrong: Any) -> None:
    save(batch("raw"), tmp_path / "a", lossless=True)
    with pytest.raises(TypeError, match="integer"), Reader(tmp_path / "a") as reader:
        reader[wrong]


def test_an_error_of_the_block_is_not_the_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reads_another_file() -> None:
        with Writer(tmp_path / "a", lossless=True) as writer:
            writer.add(batch("raw")[0])
            np.load(tmp_path / "missing.npy")

    with pytest.raises(FileNotFoundError, match="missing"):
        reads_another_file()
    assert list(tmp_path.iterdir()) == []

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fills_the_disk() -> None:
        with Writer(tmp_path / "a", lossless=True) as writer:
            monkeypatch.setattr("latentpress.system.files.OutputStream.write", full)
            writer.add(batch("raw")[0])

    with pytest.raises(OutputError, match="a: the disk is full"):
        fills_the_disk()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError(errno.EIO, "an error")])
def test_a_record_whose_writing_was_interrupted_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
) -> None:
    y, write_all = batch("raw", 4), OutputStream.write

    def interrupted(stream: Any, data: bytes) -> int:
        monkeypatch.undo()
        write_all(stream, data[:9])
        raise interruption

    with Writer(tmp_path / "a", lossless=True) as writer:
        for i, latent in enumerate(y):
            if i in (1, 3):  # in the middle, and at the end
                monkeypatch.setattr(OutputStream, "write", interrupted)
                with pytest.raises((KeyboardInterrupt, OutputError)):
                    writer.add(latent)
            else:
                writer.add(latent)
    assert (load(tmp_path / "a") == y[::2]).all()


def test_a_writer_may_be_used_again(tmp_path: Path) -> None:
    y = batch("raw", 3)
    for arguments, expected in (({"overwrite": True}, y[2:]), ({"append": True}, y)):
        writer = Writer(tmp_path / "a", lossless=True, **arguments)
        (tmp_path / "a").unlink(missing_ok=True)
        for part in (y[:2], y[2:]):
            with writer:
                for latent in part:
                    writer.add(latent)
        assert (load(tmp_path / "a") == expected).all()


def test_nothing_is_written_where_a_latent_fails(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="NaN"):
        write(
            tmp_path / "a", [smooth(2, 8, 8), np.full((2, 8, 8), np.nan, np.float32)], max_error=0.1
        )
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"mine")
    with pytest.raises(OutputError):
        save(smooth(1, 4, 4), file, lossless=True)
    assert file.read_bytes() == b"mine"
    save(smooth(1, 4, 4), file, lossless=True, overwrite=True)
    assert len(load(file)) == 1


def test_an_empty_file_of_latents(tmp_path: Path) -> None:
    save([], tmp_path / "a", lossless=True)
    assert load(tmp_path / "a") == []


@pytest.mark.parametrize(
    ("latent", "arguments", "said"),
    [
        (np.zeros((4, 4, 4), np.float32), {}, "one way"),
        (np.zeros((4, 4, 4), np.float32), {"rmse": 0.1, "quality": 5}, "one way"),
        (np.zeros((4, 4, 4), np.float32), {"rmse": 0.0}, "positive"),
        (np.zeros((4, 4, 4), np.float32), {"max_error": float("nan")}, "positive"),
        (np.zeros((4, 4, 4), np.float32), {"quality": 101, "space": "sd15"}, "quality"),
        (np.zeros((4, 4, 4), np.float32), {"quality": 50}, "raw"),
        (np.zeros((4, 4, 4), np.float64), {"lossless": True}, "float64"),
        (np.zeros((4, 4, 4), np.uint8), {"lossless": True}, "uint8"),
        (np.zeros((4, 4), np.float32), {"lossless": True}, "shape"),
        (np.zeros((0, 4, 4), np.float32), {"lossless": True}, "shape"),
        (np.zeros((3, 4, 4), np.float32), {"lossless": True, "space": "sd15"}, "4 channels"),
        (np.full((1, 2, 2), np.inf, np.float32), {"rmse": 0.1}, "infinity"),
        (np.zeros((1, 2, 2), np.float32), {"lossless": True, "names": ["a", "b"]}, "names"),
        (np.zeros((1, 2, 2), np.float32), {"lossless": True, "metadata": [{"a": {1}}]}, "JSON"),
        (np.zeros((1, 2, 2), np.float32), {"lossless": True, "metadata": [NESTED]}, "JSON"),
        (np.zeros((1, 2, 2), np.float32), {"lossless": True, "metadata": [["a"]]}, "dictionary"),
        (np.zeros((1, 2, 2), np.float32), {"lossless": True, "metadata": ["a"]}, "dictionary"),
        (np.zeros((1, 2, 2), np.float32), {"lossless": True, "names": [1]}, "text, not int"),
    ],
)
def test_what_is_refused(tmp_path: Path, latent: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        save(latent, tmp_path / "a", **arguments)
    assert not list(tmp_path.iterdir())


def test_unknown_space_and_missing_file(tmp_path: Path) -> None:
    for space in ("sd16", "lp1"):
        with pytest.raises(UsageError, match=f"unknown latent space '{space}'"):
            save(smooth(4, 4, 4), tmp_path / "a", space=space, lossless=True)
    with pytest.raises(ImageError, match="nothing"):
        load(tmp_path / "nothing")


def test_neither_torch_nor_onnxruntime_is_imported(tmp_path: Path) -> None:
    save(batch("sd15"), tmp_path / "a", space="sd15", quality=50)
    code = (
        "import sys; from latentpress import latents; latents.load(sys.argv[1]); "
        "sys.exit(any(m in sys.modules for m in sys.argv[2:]))"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "a", "torch", "onnxruntime"], check=True)


def test_a_disk_that_fails_is_one_sentence_that_names_the_file(tmp_path: Path) -> None:
    failing = Path("/proc/self/mem")  # whose first byte cannot be read
    if not failing.exists():
        pytest.skip("no /proc here")
    with pytest.raises(ImageError, match=r"^/proc/self/mem: Input/output error$"):
        Reader(failing)
    save([smooth(4, 8, 8)], tmp_path / "a.ltps", lossless=True)
    with Reader(tmp_path / "a.ltps") as reader, failing.open("rb") as stream:
        os.dup2(stream.fileno(), reader._stream.fileno())
        with pytest.raises(ImageError, match=r"a\.ltps: Input/output error$"):
            reader[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_reader_gives_no_other_latent_of_a_file_that_became_shorter(
    tmp_path: Path,
) -> None:
    y = batch("raw", 3)
    save(y, tmp_path / "a", lossless=True)
    reader = Reader(tmp_path / "a")
    save(y[:2], tmp_path / "a", lossless=True, overwrite=True)
    child = os.fork()
    if child == 0:
        with contextlib.suppress(IndexError):
            reader[2]
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_pickled_reader_reads(tmp_path: Path) -> None:
    y = batch("sd15")
    save(y, tmp_path / "a", space="sd15", lossless=True)
    assert (pickle.loads(pickle.dumps(Reader(tmp_path / "a")))[1] == y[1]).all()


def test_public_names() -> None:
    assert {n for n in latents.__all__ if n != "LatentDataset"} <= set(vars(latents))
    with pytest.raises(AttributeError):
        _ = latents.nothing
