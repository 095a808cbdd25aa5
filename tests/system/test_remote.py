"""Object stores: a real S3 server with its faults, memory://, the web."""

import functools
import ntpath
import os
import pickle
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import latentpress
from helpers.object_store import KEYS, Proxy, web_server
from helpers.s3_fixtures import BUCKET, forget
from latentpress import latents
from latentpress.cli.app import app
from latentpress.errors import ImageError, OutputError, UsageError
from latentpress.system import remote
from latentpress.system.files import replacing
from latentpress.system.places import UrlPath, as_path, elsewhere
from latentpress.system.sources import read_source
from latentpress.system.stores import FolderStore, LeftOut, ObjectStore, open_store
from latentpress.system.urls import is_url, shown

fsspec = pytest.importorskip("fsspec", reason="needs the extra remote")
ROOT = f"s3://{BUCKET}"
# in the order of their keys
NAMES = ["a-b.jpg", "a.jpg", "a/b.jpg", "a/c/d.jpg", "a0.jpg", "ü.jpg"]


@pytest.fixture
def memory() -> Iterator[str]:
    files = fsspec.filesystem("memory")
    yield "memory://tree"
    files.rm("/tree", recursive=True)


def test_what_is_written_is_listed_in_order_and_read(
    s3: Proxy, memory: str, tmp_path: Path
) -> None:
    for url in (f"{ROOT}/tree", memory, str(tmp_path)):
        store = open_store(url)
        for name in (*reversed(NAMES), ".hidden.jpg", "a/.b/c.jpg"):
            store.write(name, name.encode())
        left_out = LeftOut()
        entries = list(store.entries(left_out))
        assert [entry.key for entry in entries] == NAMES
        assert left_out.hidden == 2
        assert [store.entry(name) for name in NAMES] == entries
        assert [store.read(name) for name in NAMES] == [name.encode() for name in NAMES]
        assert [entry.size for entry in entries] == [len(name.encode()) for name in NAMES]
        assert store.entry("none") is None
        assert store.entry("a") is None  # a folder
        store.write("a.jpg", b"other")
        assert store.entry("a.jpg") != entries[1]
        with pytest.raises(ImageError, match=r"none: no such file"):
            store.read("none")
        with pytest.raises(ImageError):
            list(open_store(f"{url}/none").entries())


def test_a_long_listing_is_read_a_page_at_a_time(
    s3: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"{ROOT}/pages")
    for n in range(10):
        store.write(f"{n}.jpg", b"")
    monkeypatch.setattr(remote, "PAGE", 3)
    with s3.failing(lambda method, path, number: "500" if number % 2 else ""):
        entries = store.entries()
        assert next(entries).key == "0.jpg"
        assert len(s3.seen) == 2  # one failed
        assert [entry.key for entry in entries] == [f"{n}.jpg" for n in range(1, 10)]
        assert len(s3.seen) == 8


def test_names_that_would_leave_the_folder_of_the_outputs_are_not_listed(s3: Proxy) -> None:
    store = open_store(f"{ROOT}/evil")
    files = remote.opened(ROOT)._files
    for key in ("../a.jpg", "/etc/a.jpg", "b/../../a.jpg", "good.jpg"):
        files.call_s3("put_object", Bucket=BUCKET, Key=f"evil/{key}", Body=b"")
    assert [entry.key for entry in store.entries()] == ["good.jpg"]


@pytest.mark.parametrize("fault", ["500", "503", "cut", "refuse", "lost"])
def test_a_request_that_fails_is_sent_again(s3: Proxy, fault: str) -> None:
    store = open_store(f"{ROOT}/again")
    data = bytes(range(256)) * 4096
    with s3.failing(lambda method, path, number: fault if number < remote.ATTEMPTS else ""):
        store.write("a", data)
        # an answer without a body cannot be cut
        assert s3.faults == (1 if fault == "cut" else remote.ATTEMPTS - 1)
    with s3.failing(lambda method, path, number: fault if number < remote.ATTEMPTS else ""):
        assert store.read("a") == data
        assert s3.faults == remote.ATTEMPTS - 1
    with s3.failing(lambda method, path, number: fault if number < remote.ATTEMPTS else ""):
        entry = store.entry("a")
        assert entry is not None
        assert entry.size == len(data)


