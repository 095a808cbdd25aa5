"""One .tar shard into another: what is changed, what is kept, and what hostile shards do."""

import errno
import io
import tarfile
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from helpers.shards import CHANGE, members, picture, samples, shard, shortened
from latentpress.collection.members import Change
from latentpress.collection.samples import samples_of_shard
from latentpress.collection.shards import change_shard
from latentpress.collection.unit import Row
from latentpress.errors import DiskFullError, FormatError, ImageError, UsageError
from latentpress.system.tars import COPY_BYTES


def ltp(data: bytes) -> bytes | None:
    return shortened("", "", data).data


def changed(data: bytes, change: Change = CHANGE) -> tuple[bytes, list[Row]]:
    output = io.BytesIO()
    told = list(change_shard(io.BytesIO(data), output, change))
    return output.getvalue(), told


def test_pictures_are_changed_and_the_rest_is_kept_in_its_order() -> None:
    source = samples(5)
    data, told = changed(shard(source))
    expected = [(n.replace(".jpg", ".ltp"), ltp(d) if n.endswith(".jpg") else d) for n, d in source]
    assert members(data) == expected
    assert [each.member for each in told] == [f"{i:04}.jpg" for i in range(5)]
    assert told[0].source_bytes == len(source[0][1])
    assert told[0].output_bytes == 23
    assert told[0].fields == {"output": "0000.ltp"}
    assert not any(each.error for each in told)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_same_shard_gives_the_same_bytes_and_keeps_times(form: int) -> None:
    data = shard(samples(3), form)
    first, second = changed(data)[0], changed(data)[0]
    assert first == second
    with tarfile.open(fileobj=io.BytesIO(data)) as a, tarfile.open(fileobj=io.BytesIO(first)) as b:
        assert [(i.mtime, i.uid, i.mode) for i in a] == [(i.mtime, i.uid, i.mode) for i in b]


def test_a_shard_without_pictures_comes_back_byte_for_byte() -> None:
    data = shard([("a.txt", b"x" * 700), ("é" * 90 + "/b.json", b"{}"), ("c", b"")])
    assert data.startswith(changed(data)[0])


def test_keys_of_samples_stay() -> None:
    names = ["d.e/a.seg.png", "d.e/a.jpg", "d.e/a.JPG.json", "b.PNG", ".jpg", "noname"]
    data, _ = changed(shard([(name, picture(i, "PNG")) for i, name in enumerate(names)]))
    assert [name for name, _ in members(data)] == [
        "d.e/a.seg.ltp",
        "d.e/a.ltp",
        "d.e/a.JPG.json",
        "b.ltp",
        ".jpg",
        "noname",
    ]


def test_what_macos_puts_before_a_picture_is_none() -> None:
    attributes = b"\0\5\x16\7\0\2\0\0Mac OS X"
    given = [("./._d", attributes), ("d/._a.jpg", attributes), ("d/a.jpg", picture(1))]
    data, told = changed(shard(given))
    assert members(data)[:2] == given[:2]
    assert [(each.member, each.error) for each in told] == [("d/a.jpg", "")]


def test_a_broken_picture_is_kept_and_told() -> None:
    data, told = changed(
        shard(
            [("a.jpg", picture(1)), ("b.jpg", b"broken"), ("b.txt", b"text"), ("c.jpg", picture(2))]
        )
    )
    assert [name for name, _ in members(data)] == ["a.ltp", "b.jpg", "b.txt", "c.ltp"]
    assert members(data)[1][1] == b"broken"
    assert [each.error for each in told] == ["", "b.jpg: no picture; it is kept as it is", ""]


def test_two_pictures_of_one_output() -> None:
    source = [("a.jpg", picture(1)), ("a.png", picture(2, "PNG")), ("a.txt", b"")]
    data, told = changed(shard(source))
    assert [name for name, _ in members(data)] == ["a.ltp", "a.png", "a.txt"]
    assert members(data)[1][1] == source[1][1]
    assert told[1].error == "a.png: a.ltp is another member's name; it is kept as it is"
    data, told = changed(shard(source), replace(CHANGE, keep_suffix=True))
    assert [name for name, _ in members(data)] == ["a.jpg.ltp", "a.png.ltp", "a.txt"]
    assert not any(each.error for each in told)


