"""Folders, and lists of files: which run of a collection a command asks for, and what is told of
it.
"""

import codecs
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from functools import partial
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentpress import __version__
from latentpress.cli import batch, pipes, terminal
from latentpress.cli.json_output import to_json
from latentpress.collection.sizes import change, size_words
from latentpress.errors import DiskFullError, UsageError
from latentpress.system.places import as_path, elsewhere, is_folder
from latentpress.system.sources import unreadable
from latentpress.system.urls import shown

if TYPE_CHECKING:
    from latentpress.collection.find import Search
    from latentpress.collection.run import Summary
    from latentpress.collection.unit import Engine, Row, Task, Unit

OPENING = "opening"  # the verb of `decompress`
# files that are no archives, which is known without the modules for folders
SINGLE = (".ltp", ".png", ".jpg", ".jpeg", ".webp")
LONGEST_NAME = 8192  # bytes; systems have names of 4096 at most


@dataclass(frozen=True)
class Tree:
    """What is typed of a run over folders, None where nothing is. inputs: files and folders.
    output: as of -o. The others are those of `arguments`, by their names.
    """

    inputs: Sequence[Path]
    output: str | None
    files_from: str | None
    include: Sequence[str] | None
    exclude: Sequence[str] | None
    _: KW_ONLY
    keep_suffix: bool = False
    skip_existing: bool = False
    verify: bool = False
    report: Path | None = None
    as_json: bool = False

    def check_inputs(self) -> None:
        """UsageError where there is no input."""
        if not self.inputs and self.files_from is None:
            raise UsageError("name at least one file or folder, or a list with --files-from")

    def is_wanted(self) -> bool:
        """Whether a run over folders is asked for, and not one over the files of a list. UsageError
        as of `check_inputs`.
        """
        self.check_inputs()
        folders = [is_folder(path) for path in self.inputs]
        return (
            # a folder among files, as a pattern of the shell may name one, is told of as a file is
            (any(folders) and (self.output is not None or all(folders)))
            or any(_holds_many(path) for path in self.inputs)
            or self.files_from is not None
            or self.keep_suffix
            or self.skip_existing
            or self.verify
            or self.report is not None
            or bool(self.include or self.exclude)
        )

    def folder(self) -> str:
        """Where the outputs go: a folder that is there or can be.

        Raises:
            UsageError: it was not said, or is a file.
        """
        if self.output == "":
            raise UsageError("-o: the name of the output is empty")
        if self.output in pipes.OUTPUTS:
            raise UsageError("standard output holds one file: name a folder with -o")
        if any(isinstance(path, pipes.StandardInput) for path in self.inputs):
            raise UsageError(
                "standard input holds one picture: use - alone, and without options for folders"
            )
        if self.output is None:
            from latentpress.system.stores import is_zip

            trees = (path for path in self.inputs if is_folder(path) or is_zip(os.fspath(path)))
            folder = next(trees, None)
            if self.files_from is not None or any(elsewhere(path) for path in self.inputs):
                raise UsageError("say with -o into which folder the outputs go")
            if folder is None:
                return self._common()
            if not folder.is_dir():
                raise UsageError(f"{folder} holds a folder: say with -o where its outputs go")
            raise UsageError(
                f"{folder} is a folder: say with -o where its outputs go; -o {folder} puts them "
                "beside the pictures"
            )
        output = as_path(self.output)
        if output.exists() and not output.is_dir():
            raise UsageError(f"{output} is a file, and the outputs need a folder")
        if not output.exists() and output.suffix and not self.output.endswith(("/", os.sep)):
            raise UsageError(f"the outputs need a folder, and {output} looks like a file")
        return os.fspath(output)

    def _common(self) -> str:
        """The folder that holds all files: without -o each output lies beside its file."""
        parents = [os.path.abspath(path.parent) for path in self.inputs]
        try:
            common = os.path.commonpath(parents)
        except ValueError:  # of Windows' drives
            raise UsageError("say with -o into which folder the outputs go") from None
        return common if any(p.is_absolute() for p in self.inputs) else os.path.relpath(common)

    def search(
        self,
        suffixes: frozenset[str],
        suffix: str,
        within: str | None = None,
        *,
        keeps_archives: bool = True,
    ) -> "Search":
        """What a run looks for.

        suffixes: of the files that are taken. suffix: of the outputs. within: where these go, the
        folder unless it is told. keeps_archives: as of `Naming`.
        """
        from latentpress.collection.find import Naming, Search, Selection

        selection = Selection(suffixes, tuple(self.include or ()), tuple(self.exclude or ()))
        naming = Naming(suffix, self.keep_suffix, keeps_archives)
        return Search(selection, naming, within=self.folder() if within is None else within)

    def found(self, search: "Search") -> "Iterator[Unit | Row]":
        """What the inputs hold."""
        from latentpress.system.stores import is_zip

        single = len(self.inputs) == 1 and self.files_from is None
        for path in self.inputs:
            if is_folder(path) or is_zip(os.fspath(path)):
                name = path.name if elsewhere(path) else Path(os.path.realpath(path)).name
                name = name if is_folder(path) else Path(name).stem
                # "/" and a drive of Windows have no name
                yield from search.tree(os.fspath(path), "" if single or not name else f"{name}/")
            else:
                below = os.path.relpath(path.parent, self._common()) if self.output is None else ""
                yield from search.file(os.fspath(path), below.replace(os.sep, "/"))
        if self.files_from is not None:
            yield from search.named(lines_of(self.files_from))


