"""Files behind a URL, through fsspec: read and written whole, tried again where a store fails, and
told of in one sentence.

fsspec knows the stores (s3fs for s3://, gcsfs for gs://, ...); they take credentials and endpoints
from where they always do: the environment, their configuration files, the machine's role.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from latentpress.errors import ImageError, LatentpressError, OutputError, UsageError
from latentpress.system import faults
from latentpress.system.urls import WEB, is_url, scheme, shown

ATTEMPTS = 6  # of one request
PATIENT = ("gs", "gcs")  # whose library makes several attempts itself, and cannot be told not to
FIRST_WAIT = 0.25  # seconds before the second attempt; each further wait is twice as long
LONGEST_WAIT = 10.0
CONNECT_SECONDS = 10  # without an answer
READ_SECONDS = 30  # without a byte
CHUNK = 8 * 2**20  # bytes of a file that is read in parts
PAGE = 1000  # names a request, the most that S3 gives
AT_ONCE = 64 * 2**20  # bytes; a larger file is sent in parts, from the disk
# where a file is there when all of it is; elsewhere it is written under another name and moved
WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory"}
# of fsspec, which show what another store holds: "zip://a.jpg::s3://bucket/a.zip"
LAYERS = {"zip", "tar", "libarchive", "simplecache", "filecache", "blockcache", "cached", "dir"}
Result = TypeVar("Result")


class Found(NamedTuple):
    """A file of a store. key: its name below the store's URL. size: bytes, 0 where a server of the
    web does not tell them. version: as of `stores.Entry`.
    """

    key: str
    size: int
    version: str


class Remote:
    """The files below a URL, or the one file that it names, whose key is "".

    Threads may share one; it can be pickled.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.scheme = scheme(url)
        self._files, self._root = _file_system(url)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.url,)

    def entries(self) -> Iterator[Found]:
        """All files in the order of their keys. On S3 a page of names is held at a time, elsewhere
        the names of one folder a level.

        Raises:
            ImageError: nothing is there, or it cannot be listed.
        """
        if self.scheme in WEB:
            raise ImageError(
                f"{shown(self.url)}: an address of the web cannot be listed: name its files, for "
                "instance through --files-from"
            )
        empty = True
        with contextlib.suppress(faults.MissingError):
            for found in self._pages() if hasattr(self._files, "call_s3") else self._folder(""):
                empty = False
                yield found
        if empty and not self.is_folder():
            raise ImageError(f"{shown(self.url)}: nothing is there")

    def find(self, key: str = "") -> Found | None:
        """A file; None where there is none."""
        try:
            told = self._try(key, functools.partial(self._told, self._path(key)), ImageError)
        except faults.MissingError:
            return None
        if told["type"] == "directory":
            return None
        return Found(key, int(told["size"] or 0), _version(told))

    def _told(self, path: str) -> dict[str, Any]:
        """What a store tells of a file; of S3 with one request, though there be none."""
        if not hasattr(self._files, "call_s3"):
            told: dict[str, Any] = self._files.info(path)
            return told
        bucket, _, name = path.partition("/")
        if not name:
            return {"type": "directory"}
        told = self._files.call_s3("head_object", Bucket=bucket, Key=name)
        return {"type": "file", "size": told["ContentLength"], **told}

    def is_folder(self) -> bool:
        """Whether anything lies below the URL."""
        if self.scheme in WEB:
            return False
        if hasattr(self._files, "call_s3"):  # where info() looks for a file first
            page = self._page(self._prefix(), 1)
            return bool(page.get("Contents")) or not self._prefix()[1]
        try:
            told = self._try("", lambda: self._files.info(self._root), ImageError)
        except faults.MissingError:
            return False
        return bool(told["type"] == "directory")

    def read(self, key: str = "") -> bytes:
        """All bytes of a file; ImageError."""
        # else s3fs asks for the size first
        options = {"max_concurrency": 1} if hasattr(self._files, "call_s3") else {}
        data: bytes = self._try(
            key, lambda: self._files.cat_file(self._path(key), **options), ImageError
        )
        return data

    def chunks(self, key: str = "", size: int = CHUNK) -> Iterator[bytes]:
        """The bytes of a large file, a part at a time, or at once where its size is not told;
        ImageError.
        """
        found = self.find(key)
        if found is None:
            raise faults.MissingError(f"{self._named(key)}: no such file")
        if not found.size:
            yield self.read(key)
        for start in range(0, found.size, size):
            data = self.part(key, start, min(start + size, found.size), found.size)
            yield data
            if len(data) > size:
                return

    def part(self, key: str, start: int, end: int, whole: int) -> bytes:
        """The bytes of a file between two places; all of it, from its beginning, where the server
        gives no parts and start is 0. whole: its size. ImageError.
        """
        work = functools.partial(self._files.cat_file, self._path(key), start=start, end=end)
        data: bytes = self._try(key, work, ImageError)
        if len(data) != end - start and (start or len(data) != whole):
            raise ImageError(
                f"{self._named(key)}: was asked for {end - start:,} of its {whole:,} bytes, and "
                f"{len(data):,} came"
            )
        return data

    def remove(self, key: str) -> None:
        """Delete a file, where it is there; OutputError."""

        def work() -> None:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(self._path(key))

        self._try(key, work, OutputError)

    def write(self, data: bytes, key: str = "") -> None:
        """A whole file or nothing; an existing one is replaced. OutputError."""
        self._put(key, lambda path: self._files.pipe_file(path, data))

    def write_file(self, file: Path, key: str = "") -> None:
        """The same of what a file on disk holds."""
        if file.stat().st_size <= AT_ONCE:
            self.write(file.read_bytes(), key)
        else:
            self._put(key, lambda path: self._files.put_file(os.fspath(file), path))

    def _put(self, key: str, send: Callable[[str], object]) -> None:
        if self.scheme in WEB:
            raise OutputError(
                f"{self._named(key)}: an address of the web can be read, not written: name a "
                "file, a folder or an object store with -o"
            )
        path = self._path(key)

        def work() -> None:
            if self.scheme in WHOLE:
                send(path)
                return
            folder = path.rpartition("/")[0]
            temporary = f"{folder}/.latentpress-{random.randbytes(8).hex()}.tmp"
            self._files.makedirs(folder, exist_ok=True)
            try:
                send(temporary)
                self._files.mv(temporary, path)
            except BaseException:
                if self._files.exists(temporary):
                    self._files.rm_file(temporary)
                raise

        self._try(key, work, OutputError)

    def _path(self, key: str) -> str:
        """What fsspec calls a file."""
        return f"{self._root.rstrip('/')}/{key}" if key else self._root

    def _named(self, key: str) -> str:
        """What messages call a file."""
        return shown(f"{self.url.rstrip('/')}/{key}" if key else self.url)

    def _try(self, key: str, work: Callable[[], Result], kind: type[LatentpressError]) -> Result:
        """What `work` returns, after as many as ATTEMPTS. kind: the error that is raised, of which
        MissingError, where there is no such file, is one of ImageError.
        """
        start = time.monotonic()
        attempts = 2 if self.scheme in PATIENT else ATTEMPTS
        for attempt in range(1, attempts + 1):
            try:
                return work()
            except Exception as error:  # each store has exceptions of its own
                fault = faults.of(error, self.url)
                if fault.final or attempt == attempts:
                    tries = 0 if fault.final else attempt
                    raise fault.raised(
                        self._named(key), kind, tries, time.monotonic() - start
                    ) from None
            wait = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT)
            time.sleep(wait * random.uniform(0.5, 1))  # many workers do not come back at once
        raise AssertionError

    def _prefix(self) -> tuple[str, str]:
        """The bucket of S3 and how the keys below the URL begin in it."""
        bucket, _, prefix = self._root.partition("/")
        return bucket, f"{prefix.rstrip('/')}/" if prefix else ""

    def _page(self, place: tuple[str, str], many: int, after: str = "") -> dict[str, Any]:
        """A page of a listing of S3. after: the token of the page before it."""
        bucket, prefix = place
        asked = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": many}
        if after:
            asked["ContinuationToken"] = after
        request = functools.partial(self._files.call_s3, "list_objects_v2", **asked)
        page: dict[str, Any] = self._try("", request, ImageError)
        return page

    def _pages(self) -> Iterator[Found]:
        """All objects of S3 below the URL, in the order in which S3 gives them: by key."""
        place = self._prefix()
        page = self._page(place, PAGE)
        while True:
            for told in page.get("Contents", ()):
                key = told["Key"][len(place[1]) :]
                if key and not key.endswith("/"):  # which stands for a folder
                    yield Found(key, told["Size"], _version(told))
            if not page.get("IsTruncated"):
                return
            page = self._page(place, PAGE, page["NextContinuationToken"])

    def _folder(self, key: str) -> Iterator[Found]:
        """All files in a folder and below, by key: a folder is in the place of its name and "/"."""
        listed = self._try(key, lambda: self._files.ls(self._path(key), detail=True), ImageError)
        inside: dict[str, Any] = {}
        for told in listed:
            name = told["name"].rstrip("/").rpartition("/")[2]
            is_folder = told["type"] == "directory"
            inside[name + "/" * is_folder] = told
        for name in sorted(inside):
            below = f"{key}/{name}" if key else name
            if name.endswith("/"):
                yield from self._folder(below.rstrip("/"))
            else:
                yield Found(below, int(inside[name]["size"] or 0), _version(inside[name]))


