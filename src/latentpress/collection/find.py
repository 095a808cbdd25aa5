"""What there is to do: one Unit for each file of the inputs that is taken, and where its output
goes. The tree of an input stays.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from latentpress.collection.unit import Row, Unit, joined
from latentpress.errors import ImageError
from latentpress.names import as_compared, composed
from latentpress.system.members import leads_out
from latentpress.system.places import UrlPath, as_path, is_folder
from latentpress.system.sources import unreadable
from latentpress.system.stores import FolderStore, LeftOut, Store, open_store
from latentpress.system.urls import bare, is_url

LTP = ".ltp"
GZIPPED = (".tar.gz", ".tgz")  # each becomes a .tar
ARCHIVES = frozenset({".tar", ".parquet", *GZIPPED})  # the others become one of the same kind
MANIFEST = "manifest.jsonl"
PARTS = "manifest/"  # where a store of objects has the rows of runs that have not ended
LATER = (".heic", ".heif", ".hif", ".jxl")  # read by packages that are registered when one comes


def is_archive(key: str) -> bool:
    """Whether a file is a shard or a table, by its name."""
    return suffix_of(key) in ARCHIVES


def image_suffixes() -> frozenset[str]:
    """Suffixes, in lower case, of the files that Pillow reads, by packages that are registered
    when such a file comes, too.
    """
    from latentpress.image.plugins import readable_suffixes

    return frozenset({*readable_suffixes(), *LATER} - {LTP})


def suffix_of(key: str) -> str:
    """The suffix of a name in lower case, .tar.gz as one."""
    key = key.lower()
    return GZIPPED[0] if key.endswith(GZIPPED[0]) else posixpath.splitext(key)[1]


@dataclass(frozen=True)
class Selection:
    """Which files of a tree are taken.

    suffixes: of those that are taken where nothing is included by name. include, exclude: patterns
    as of the shell, in which `*` stands for any characters; letters match in either case. One with
    a "/" is held against the name within the tree, one without against the file's own name, and to
    exclude against each folder above it, too. "deep/" is all that lies in this folder.
    """

    suffixes: frozenset[str]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, key: str) -> bool:
        """Whether a file is one of those."""
        key = composed(key).lower()
        parts = key.split("/")
        for pattern in self.exclude:
            pattern = _plain(pattern).rstrip("/")
            above = ["/".join(parts[:many]) for many in range(1, len(parts) + 1)]
            if any(fnmatchcase(name, pattern) for name in (above if "/" in pattern else parts)):
                return False
        if self.include:
            patterns = [f"{p}*" if p.endswith("/") else p for p in map(_plain, self.include)]
            return any(fnmatchcase(key if "/" in p else parts[-1], p) for p in patterns)
        return suffix_of(key) in self.suffixes


def _plain(pattern: str) -> str:
    return composed(pattern).lower().removeprefix("./")


@dataclass
class Found(LeftOut):
    """What a search came by and did not take. Others are files that are not selected, too."""

    def words(self) -> str:
        """One line of summary, "" where nothing was left out."""
        kinds = [
            (self.hidden, "hidden"),
            (self.others, "other"),
        ]
        told = [f"{count:,} {name}" for count, name in kinds if count]
        links = [f"{self.links:,} link{'s' * (self.links > 1)} not followed"] if self.links else []
        files = "file" if self.hidden + self.others == 1 else "files"
        skipped = f"{' and '.join(told)} {files} skipped" if told else ""
        return ", ".join([*([skipped] if skipped else []), *links])


@dataclass(frozen=True)
class Naming:
    """Where outputs go. suffix: of the outputs. keep_suffix: a.jpg becomes a.jpg.ltp, not a.ltp.
    keeps_archives: archives keep their own suffix.
    """

    suffix: str
    keep_suffix: bool = False
    keeps_archives: bool = True

    def output(self, key: str) -> str:
        """The name of what is made of a file: of an archive its own, but that a .tar.gz becomes a
        .tar, or as of any other.
        """
        suffix = suffix_of(key)
        stem = key if self.keep_suffix else key[: len(key) - len(suffix)]
        if self.keeps_archives and suffix in GZIPPED:
            return f"{stem}.tar"
        return key if self.keeps_archives and suffix in ARCHIVES else stem + self.suffix


@dataclass
class Search:
    """The files of folders and of lists.

    selection: which files of a tree are taken; a file that was named itself always is. found: is
    told what was not. within: the folder of the outputs, which is left out of the trees.
    """

    selection: Selection
    naming: Naming
    found: Found = field(default_factory=Found)
    within: str = ""

    def tree(self, url: str, prefix: str = "") -> Iterator[Unit | Row]:
        """A unit a file of a store, and a row with an error for a folder that cannot be listed,
        and for a name that leads out of a folder, as one in an archive may. prefix: of the
        outputs' names.
        """
        store = open_store(url)
        inside = _inside(url, self.within)
        for entry in store.entries(self.found):
            if inside and entry.key.startswith(inside):
                continue
            if not self.selection.takes(entry.key):
                self.found.others += not is_record(entry.key)
                continue
            if not isinstance(store, FolderStore) and leads_out(entry.key):
                source = joined(url, entry.key)
                yield Row(source, entry.version, error=f"{source}: the name leads out of the tree")
                continue
            output = prefix + self.naming.output(entry.key)
            yield Unit(url, entry.key, output, entry.version, entry.size)
            yield from self._problems()
        yield from self._problems()

    def _problems(self) -> Iterator[Row]:
        while self.found.problems:
            error = str(self.found.problems.pop(0))
            yield Row(error.partition(": ")[0], "", error=error)

    def named(self, names: Iterable[str]) -> Iterator[Unit | Row]:
        """A unit a file that was named, once; the folders of the names stay, but for a leading "/"
        or "../".
        """
        stores: dict[str, Store] = {}
        seen: set[int] = set()
        for name in names:
            if hash(name) in seen:
                continue
            seen.add(hash(name))
            root, key, plain = _rooted(name)
            if root not in stores:
                stores[root] = open_store(root)
            yield from self._one(stores[root], root, key, self.naming.output(_below(plain)))

    def file(self, name: str, below: str = "") -> Iterator[Unit | Row]:
        """The unit of a file that stands beside folders: its output has its name alone. below: a
        folder for the output.
        """
        plain = as_path(name).name
        if is_url(name):
            root, key, _ = _rooted(name)
        else:
            root, key = os.path.split(name)
        root = root or "."
        output = posixpath.normpath(posixpath.join(below, self.naming.output(plain)))
        yield from self._one(open_store(root), root, key, output)

    def _one(self, store: Store, root: str, key: str, output: str) -> Iterator[Unit | Row]:
        try:
            entry = store.entry(key)
            reason = "" if entry else _missing(as_path(joined(root, key)))
        except ImageError as error:  # of a store that fails, which is not all that was named
            entry, reason = None, str(error)
        if entry is None:
            name = joined(root, key)
            problem = reason if reason.startswith(name) else f"{name}: {reason}"
            yield Row(name, "", error=problem)
        else:
            yield Unit(root, key, output, entry.version, entry.size)


def _missing(path: Path) -> str:
    """Why a path is no file's: a reason, or a sentence that begins with the path."""
    if is_folder(path):
        return "is a folder, not a file"
    try:
        path.stat()
    except OSError as error:
        return str(unreadable(str(path), error))
    return "is a device or a pipe, not a file"


