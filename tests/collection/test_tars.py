"""Members of .tar files: what is read, what is refused, and headers under other names."""

import gzip
import io
import tarfile

import pytest

from latentpress.errors import FormatError, ImageError
from latentpress.system.tars import END, TarReader, header

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
LONG = "folder/" * 20 + "name.jpg"


def tar(
    members: list[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT, **attributes: object
) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


class OneWay(io.BytesIO):
    """A stream that cannot seek."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("stream", [io.BytesIO, OneWay])
@pytest.mark.parametrize("form", FORMATS)
def test_members_come_with_their_names_and_bytes(form: str, stream: type[io.BytesIO]) -> None:
    members = [("a.jpg", b"x" * 1000), ("é/b.txt", b""), ("c.jpg", b"y" * 512)]
    members += [(LONG, b"z" * 513)]
    reader = TarReader(stream(tar(members, FORMATS[form])))
    assert [(member.name, reader.read(member)) for member in reader] == members


@pytest.mark.parametrize("form", FORMATS)
def test_heads_and_blocks_put_together_are_the_archive(form: str) -> None:
    data = tar(
        [("a.jpg", b"x" * 1000), (LONG, b"y" * 10), ("c", b"")], FORMATS[form], mtime=12, uid=7
    )
    reader, copied = TarReader(OneWay(data)), b""
    for member in reader:
        copied += member.head + b"".join(reader.blocks()) + bytes(member.padding)
    assert data.startswith(copied + END)


@pytest.mark.parametrize("name", ["b.ltp", LONG, "é" * 80])
@pytest.mark.parametrize("form", FORMATS)
def test_a_header_under_another_name_keeps_owner_and_time(form: str, name: str) -> None:
    data = tar(
        [("a.jpg", b"x")], FORMATS[form], mtime=123456789, uid=7, gid=8, uname="someone", mode=0o640
    )
    member = next(iter(TarReader(io.BytesIO(data))))
    new = header(member, name, 3) + b"abc" + bytes(509) + END
    with tarfile.open(fileobj=io.BytesIO(new)) as archive:
        (info,) = archive.getmembers()
    assert (info.name, info.size, info.mtime, info.uid, info.gid, info.uname, info.mode) == (
        name,
        3,
        123456789,
        7,
        8,
        "someone",
        0o640,
    )


def test_a_fraction_of_a_second_stays() -> None:
    data = tar([("a.jpg", b"x")], mtime=1.25)
    new = header(next(iter(TarReader(io.BytesIO(data)))), "b.ltp", 0) + END
    with tarfile.open(fileobj=io.BytesIO(new)) as archive:
        assert archive.getmembers()[0].mtime == 1.25


@pytest.mark.parametrize("stream", [io.BytesIO, OneWay])
def test_every_cut_is_told(stream: type[io.BytesIO]) -> None:
    data = tar([("a.jpg", b"x" * 700), ("b.jpg", b"y" * 700), (LONG, b"")])
    whole = data.rindex(b"name.jpg") // 512 * 512 + 512
    for size in range(0, whole, 100):
        reader = TarReader(stream(data[:size]))
        with pytest.raises(FormatError, match="cut off"):
            for _ in reader:
                pass


def test_a_damaged_header_in_the_middle_names_the_member_before_it() -> None:
    data = bytearray(tar([("a.jpg", b"x" * 700), ("b.jpg", b"y" * 700), ("c.jpg", b"z")]))
    data[data.index(b"b.jpg")] ^= 1
    members = iter(TarReader(io.BytesIO(data)))
    assert next(members).name == "a.jpg"
    with pytest.raises(
        FormatError, match=r"header that is damaged in or behind its member 'a\.jpg', at byte"
    ):
        next(members)


def test_no_archive_at_all() -> None:
    with pytest.raises(FormatError, match="at its beginning"):
        list(TarReader(io.BytesIO(b"\xff\xd8\xff" * 500)))


def test_a_compressed_archive() -> None:
    with pytest.raises(FormatError, match="is compressed: unpack it"):
        list(
            TarReader(
                io.BytesIO(gzip.compress(tar([("a.jpg", bytes(range(256)) * 9)])) + bytes(600))
            )
        )


def test_a_member_that_promises_more_than_there_is() -> None:
    info = tarfile.TarInfo("a.jpg")
    info.size = 1 << 60
    data = info.tobuf(tarfile.GNU_FORMAT) + b"x" * 2000
    for stream in (io.BytesIO(data), OneWay(data)):
        with pytest.raises(FormatError, match="cut off"):
            list(TarReader(stream))


def test_a_member_too_large_to_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_MAX_MEMBER_BYTES", "999")
    reader = TarReader(io.BytesIO(tar([("a.jpg", b"x" * 1000), ("b.jpg", b"y" * 999)])))
    read = []
    for member in reader:
        if member.name == "a.jpg":
            with pytest.raises(
                ImageError,
                match=r"1,000 bytes, more than the limit of 999 \(LATENTPRESS_MAX_MEMBER",
            ):
                reader.read(member)
        else:
            read.append(reader.read(member))
    assert read == [b"y" * 999]


def test_an_extended_header_without_end_is_refused() -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    with pytest.raises(FormatError, match="an extended header of 1,099,511,627,776 bytes"):
        list(TarReader(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))))


def test_a_negative_size_is_refused() -> None:
    info = tarfile.TarInfo("a.jpg")
    data = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    data[124:136] = b"\xff" * 12  # base 256, two's complement: -1
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data)
    with pytest.raises(FormatError, match="damaged"):
        list(TarReader(io.BytesIO(bytes(data) + END)))


def test_sparse_files_are_refused() -> None:
    info = tarfile.TarInfo("a.jpg")
    info.pax_headers = {"GNU.sparse.major": "1"}
    with pytest.raises(FormatError, match="sparse"):
        list(TarReader(io.BytesIO(info.tobuf(tarfile.PAX_FORMAT) + END)))