class RemoteFile(io.RawIOBase):
    """A file behind a URL that can seek: each read is a request. Of a server that gives no parts of
    files, or does not tell their sizes, it is copied first, to a temporary file.

    Raises:
        ImageError: it is not there, or cannot be read.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._at = 0
        self._copy: IO[bytes] | None = None
        remote = opened(url)
        found = remote.find()
        if found is None:
            raise faults.MissingError(f"{shown(url)}: no such file")
        self._size = found.size
        if not self._size or len(remote.part("", 0, 1, self._size)) > 1:
            self._copy = tempfile.TemporaryFile()  # noqa: SIM115  closed with this
            self._copy.writelines(remote.chunks())
            self._size = self._copy.tell()

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of any file."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}
        self._at = max(0, bases[whence] + offset)
        return self._at

    def tell(self) -> int:
        """As of any file."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """As of any file."""
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        if self._copy is not None:
            self._copy.seek(self._at)
            data = self._copy.read(end - self._at)
        else:
            data = opened(self._url).part("", self._at, end, self._size)[: end - self._at]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Close the copy, where there is one."""
        if self._copy is not None:
            self._copy.close()
        super().close()


@functools.lru_cache(maxsize=256)
def opened(url: str) -> Remote:
    """The files of a URL, opened once a process.

    Raises:
        UsageError: what its scheme needs is not installed, or nobody knows the scheme.
    """
    return Remote(url)


