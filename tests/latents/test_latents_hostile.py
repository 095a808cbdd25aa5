"""Bytes of an attacker: a .ltps file that is no longer what was written raises FormatError, in
bounded memory.
"""

import struct
import tracemalloc
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from helpers.latent_files import ltps, record_of, smooth
from latentpress.errors import FormatError, SpaceError, UsageError, VersionError
from latentpress.latents import Reader, index, precision, save
from latentpress.latents.methods import learned, predictive, predictive_coding
from latentpress.latents.record import MAX_VALUES_PER_BYTE
from latentpress.varint import write_varint


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A file of every method."""
    folder, y = tmp_path_factory.mktemp("files"), smooth(4, 9, 7)
    outlier = y.copy()
    outlier[0, 0, 0] = 1e9
    save(
        [y, outlier],
        folder / "predictive",
        max_error=0.1,
        names=["a", "b"],
        metadata=[{"x": 1}, {}],
    )
    with pytest.MonkeyPatch.context() as patch:
        # the prior is taken for a latent that is none
        patch.setattr(precision, "gaussian_bits", lambda *_: np.inf)
        save(
            [y, outlier],
            folder / "learned",
            space="sd15",
            max_error=0.1,
            names=["a", "b"],
            metadata=[{"x": 1}, {}],
        )
    save([y], folder / "lossless", lossless=True)
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def read_all(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with Reader(file) as reader:
        for n in range(len(reader)):
            reader.read(n)


@pytest.mark.parametrize("name", ["predictive", "learned", "lossless"])
def test_every_prefix(files: dict[str, bytes], tmp_path: Path, name: str) -> None:
    for length in range(len(files[name])):
        with pytest.raises(FormatError):
            read_all(tmp_path / "a", files[name][:length])


@pytest.mark.parametrize("name", ["predictive", "learned", "lossless"])
def test_every_byte_flipped(files: dict[str, bytes], tmp_path: Path, name: str) -> None:
    for i in range(len(files[name])):
        data = bytearray(files[name])
        data[i] ^= 1 << i % 8
        with pytest.raises(FormatError):
            read_all(tmp_path / "a", bytes(data))


def test_bytes_behind_the_end(files: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        read_all(tmp_path / "a", files["lossless"] + b"\0")


@pytest.mark.parametrize("name", ["predictive", "learned", "lossless"])
def test_records_flipped_under_right_checksums(
    files: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    """Nothing but FormatError leaves the reader, whatever a record says; a flip that decodes gives
    a latent of bounded size.
    """
    (tmp_path / "good").write_bytes(files[name])
    with Reader(tmp_path / "good") as reader:
        last, space = len(reader) - 1, index.space_id(reader.space)
    start, size = record_of(files[name], last)
    body = files[name][start : start + size]
    rng = np.random.default_rng(0)
    refused = 0
    for i in range(len(body)):
        data = bytearray(body)
        data[i] ^= int(rng.integers(1, 256))
        try:
            read_all(tmp_path / "a", ltps([bytes(data)], space))
        except FormatError:
            refused += 1
    for length in range(len(body)):
        with pytest.raises(FormatError):
            read_all(tmp_path / "a", ltps([body[:length]], space))
    assert refused > 30


def head(method: int, c: int, h: int, w: int) -> bytes:
    return bytes([method, 0]) + b"".join(write_varint(n) for n in (c, h, w)) + b"\0\0"


def test_a_promise_beyond_the_bytes_is_refused(tmp_path: Path) -> None:
    for method in (1, 2, 3):
        body = head(method, 60000, 60000, 60000) + bytes(100)
        with pytest.raises(FormatError, match="promises"):
            read_all(tmp_path / "a", ltps([body]))


def test_the_largest_promise_takes_bounded_memory(tmp_path: Path) -> None:
    """A record that promises as much as it may is refused, in less than 16 bytes a number: three
    times what the numbers themselves take.
    """
    payload = (
        predictive.HEAD.pack(0, 0, 1.0, 0) + bytes(16) + b"\0" + bytes(1 + 16 * 7) + b"\x01" * 100
    )
    side = int(np.sqrt(MAX_VALUES_PER_BYTE * len(payload) / 16))
    (tmp_path / "a").write_bytes(ltps([head(2, 16, side, side) + payload]))
    tracemalloc.start()
    try:
        with Reader(tmp_path / "a") as reader, pytest.raises(FormatError):
            reader.read(0)
        assert tracemalloc.get_traced_memory()[1] < 16 * 16 * side * side
    finally:
        tracemalloc.stop()


def test_no_latent_is_larger_than_the_limit(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = head(2, 1, 60000, 60000) + bytes(60000 * 60000 // MAX_VALUES_PER_BYTE)
    with pytest.raises(FormatError, match="limit of 268435456"):
        read_all(tmp_path / "a", ltps([body]))
    for limit in (4 * 9 * 7, 4 * 9 * 7 - 1):
        monkeypatch.setenv("LATENTPRESS_MAX_NUMBERS", str(limit))
        with nullcontext() if limit == 252 else pytest.raises(FormatError, match="limit of 251"):
            read_all(tmp_path / "a", files["predictive"])
    with pytest.raises(UsageError, match="more than 251"):  # what is not read is not written
        save([smooth(4, 9, 7)], tmp_path / "b", lossless=True)
    monkeypatch.setenv("LATENTPRESS_MAX_NUMBERS", "1e9")
    with pytest.raises(UsageError, match="LATENTPRESS_MAX_NUMBERS is a whole number"):
        read_all(tmp_path / "a", files["predictive"])


def test_a_lossless_latent_promises_no_more_than_zlib_can_hold(tmp_path: Path) -> None:
    side = 1500
    with pytest.raises(FormatError, match="promises"):
        read_all(
            tmp_path / "a",
            ltps([head(1, 1, side, side) + bytes(side * side // MAX_VALUES_PER_BYTE)]),
        )
    for kind in (np.float32, np.float16):
        # as dense as zlib gets
        save([np.zeros((1, side, side), kind)], tmp_path / "b", lossless=True, overwrite=True)
        with Reader(tmp_path / "b") as reader:
            assert not reader[0].any()


def test_a_zlib_bomb_is_not_inflated(tmp_path: Path) -> None:
    import zlib

    bomb = zlib.compress(bytes(1 << 26), 9)
    body = (
        head(1, 1, 8, 8) + b"".join(b"\x01" + write_varint(len(bomb)) for _ in range(4)) + 4 * bomb
    )
    with pytest.raises(FormatError):
        read_all(tmp_path / "a", ltps([body]))


def payload(model: int = 1, level: int = 0, step: float = 0.5, exceptions: bytes = b"\0") -> bytes:
    bases, stream = predictive_coding.encode(np.zeros((2, 8, 8), np.int32), 1)
    return struct.pack("<BBfI", model, level, step, 0) + b"\0\0" + exceptions + bases + stream


def test_a_prior_belongs_to_a_space(files: dict[str, bytes], tmp_path: Path) -> None:
    coded = learned.encode(smooth(4, 9, 7), 0, np.float32(0.2), 0.2, 16)
    assert coded is not None
    read_all(tmp_path / "a", ltps([head(3, 4, 9, 7) + coded.payload], 16))
    for space, said in ((0, "no named space"), (17, "coded latent"), (18, "channels")):
        with pytest.raises(FormatError, match=said):
            read_all(tmp_path / "a", ltps([head(3, 4, 9, 7) + coded.payload], space))
    with Reader(write(tmp_path / "b", files["learned"])) as reader:
        assert reader.info(0).method == "learned"


NOT_JSON_IN_UTF_8 = (
    b'{"a":NaN}',
    b'{"a":-Infinity}',
    "{}".encode("utf-16-le"),
    "{}".encode("utf-32"),
    "{}".encode("utf-8-sig"),
    b'{"a":"\xed\xa0\x80"}',
)


def write(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (head(9, 2, 8, 8) + payload(), "coded in a way"),
        (bytes([2, 7]) + head(2, 2, 8, 8)[2:] + payload(), "coded in a way"),
        (head(2, 0, 8, 8) + payload(), "promises"),
        (head(2, 2, 8, 8) + payload(model=99), "predictor"),
        (head(2, 2, 8, 8) + payload(level=4), "predictor"),
        (head(2, 2, 8, 8) + payload(model=16), "channels"),
        (head(2, 2, 8, 8) + payload(step=0.0), "step"),
        (head(2, 2, 8, 8) + payload(step=-1.0), "step"),
        (head(2, 2, 8, 8) + payload(step=float("nan")), "step"),
        (head(2, 2, 8, 8) + payload(step=float("inf")), "step"),
        (head(2, 2, 8, 8) + payload(exceptions=b"\xff\x7f"), "exceptions"),
        (head(2, 2, 8, 8) + payload(), "checksum"),
        (head(2, 2, 8, 8)[:-1] + b"\x02[]" + payload(), "JSON object"),
        (head(2, 2, 8, 8)[:-1] + b"\x02{!" + payload(), "metadata"),
        *(
            (head(2, 2, 8, 8)[:-1] + bytes([len(label)]) + label + payload(), "metadata")
            for label in NOT_JSON_IN_UTF_8
        ),
        (head(2, 2, 8, 8)[:-2] + b"\x01\xff\0" + payload(), "name"),
        (head(2, 2, 8, 8)[:-1] + b"\xff\x7f", "cut off"),
    ],
)
def test_every_rule_of_a_record(tmp_path: Path, body: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        read_all(tmp_path / "a", ltps([body]))


def test_every_rule_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = ltps([b"x"])
    with pytest.raises(VersionError, match="version 9"):
        read_all(tmp_path / "a", good[:4] + b"\x09" + good[5:])
    with pytest.raises(SpaceError):
        read_all(tmp_path / "a", ltps([b"x"], 77))
    with pytest.raises(SpaceError):
        read_all(tmp_path / "a", ltps([b"x"], 1))  # lp1 is no space of this format
    with pytest.raises(FormatError, match="overlap"):
        read_all(tmp_path / "a", ltps([b"x", b""]))
    with pytest.raises(FormatError, match="not where they should be"):
        read_all(tmp_path / "a", ltps([b"x"], behind=b"y"))
    with pytest.raises(FormatError, match=r"not an \.ltps"):
        read_all(tmp_path / "a", b"LTP\x01" + good[4:])
    assert index.space_name(0) == "raw"
    monkeypatch.setattr(index, "MAX_RECORD_BYTES", 3)
    with pytest.raises(FormatError, match="too long"):
        read_all(tmp_path / "a", ltps([b"four"]))
