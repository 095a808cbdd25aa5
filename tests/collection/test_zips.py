"""ZIP files as stores, and what hostile ones do."""

import pickle
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from latentpress.errors import ImageError, OutputError
from latentpress.system.stores import LeftOut, ZipStore, open_store


def made(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> ZipStore:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return ZipStore(path)


def test_members_are_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    members = {
        "b/c.jpg": b"c" * 5000,
        "a.jpg": b"a",
        "é.png": b"e",
        "b/.hidden.jpg": b"",
        "__MACOSX/a.jpg": b"",
    }
    store = made(tmp_path / "a.zip", {**members, "folder/": b""})
    left_out = LeftOut()
    entries = list(store.entries(left_out))
    assert left_out.hidden == 2
    assert isinstance(open_store(str(tmp_path / "a.zip")), ZipStore)
    assert [(entry.key, entry.size) for entry in entries] == [
        ("a.jpg", 1),
        ("b/c.jpg", 5000),
        ("é.png", 1),
    ]
    assert all(store.read(entry.key) == members[entry.key] for entry in entries)
    assert store.entry("a.jpg") == entries[0]
    assert store.entry("x.jpg") is None
    with pytest.raises(OutputError, match="only read"):
        store.write("x", b"")


def test_another_content_is_another_version(tmp_path: Path) -> None:
    first = made(tmp_path / "a.zip", {"a": b"1"}).entry("a")
    second = made(tmp_path / "b.zip", {"a": b"2"}).entry("a")
    same = made(tmp_path / "c.zip", {"b": b"", "a": b"1"}, zipfile.ZIP_STORED).entry("a")
    assert first is not None
    assert second is not None
    assert first == same
    assert first.version != second.version


def test_threads_and_other_processes_share_one(tmp_path: Path) -> None:
    members = {f"{i}.jpg": bytes([i]) * 20_000 for i in range(50)}
    store = pickle.loads(pickle.dumps(made(tmp_path / "a.zip", members)))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(store.read, members)) == list(members.values())


def test_links_and_doubles(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link.jpg")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.jpg", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.jpg", b"second")
    store = ZipStore(tmp_path / "a.zip")
    assert [entry.key for entry in store.entries()] == ["a.jpg"]
    assert store.entry("link.jpg") is None
    assert store.read("a.jpg") == b"second"


def test_a_bomb_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_MAX_MEMBER_BYTES", "1000000")
    store = made(tmp_path / "a.zip", {"bomb.png": bytes(10_000_000), "a.png": b"a"})
    with pytest.raises(ImageError, match=r"a\.zip/bomb\.png: promises 10,000,000 bytes"):
        store.read("bomb.png")
    assert store.read("a.png") == b"a"


def test_a_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    made(tmp_path / "a.zip", {"bomb.png": bytes(10_000_000)})
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(
        data.replace((10_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    )
    with pytest.raises(ImageError, match="damaged"):
        ZipStore(tmp_path / "a.zip").read("bomb.png")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_a_bound_are_refused(tmp_path: Path, method: int) -> None:
    store = made(tmp_path / "a.zip", {"a.png": bytes(1000)}, method)
    with pytest.raises(ImageError, match=r"compressed by method \d+; read are stored and deflated"):
        store.read("a.png")


def test_damaged_and_encrypted_members(tmp_path: Path) -> None:
    made(tmp_path / "a.zip", {"a.png": bytes(range(256)) * 9, "b.png": b"b"}, zipfile.ZIP_STORED)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[300] ^= 1
    (tmp_path / "a.zip").write_bytes(data)
    store = ZipStore(tmp_path / "a.zip")
    with pytest.raises(ImageError, match=r"a\.png: is damaged: Bad CRC"):
        store.read("a.png")
    assert store.read("b.png") == b"b"
    central = data.index(b"PK\1\2")
    data[central + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ImageError, match="is encrypted"):
        ZipStore(tmp_path / "a.zip").read("a.png")


def test_what_is_no_archive_and_what_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"x\.zip: no such file"):
        list(ZipStore(tmp_path / "x.zip").entries())
    made(tmp_path / "a.zip", {"a.png": bytes(1000)})
    data = (tmp_path / "a.zip").read_bytes()
    for size in (0, 10, len(data) // 2, len(data) - 3):
        (tmp_path / "a.zip").write_bytes(data[:size])
        with pytest.raises(ImageError, match=r"no \.zip file, or one that is cut off"):
            list(ZipStore(tmp_path / "a.zip").entries())