if hasattr(os, "register_at_fork"):  # connections cannot be shared with a child
    os.register_at_fork(after_in_child=opened.cache_clear)


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, and what it calls that URL."""
    assert is_url(url)
    kind = scheme(url)
    if "::" in kind or kind in LAYERS:
        raise UsageError(
            f"{shown(url)}: is one store through another, which is neither read nor written: name "
            "the file itself; a zip or tar archive of pictures is read as a folder is"
        )
    try:
        import fsspec
    except ImportError:
        raise UsageError(
            f"{kind}:// needs the extra remote: pip install 'latentpress[remote]'"
        ) from None
    try:
        made = fsspec.get_filesystem_class(kind)  # url_to_fs() would end a name at "::"
        files = made(**{**made._get_kwargs_from_urls(url), **_options(kind)})
        path = made._strip_protocol(url)
    except ImportError as error:
        raise UsageError(
            f"{kind}:// needs a package that is not installed ({error}): pip install "
            "'latentpress[remote]' brings what s3://, gs:// and https:// need"
        ) from None
    except ValueError as error:
        if "Protocol not known" in str(error):
            raise UsageError(
                f"{kind}:// is no kind of store that fsspec knows: s3://, gs://, https:// and "
                "memory:// are some that it does"
            ) from None
        raise UsageError(f"{shown(url)}: {shown(str(error))}") from None
    if hasattr(files, "retries"):
        files.retries = 1  # the attempts are ours
    return files, path


def _options(kind: str) -> dict[str, Any]:
    """How a file system is opened: listings as they are now, one attempt a request, and an end to
    waiting.
    """
    options: dict[str, Any] = {"use_listings_cache": False}
    if kind in ("s3", "s3a"):
        from fsspec.config import conf

        chosen = conf.get("s3", {}).get("config_kwargs", {})
        options["config_kwargs"] = {
            "retries": {"total_max_attempts": 1},
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            **chosen,
        }
    elif kind in WEB:
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
        options["client_kwargs"] = {"timeout": timeout}
    return options


def _version(told: dict[str, Any]) -> str:
    """What changes with the content, of what a store tells of a file: its tag where it has one,
    else size and time.
    """
    for name in ("ETag", "etag", "md5Hash", "generation"):
        if told.get(name):
            return str(told[name]).strip('"')
    size = told.get("size", told.get("Size"))
    for name in ("LastModified", "Last-Modified", "last_modified", "updated", "mtime", "created"):
        when = told.get(name)
        if when:
            return f"{size}-{when.timestamp() if isinstance(when, datetime) else when}"
    return str(size)