def is_record(key: str) -> bool:
    """Whether a file below the outputs is of the record of runs."""
    return key == MANIFEST or (
        key.startswith(PARTS) and key.endswith(posixpath.splitext(MANIFEST)[1])
    )


def _rooted(name: str) -> tuple[str, str, str]:
    """The store of a file that was named, its key there, and that key without the query of a web
    address.
    """
    if is_url(name):
        path = as_path(name)
        if isinstance(path, UrlPath):
            start, _, rest = name.partition("://")
            host, _, key = rest.partition("/")
            return f"{start}://{host}", key, bare(name).partition("://")[2].partition("/")[2]
        name = str(path)
    name = name.replace(os.sep, "/")  # in which the parts of a key are joined
    drive, rest = os.path.splitdrive(name)
    if not drive and not rest.startswith("/"):
        return ".", name, name
    key = rest.lstrip("/")
    return f"{drive}/", key, key


def _below(key: str) -> str:
    """A name without the parts that lead above where it begins."""
    return posixpath.normpath(f"/{key.replace(os.sep, '/')}").lstrip("/")


def _inside(url: str, folder: str) -> str:
    """The key, with "/" at its end, of a folder below a local tree; "" where it is not below."""
    if is_url(url) or is_url(folder) or not folder:
        outer = f"{url.rstrip('/')}/"
        return f"{folder.rstrip('/')}/"[len(outer) :] if folder.startswith(outer) else ""
    outer, inner = os.path.realpath(url or "."), os.path.realpath(folder)
    if not inner.startswith(os.path.join(outer, "")):
        return ""
    return os.path.relpath(inner, outer).replace(os.sep, "/") + "/"


def without_collisions(found: Iterable[Unit | Row]) -> Iterator[Unit | Row]:
    """What was found; of two files that would become one output, the second is a row with an error.
    A hash of each output is kept in memory, which a million files feel (some 70 MB) and no more.
    """
    taken: set[int] = set()
    for item in found:
        if isinstance(item, Unit):
            name = hash(as_compared(item.output))
            if name in taken:
                item = Row(
                    item.source,
                    item.version,
                    source_bytes=item.size,
                    error=f"{item.source}: would be written to {item.output}, as another file is: "
                    "--keep-suffix tells a.jpg from a.png, another -o one folder from another",
                )
            taken.add(name)
        yield item