def test_attempts_end_and_the_waits_between_them_grow(
    s3: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(remote, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(remote.time, "sleep", waits.append)
    for work, kind in (
        (lambda: open_store(ROOT).read("a"), ImageError),
        (lambda: open_store(ROOT).write("a", b"1"), OutputError),
    ):
        waits.clear()
        with s3.failing(lambda method, path, number: "503"), pytest.raises(kind) as error:
            work()
        assert len(s3.seen) == remote.ATTEMPTS
        assert str(error.value).startswith(f"s3://{BUCKET}/a: the store failed (")
        assert f"given up after {remote.ATTEMPTS} attempts in" in str(error.value)
        for n, wait in enumerate(waits):
            longest = min(2**n, remote.LONGEST_WAIT)
            assert longest / 2 <= wait <= longest
        assert len(waits) == remote.ATTEMPTS - 1


def test_a_store_that_does_not_answer_is_not_waited_for(
    s3: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "READ_SECONDS", 0.5)
    forget()
    try:
        open_store(ROOT).write("slow", b"1")
        with s3.failing(lambda method, path, number: "slow 5" if number == 1 else ""):
            assert open_store(ROOT).read("slow") == b"1"
            assert len(s3.seen) == 2
    finally:
        forget()


def test_one_request_in_ten_fails_and_nothing_is_lost(s3: Proxy) -> None:
    store = open_store(f"{ROOT}/tenth")
    kinds = ("500", "cut", "refuse", "lost")
    with s3.failing(
        lambda method, path, number: kinds[number // 10 % 4] if number % 10 == 0 else ""
    ):
        for n in range(40):
            store.write(f"{n:02}", bytes([n]) * 1000)
        assert [store.read(entry.key) for entry in store.entries()] == [
            bytes([n]) * 1000 for n in range(40)
        ]
        assert s3.faults >= 8


def test_a_bucket_that_is_not_there_is_named(s3: Proxy) -> None:
    store = open_store("s3://nobody/in")
    words = "there is no bucket nobody: make it first, or correct its name"
    with pytest.raises(ImageError, match=f"^s3://nobody/in: {words}$"):
        list(store.entries())
    with pytest.raises(OutputError, match=f"^s3://nobody/in/a: {words}$"):
        store.write("a", b"")


def test_wrong_credentials_are_told_at_once_and_without_them(
    s3: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_keys_after(requests: str) -> None:
        url = f"{s3.url}/moto-api/reset-auth"
        asked = urllib.request.Request(
            url, requests.encode(), {"Content-Type": "text/plain"}, method="POST"
        )
        urllib.request.urlopen(asked).close()

    store = open_store(f"{ROOT}/kept")
    check_keys_after("0")
    try:
        s3.seen.clear()
        for work in (lambda: store.read("a"), lambda: store.write("a", b"")):
            with pytest.raises((ImageError, OutputError)) as error:
                work()
            assert str(error.value) == (
                f"s3://{BUCKET}/kept/a: the store refused access (InvalidAccessKeyId): "
                "check AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and what they allow"
            )
            assert not any(
                value in str(error.value) for value in (KEYS["AWS_SECRET_ACCESS_KEY"], '"testing"')
            )
        assert len(s3.seen) == 2
    finally:
        check_keys_after("inf")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    forget()
    try:
        with pytest.raises(
            ImageError,
            match=r"^s3://photos/kept/a: no credentials were found: check AWS_ACCESS_KEY_ID",
        ):
            open_store(f"{ROOT}/kept").read("a")
    finally:
        forget()


def test_a_large_file_is_there_when_all_of_it_is(
    s3: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(remote.opened(ROOT)._files)
    monkeypatch.setattr(remote, "AT_ONCE", 2**20)
    monkeypatch.setattr(
        kind, "_put_file", functools.partialmethod(kind._put_file, chunksize=5 * 2**20)
    )
    forget()
    file = tmp_path / "large"
    file.write_bytes(os.urandom(12 * 2**20))
    place = UrlPath(f"{ROOT}/large.ltps")
    fails = s3.failing(lambda method, path, number: "500" if "partNumber=2" in path else "")
    with fails, pytest.raises(OutputError, match="given up after"):
        place.save(file)
    assert s3.faults == remote.ATTEMPTS
    assert not place.exists()
    with s3.failing(lambda method, path, number: "500" if number == 3 else ""):
        place.save(file)
        assert s3.faults == 1
    assert place.load() == file.read_bytes()
    assert b"".join(remote.opened(ROOT).chunks("large.ltps", 5 * 2**20)) == file.read_bytes()
    forget()


def test_where_files_grow_they_are_moved_into_place_when_they_are_whole(tmp_path: Path) -> None:
    from fsspec.implementations.local import LocalFileSystem

    class Growing(LocalFileSystem):
        protocol = "growing"
        fails = False

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return path.removeprefix("growing://")

        def pipe_file(self, path: str, value: bytes, **_: object) -> None:
            if self.fails:
                Path(path).write_bytes(value[:1])
                raise NotImplementedError("it broke")
            Path(path).write_bytes(value)

    fsspec.register_implementation("growing", Growing, clobber=True)
    store = open_store(f"growing://{tmp_path}/out")
    store.write("a/b.ltp", b"first")
    Growing.fails = True
    with pytest.raises(OutputError, match="it broke"):
        store.write("a/b.ltp", b"second")
    assert [entry.key for entry in store.entries()] == ["a/b.ltp"]
    assert store.read("a/b.ltp") == b"first"
    assert os.listdir(tmp_path / "out" / "a") == ["b.ltp"]


def test_a_store_goes_to_another_process(s3: Proxy) -> None:
    store = open_store(f"{ROOT}/process")
    store.write("a", b"1")
    copy = pickle.loads(pickle.dumps(store))
    assert isinstance(copy, ObjectStore)
    assert copy.read("a") == b"1"
    path = pickle.loads(pickle.dumps(as_path(f"{ROOT}/process/a")))
    assert path == UrlPath(f"{ROOT}/process/a")
    assert path.load() == b"1"
    assert KEYS["AWS_SECRET_ACCESS_KEY"].encode() not in pickle.dumps(
        (store, path, remote.opened(ROOT))
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_reads_what_its_parent_opened(s3: Proxy) -> None:
    open_store(f"{ROOT}/fork").write("a", b"1")
    script = (
        "import os\n"
        "from latentpress.system.stores import open_store\n"
        f"store = open_store('{ROOT}/fork')\n"
        "assert store.read('a') == b'1'\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(store.read('a') != b'1')\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert store.read('a') == b'1'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_web_is_read_and_not_written(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra remote")
    with web_server({"in/a b.jpg": b"123", "in/a%20b.jpg": b"123"}) as url:
        path = as_path(f"{url}/in/a%20b.jpg?signature=secret/1")
        assert (path.name, path.suffix, str(path)) == ("a b.jpg", ".jpg", f"{url}/in/a%20b.jpg")
        assert read_source(path) == b"123"
        assert path.stat().st_size == 3
        assert as_path(f"{url}/in/..%2F..%2Fb.jpg?signature=1").name == "b.jpg"
        assert not path.is_dir()
        with pytest.raises(ImageError) as error:
            read_source(f"{url}/none.jpg?signature=secret")
        assert str(error.value) == f"{url}/none.jpg: no such file"
        with pytest.raises(OutputError) as refused:
            open_store(url).write("a", b"")
        assert str(refused.value).startswith(
            f"{url}/a: an address of the web can be read, not written: name a"
        )
        with pytest.raises(ImageError, match="cannot be listed: name its files"):
            list(open_store(url).entries())


def test_urls_are_told_from_paths_and_shown_without_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [
        is_url(text) for text in ("s3://b/k", "memory://x", "C://x", "a/b", "./s3://b", "s3:/b")
    ] == [True, True, *[False] * 4]
    assert isinstance(open_store("a/b"), FolderStore)
    assert as_path("file:///a/b%20c.jpg") == Path("/a/b c.jpg")
    with monkeypatch.context() as on_windows:
        on_windows.setattr("os.path.splitdrive", ntpath.splitdrive)
        assert as_path("file:///C:/b%20c.jpg") == Path("C:/b c.jpg")
        assert as_path("file:////server/share/a.jpg") == Path("//server/share/a.jpg")
    assert isinstance(open_store("file:///a/b"), FolderStore)
    assert shown("sftp://me:word@host/a.jpg") == "sftp://host/a.jpg"
    assert (
        shown("no: https://u:p@host/a?X-Amz-Signature=1&b=2 failed") == "no: https://host/a failed"
    )
    assert shown("s3://bucket/what?.jpg") == "s3://bucket/what?.jpg"
    place = elsewhere("sftp://me:word@host/folder/a.tar.gz")
    assert place is not None
    assert f"{place}{place!r}".count("word") == 0
    assert os.fspath(place) == "sftp://me:word@host/folder/a.tar.gz"
    assert (place.name, place.stem, place.suffix) == ("a.tar.gz", "a.tar", ".gz")
    assert os.fspath(as_path("s3://b/a//c.jpg").with_suffix(".ltp")) == "s3://b/a//c.ltp"
    assert os.fspath(place.with_suffix(".ltp")) == "sftp://me:word@host/folder/a.tar.ltp"
    assert os.fspath(place.parent / "b" / "c.jpg") == "sftp://me:word@host/folder/b/c.jpg"


def test_a_scheme_that_nothing_is_known_of_or_that_needs_a_package_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match=r"^sthree:// is no kind of store that fsspec knows"):
        open_store("sthree://bucket/a")

    def missing(*_: object, **__: object) -> None:
        raise ImportError("Install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(
        UsageError, match=r"gs:// needs a package .*gcsfs.*pip install 'latentpress\[remote\]'"
    ):
        open_store("gs://bucket/b")
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(
        UsageError, match=r"^gs:// needs the extra remote: pip install 'latentpress\[remote\]'$"
    ):
        open_store("gs://bucket/c")


@pytest.mark.parametrize(
    "url",
    [
        "zip://a.png::archive.zip",
        "zip://::memory://here/archive.zip",
        "simplecache::memory://here/a.png",
        "simplecache::zip://a.png::memory://here/archive.zip",
        "tar://a.png",
    ],
)
def test_a_store_through_another_is_refused_in_one_sentence(url: str, tmp_path: Path) -> None:
    sentence = f"{url}: is one store through another, which is neither read nor written"
    photo = tmp_path / "photo.png"
    Image.new("RGB", (40, 24), (9, 99, 199)).save(photo)
    with pytest.raises(UsageError) as refused:
        latentpress.compress(url)
    assert str(refused.value).startswith(sentence)
    for arguments in (
        ["compress", url],
        ["compress", str(photo), "-o", url],
        ["compress", str(tmp_path), "-o", url],
        ["decompress", url, "-o", str(tmp_path / "b.png")],
        ["info", url],
    ):
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, UsageError)
        assert str(result.exception).startswith(sentence)
    assert os.listdir(tmp_path) == ["photo.png"]


def test_two_colons_are_letters_of_a_name(s3: Proxy) -> None:
    url = f"{ROOT}/colons/a::b.jpg"
    with replacing(as_path(url), overwrite=False) as stream:
        stream.write(b"here")
    assert [entry.key for entry in open_store(f"{ROOT}/colons").entries()] == ["a::b.jpg"]
    assert read_source(url) == b"here"


def test_the_url_of_a_path_is_taken_as_the_path(tmp_path: Path) -> None:
    url = f"{tmp_path.as_uri()}/a%20b"
    Image.new("RGB", (40, 24), (9, 99, 199)).save(tmp_path / "a b.png")
    data = latentpress.compress(f"{url}.png")
    assert data == latentpress.compress(tmp_path / "a b.png")
    with replacing(f"{url}.ltp", overwrite=False) as stream:
        stream.write(data)
    assert (tmp_path / "a b.ltp").read_bytes() == data
    assert latentpress.decompress(f"{url}.ltp").size == (40, 24)
    assert latentpress.read_header(f"{url}.ltp").width == 40
    assert latentpress.assess(f"{url}.png", f"{url}.ltp", ["psnr"])["psnr"] > 30


def test_latents_under_the_url_of_a_path(tmp_path: Path) -> None:
    url = f"{tmp_path.as_uri()}/a%20b.ltps"
    y = np.zeros((2, 4, 8, 8), np.float32)
    latents.save(y, url, lossless=True)
    with latents.Writer(url, lossless=True, append=True) as writer:
        writer.add(y[0])
    assert os.listdir(tmp_path) == ["a b.ltps"]
    with latents.Reader(url) as reader:
        assert len(pickle.loads(pickle.dumps(reader))) == 3
    with pytest.raises(OutputError, match="exists already"):
        latents.save(y, url, lossless=True)
    result = CliRunner().invoke(app, ["latents", "info", url])
    assert "3, 768 numbers" in result.output
    packed = f"{tmp_path.as_uri()}/packed.ltps"
    np.save(tmp_path / "y.npy", y)
    result = CliRunner().invoke(
        app, ["latents", "pack", str(tmp_path), "-o", packed, "--lossless", "--include", "*.npy"]
    )
    assert result.exit_code == 0, (result.output, result.exception)
    assert len(latents.load(tmp_path / "packed.ltps")) == 2