def _holds_many(path: Path) -> bool:
    """Whether a file is an archive or a table."""
    if path.suffix.lower() in SINGLE:
        return False
    from latentpress.collection.find import is_archive
    from latentpress.system.stores import is_zip

    return is_archive(path.name) or is_zip(os.fspath(path))


def lines_of(name: str) -> Iterator[str]:
    """The names in a file, one a line, or each with a null character behind it, as `find -print0`
    writes them; of standard input for "-". The mark by which Windows tells UTF-8 is no part of
    them. ImageError where it cannot be read; UsageError where it is UTF-16, and on Windows where it
    is no UTF-8.
    """
    try:
        # standard input not as sys.stdin, which is locked while it is read: see pipes
        with open(0 if name == "-" else name, "rb", closefd=name != "-") as stream:
            yield from _names(stream)
    except OSError as error:
        raise unreadable(name, error) from error


def _names(stream: BufferedReader) -> Iterator[str]:
    head = stream.read(LONGEST_NAME)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" in head[:4]:
        raise UsageError("the list of files is UTF-16: save it as UTF-8")
    head = head.removeprefix(codecs.BOM_UTF8)
    end = b"\0" if b"\0" in head else b"\n"
    rest = b""
    for block in chain([head], iter(partial(stream.read1, LONGEST_NAME), b""), [end]):
        *names, rest = (rest + block).split(end)
        for name in names:
            if name := name.rstrip(b"\r" if end == b"\n" else b""):
                try:
                    yield os.fsdecode(name)
                except UnicodeDecodeError:  # of Windows, as in what `dir /b` writes
                    raise UsageError("the list of files is no UTF-8: save it as UTF-8") from None


def run_tree(
    tree: Tree,
    task: "Task",
    engine: "Engine",
    search: "Search",
    verb: str,
    found: "Iterable[Unit | Row] | None" = None,
    header: dict[str, Any] | None = None,
) -> None:
    """Do it and tell it; exit with code 1 where something failed.

    verb: what is done with a file, as "pressing". found: what the search found, where that is known
    already. header: as of `collection.run.run`.
    """
    # a command on a file or two needs none of these
    from latentpress.collection.manifest import as_line, fingerprint
    from latentpress.collection.report import check_report, write_report
    from latentpress.collection.run import run

    if tree.report is not None:
        check_report(tree.report)
    begun = False
    request = fingerprint(task.request())

    def tell(row: "Row") -> None:
        nonlocal begun
        if row.error:
            terminal.error(row.error)
        for notice in row.notices:
            terminal.detail(f"{row.source}: {notice}")
        if not row.error and not tree.as_json and terminal.voice.verbose:
            terminal.line(_line(row))
        if tree.as_json:
            print(",\n" if begun else "[\n", to_json(as_line(row, request), None), sep="", end="")
            begun = True

    with batch.Bar(None, verb) as bar, _going_on():
        try:
            summary = run(
                tree.found(search) if found is None else found,
                task,
                engine,
                header={"version": __version__, **(header or {})},
                skip_existing=tree.skip_existing,
                verify=tree.verify,
                told=tell,
                passed=bar.advance,
            )
        finally:
            if begun:
                print("\n]")
    if not tree.as_json:
        terminal.line(f"{shown(task.output) or '.'}: {words(summary, is_opened=verb == OPENING)}")
    elif not begun:
        print("[]")
    if tree.report is not None:
        write_report(task.output, tree.report)
        if not tree.as_json:
            terminal.line(f"{tree.report}: {size_words(tree.report.stat().st_size)}")
    if skipped := search.found.words():
        terminal.notice(skipped)
    if summary.notices and not terminal.voice.verbose:
        are = "notice is" if summary.notices == 1 else "notices are"
        terminal.notice(f"{summary.notices:,} {are} in the manifest, and told by --verbose")
    done = summary.made + summary.members + summary.kept + summary.left
    batch.end(summary.failed, summary.failed + done)


@contextmanager
def _going_on() -> Iterator[None]:
    """Say of a full disk how the run goes on."""
    try:
        yield
    except DiskFullError as error:
        raise DiskFullError(
            f"{error}; with more room, the same command goes on from here"
        ) from None


def words(summary: "Summary", *, is_opened: bool) -> str:
    """How a run went, in a line. is_opened: whether pictures were opened, which does not make them
    smaller.
    """
    told = [f"{summary.made:,} {'file' if summary.made == 1 else 'files'} written"]
    if summary.members:
        what = "picture" if summary.members == 1 else "pictures"
        told[0] += f" with {summary.members:,} {what} in archives"
    if summary.made and is_opened:
        told.append(f"{size_words(summary.source_bytes)} to {size_words(summary.output_bytes)}")
    elif summary.made:
        told.append(change(summary.source_bytes, summary.output_bytes))
    if summary.kept:
        told.append(f"{summary.kept:,} done before")
    if summary.left:
        told.append(f"{summary.left:,} not written, as they would be larger")
    return ", ".join(told)


def _line(row: "Row") -> str:
    bpp = row.fields.get("bpp")
    rate = f", {bpp:.3f} bpp" if isinstance(bpp, float) else ""
    return f"{row.output}: {row.output_bytes:,} bytes{rate}, from {row.source_bytes:,}"