def test_a_second_member_of_one_name_is_left_out_and_told() -> None:
    data, told = changed(
        shard([("a.txt", b"first"), ("a.txt", b"second"), ("b.ltp", b"x"), ("b.jpg", picture(1))])
    )
    assert members(data) == [("a.txt", b"first"), ("b.ltp", b"x"), ("b.jpg", picture(1))]
    assert "another member of this name" in told[0].error
    assert told[1].error.startswith("b.jpg: b.ltp is another member's name")


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/etc/a.jpg", "a/../../b.jpg", "..\\a.jpg", "C:\\a.jpg", "b/..", "\\a.jpg"]
)
def test_names_that_lead_out_are_left_out_and_told(name: str) -> None:
    data, told = changed(shard([(name, picture(1)), ("b.jpg", picture(2))]))
    assert [each for each, _ in members(data)] == ["b.ltp"]
    assert told[0].member == name
    assert told[0].error.endswith(": the name leads out of the archive; it is left out")


def test_links_and_devices_are_left_out_and_told() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for kind, name in (
            (tarfile.SYMTYPE, "a.jpg"),
            (tarfile.LNKTYPE, "b.jpg"),
            (tarfile.CHRTYPE, "c"),
            (tarfile.FIFOTYPE, "d"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("folder")
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    data, told = changed(stream.getvalue())
    assert [each.error for each in told] == [
        f"{name}: a link, a device or a pipe; it is left out"
        for name in ("a.jpg", "b.jpg", "c", "d")
    ]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert [info.name for info in archive] == ["folder"]


def test_attributes_for_all_members_stay() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", pax_headers={"comment": "of all"}) as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    data, told = changed(stream.getvalue())
    assert not told
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.pax_headers == {"comment": "of all"}


def test_a_broken_shard_is_one_error_that_names_the_member() -> None:
    data = shard([("a.jpg", picture(1)), ("b.jpg", picture(2)), ("c.jpg", picture(3))])
    at = data.index(b"b.jpg") + 700
    with pytest.raises(FormatError, match=r"is cut off in or behind its member 'b\.jpg', at byte"):
        changed(data[:at])


def test_a_picture_too_large_to_hold_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_MAX_MEMBER_BYTES", "1000")
    large = b"\xff\xd8" + bytes(3_000_000)
    data, told = changed(shard([("a.jpg", large), ("b.jpg", picture(1))]))
    assert members(data)[0] == ("a.jpg", large)
    assert "promises 3,000,002 bytes" in told[0].error
    assert not told[1].error


class FailingOnce(io.BytesIO):
    """A file on a disk that refuses one read, the one from a place on."""

    def __init__(self, data: bytes, place: int) -> None:
        super().__init__(data)
        self.place = place

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() == self.place:
            self.place = -1
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


def test_a_shard_that_cannot_be_read_is_not_written_with_what_could() -> None:
    data = shard([("a.jpg", b"\xff\xd8" + bytes(3_000_000)), ("b.jpg", picture(1))])
    place = data.index(b"\xff\xd8") + COPY_BYTES
    with pytest.raises(ImageError, match="cannot be read: Input/output error"):
        list(change_shard(FailingOnce(data, place), io.BytesIO(), CHANGE))
    data = shard([("a.jpg", picture(1)), ("a.txt", b"a caption")])
    place = data.index(b"a caption")
    with pytest.raises(ImageError, match="cannot be read: Input/output error"):
        list(samples_of_shard(FailingOnce(data, place), frozenset({".jpg"})))


@pytest.mark.parametrize("error", [UsageError("no such codec"), DiskFullError("the disk is full")])
def test_what_no_other_picture_would_escape_ends_the_shard(error: Exception) -> None:
    def fails(name: str, output: str, data: bytes) -> Any:
        raise error

    with pytest.raises(type(error)):
        changed(shard(samples(1)), replace(CHANGE, press=fails))


def test_memory_is_that_of_a_member_not_of_the_shard() -> None:
    class Endless(io.RawIOBase):
        """A shard of many members, made as it is read."""

        def __init__(self) -> None:
            self.many, self.rest = 60, b""

        def seekable(self) -> bool:
            return False

        def read(self, size: int = -1) -> bytes:
            while len(self.rest) < size and self.many:
                self.many -= 1
                one = shard(
                    [
                        (f"{self.many}.jpg", picture(1) + bytes(1 << 20)),
                        (f"{self.many}.bin", bytes(1 << 20)),
                    ]
                )
                self.rest += one[: 4 * 512 + 2 * (1 << 20)]
            if not self.rest:
                return bytes(size)
            data, self.rest = self.rest[:size], self.rest[size:]
            return data

    class Nowhere(io.RawIOBase):
        def write(self, data: Any) -> int:
            return len(data)

    tracemalloc.start()
    told = list(change_shard(Endless(), Nowhere(), CHANGE))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(told) == 60
    assert peak < 16 << 20  # of 120 MiB
