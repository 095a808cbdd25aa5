"""Where a file is meant, it may be a path, bytes or an open file; what is wrong is one sentence."""

import errno
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from latentpress.codec import decode_latent
from latentpress.errors import FormatError, ImageError, UsageError, prefixed
from latentpress.latents import save
from latentpress.system.sources import unreadable


def kinds(path: Path) -> Iterator[Any]:
    """A file in every way in which it may be given."""
    data = path.read_bytes()
    yield from (path, str(path), data, bytearray(data), memoryview(data), io.BytesIO(data))
    with path.open("rb") as stream:
        yield stream
    with path.open("rb", buffering=0) as stream:
        yield stream


@pytest.fixture
def ltp(tmp_path: Path, small: NDArray[np.uint8]) -> Path:
    path = tmp_path / "photo.ltp"
    path.write_bytes(latentpress.compress(small, quality=20))
    return path


@pytest.fixture
def png(tmp_path: Path, small: NDArray[np.uint8]) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(small).save(path)
    return path


def test_decoding_takes_every_kind_of_source(ltp: Path) -> None:
    functions: list[Callable[[Any], Any]] = [
        latentpress.read_header,
        lambda source: latentpress.decompress(source).tobytes(),
        lambda source: decode_latent(source).tobytes(),
    ]
    for function in functions:
        expected = function(ltp.read_bytes())
        for source in kinds(ltp):
            assert function(source) == expected


def test_encoding_and_grading_take_every_kind_of_source(
    png: Path, ltp: Path, small: NDArray[np.uint8]
) -> None:
    for source in kinds(png):
        assert latentpress.compress(source, quality=20) == ltp.read_bytes()
    expected = latentpress.assess(small, ltp, ["psnr"])
    for source, graded in zip(kinds(png), kinds(ltp), strict=True):
        assert latentpress.assess(source, graded, ["psnr"]) == expected


def test_an_error_names_the_file_where_there_is_a_name(
    ltp: Path, png: Path, tmp_path: Path
) -> None:
    ltp.write_bytes(ltp.read_bytes()[:-3])
    for function in (latentpress.read_header, latentpress.decompress, decode_latent):
        for source in kinds(ltp):
            named = (
                str(ltp) if isinstance(source, (Path, str, io.BufferedReader, io.FileIO)) else ""
            )
            with pytest.raises(FormatError, match="the file is cut off") as caught:
                function(source)
            assert str(caught.value) == f"{named}: the file is cut off".removeprefix(": ")
        with pytest.raises(ImageError, match=r"missing\.ltp: no such file"):
            function(tmp_path / "missing.ltp")
        with pytest.raises(ImageError, match="is a folder"):
            function(str(tmp_path))
        with pytest.raises(UsageError, match="not list"):
            function([1])  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="binary mode"):
            function(io.StringIO("LTP"))  # type: ignore[arg-type]
        with png.open(encoding="utf-8") as text, pytest.raises(UsageError, match="binary mode"):
            function(text)  # type: ignore[arg-type]


def test_a_folder_that_windows_does_not_permit_to_open_is_told_as_one(tmp_path: Path) -> None:
    denied = PermissionError(errno.EACCES, "Permission denied")
    assert str(unreadable(str(tmp_path), denied)).endswith(": is a folder, not a file")
    assert str(unreadable(str(tmp_path), denied, listed=True)).endswith(
        ": no permission to read it"
    )
    assert str(unreadable(str(tmp_path / "a"), denied)).endswith(": no permission to read it")


class CutOff(io.RawIOBase):
    """The answer of a server that went away."""

    name = "photo"

    def read(self, size: int = -1) -> bytes:
        raise IncompleteRead(b"", 1000)


def test_a_connection_that_fails_is_told_as_that_and_not_as_a_damaged_picture() -> None:
    for function in (latentpress.compress, latentpress.read_header, latentpress.decompress):
        with pytest.raises(ImageError, match=r"^photo: reading it failed \(IncompleteRead: "):
            function(CutOff())  # type: ignore[arg-type]


def test_an_error_can_be_printed_whatever_bytes_a_name_has(ltp: Path) -> None:
    odd = ltp.with_name("caf\udce9.ltp")  # a byte that is no UTF-8
    with pytest.raises(ImageError, match=r"caf\\xe9\.ltp: "):
        latentpress.decompress(odd)
    for name in ("caf\udce9", "\ud800"):
        print(UsageError(name), prefixed(name, FormatError("damaged")))


def test_our_own_files_are_known_for_what_they_are(ltp: Path, tmp_path: Path) -> None:
    for source in kinds(ltp):
        with pytest.raises(ImageError, match=r"already an \.ltp file"):
            latentpress.compress(source)
    save(np.zeros((1, 4, 8, 8), np.float32), tmp_path / "set.ltps", lossless=True)
    for source in kinds(tmp_path / "set.ltps"):
        with pytest.raises(FormatError, match="latents info"):
            latentpress.read_header(source)
    for source in kinds(tmp_path / "set.ltps"):
        with pytest.raises(ImageError, match="latents unpack"):
            latentpress.compress(source)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_odd_failures_of_the_reader_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, png: Path
) -> None:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 3, 0, 0, 0))
    (tmp_path / "p.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(b"\0\0\1\0\1\0"))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(ImageError) as caught:
        latentpress.compress(tmp_path / "p.png")
    assert str(caught.value) == f"{tmp_path / 'p.png'}: cannot be decoded: its palette is missing"
    for error in (AssertionError(), KeyError(7), struct.error("unpack requires\na buffer")):
        with monkeypatch.context() as broken:
            broken.setattr(Image, "open", lambda file, error=error: (_ for _ in ()).throw(error))
            with pytest.raises(
                ImageError,
                match=r": its data are damaged, or of a kind that Pillow cannot read \(\w+",
            ) as caught:
                latentpress.compress(png)
        assert "\n" not in str(caught.value)
