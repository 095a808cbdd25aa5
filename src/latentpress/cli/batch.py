"""Many files with one command: where outputs go, a progress bar, and one failing file that does not
stop the others.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any

import typer

from latentpress.cli import interrupts, pipes, terminal
from latentpress.cli.json_output import to_json
from latentpress.collection import pool
from latentpress.collection.faults import FAULTS, sentence
from latentpress.container import MAGIC
from latentpress.errors import OutputError, UsageError
from latentpress.names import as_compared
from latentpress.runtimes.threads import limited_to
from latentpress.system.places import as_path, elsewhere, is_folder
from latentpress.system.sources import LTP, unreadable

PROGRESS_AFTER_SECONDS = 1.0


def outputs(sources: Sequence[Path], asked: str | None, suffix: str) -> list[Path]:
    """One output a source: beside it, in the folder `asked`, or (one source) the file `asked`.
    UsageError where two collide.

    asked: as it was typed, for a Path forgets the slash at its end, by which a folder that is not
    there yet is named. A name without a suffix is a folder's, too, so that a pattern of the shell
    does the same whether it matches many files or one.
    """
    if asked == "":
        raise UsageError("-o: the name of the output is empty")
    if (alone := pipes.piped(sources, asked, suffix)) is not None:
        return alone
    if asked is None and is_folder(sources[-1]) and not is_folder(sources[0]):
        raise UsageError(forgotten(sources[-1]))
    output = as_path(asked or "")
    if asked is None:
        found = [renamed(s, suffix) for s in sources]
    elif len(sources) > 1 or names_folder(asked):
        if output.exists() and not output.is_dir():
            raise UsageError(f"{output} is a file; {len(sources)} inputs need a folder")
        if len(sources) > 1 and not output.exists() and output.suffix:
            raise UsageError(f"{len(sources)} inputs need a folder, and {output} looks like a file")
        make_folder(output)
        found = [output / renamed(s, suffix).name for s in sources]
    else:
        found = [output]
    for source, target in zip(sources, found, strict=True):
        if _same(source, target):
            raise UsageError(_over_itself(source, len(sources), suffix))
    places: set[str] = set()
    for target in found:
        place = as_compared(os.path.realpath(target))
        if place in places:
            raise UsageError(
                f"two inputs would be written to {target}: give them different names or work on "
                "them one by one"
            )
        places.add(place)
    return found


def make_folder(folder: Path) -> None:
    """Make a folder and those above it. OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from error


def names_folder(asked: str | Path) -> bool:
    """Whether what -o says is a folder that is there, or one to be made: a name without a suffix,
    or with a slash at its end.
    """
    output = as_path(asked) if isinstance(asked, str) else asked
    if os.fspath(asked).endswith(("/", os.sep)) or output.is_dir():
        return True
    return not output.exists() and not output.suffix


def forgotten(folder: Path) -> str:
    """What is wrong where the last input is a folder behind files: mostly `-o` was forgotten."""
    return f"{folder} is a folder: if it is where the outputs go, write -o {folder}"


def _over_itself(source: Path, many: int, suffix: str) -> str:
    """What is wrong where a source is its own output: mostly `-o` was forgotten before it."""
    if many > 1 and not source.exists():
        return f"{source} is not there: if it is the output's name, write -o {source}"
    if _starts_with(source, LTP):
        ask = f" (if it is the output's name, write -o {source} --overwrite)" if many > 1 else ""
        return (
            f"{source} is already an .ltp file: `latentpress decompress` makes a picture of it{ask}"
        )
    if suffix != ".ltp":
        return f"{source} is no .ltp file"
    return f"{source} would be written over itself: name another output with -o"


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(magic)) == magic
    except OSError:
        return False


def _same(source: Path, target: Path) -> bool:
    """Whether both are one file, however they are spelled."""
    try:
        return source.samefile(target)
    except OSError:  # one of them is not there
        return source == target


def renamed(source: Path, suffix: str) -> Path:
    """The source with another suffix; UsageError where it has no name, as `.` and `/`."""
    if source.name in ("", ".."):
        raise UsageError(f"{source} is a folder, not a file")
    return source.with_suffix(suffix)


def output_for(
    source: Path,
    asked: Path | None,
    suffix: str,
    beside: str | None = None,
    others: Sequence[Path] = (),
) -> Path:
    """The output of a command with one: what -o names, else standard output for what came from
    standard input, else beside the source, with the suffix `beside`. UsageError where it is the
    source, or one of the other inputs.
    """
    if asked is not None:
        target = pipes.output_path(os.fspath(asked), suffix)
    elif isinstance(source, pipes.StandardInput):
        target = pipes.StandardOutput(suffix)
    else:
        target = renamed(source, beside or suffix)
    check_kept(target, (source, *others))
    return target


def check_kept(target: Path, sources: Sequence[Path]) -> None:
    """UsageError where an output is one of the inputs, however they are spelled."""
    for source in sources:
        is_alike = (elsewhere(source) is None) == (elsewhere(target) is None)
        if is_alike and not is_folder(source) and _same(source, target):
            raise UsageError(f"{source} would be written over itself: name another output with -o")


@dataclass(frozen=True)
class Sharing:
    """How many files are in work at a time, how many threads the model has for each, and how large
    a file's picture is.
    """

    jobs: int
    threads: int
    pixels: Callable[[Path], int]

    def load(self, load: Callable[[], None]) -> None:
        """Begin to load a model for the files of a pool, whose graphs have fewer threads."""
        if self.jobs > 1:
            with limited_to(self.threads):
                load()


ALONE = Sharing(1, 0, lambda source: 0)  # one file after the other, with all threads


def shared(
    sources: Sequence[Path], jobs: int | None, pixels: Callable[[Path], int], alone: bool
) -> Sharing:
    """How the cores are shared by the files of a command.

    jobs: what --jobs asks for; None for what keeps the cores busy. pixels: of a file's picture, 0
    where that is not known. alone: whether the work on one file takes all cores and much memory, as
    torch does; then files are in work together only where --jobs asks for it.
    """
    if len(sources) == 1 or jobs == 1 or (jobs is None and alone):
        return ALONE
    step = -(-len(sources) // pool.SAMPLE)
    sample = [pixels(source) for source in sources[::step]] if jobs is None else []
    many, threads = pool.sharing(jobs, len(sources), sample)
    return Sharing(many, threads, pixels) if many > 1 else ALONE


def run(
    sources: Sequence[Path],
    targets: Sequence[Path],
    work: Callable[[Path, Path], dict[str, Any]],
    as_json: bool,
    bar: "Bar | None" = None,
    sharing: Sharing = ALONE,
) -> None:
    """Call work(source, target) for each file and report what it returns, in the order of the
    files; exit with code 1 at the end where one failed.

    A result's "line" is printed, its "detail" with --verbose, its other entries are the JSON;
    "notices" go to stderr. bar: one that work itself moves too. sharing: as of `shared`.
    """
    results, failed = [], 0
    with bar or Bar(len(sources)) as shown, _outcomes(sources, targets, work, sharing) as outcomes:
        for source, target, outcome in zip(sources, targets, outcomes, strict=True):
            try:
                result = {"source": str(source), "output": str(target), **outcome()}
            except UsageError:
                raise
            except FAULTS as error:
                interrupts.raise_again()
                failed += 1
                words = sentence(source, error)
                terminal.error(words)
                results.append({"source": str(source), "error": words})
            else:
                for notice in result.get("notices", ()):
                    terminal.notice(f"{source}: {notice}")
                line, detail = result.pop("line"), result.pop("detail", None)
                results.append(result)
                if detail:
                    terminal.detail(f"{source}: {detail}")
                if not as_json:
                    terminal.line(line)
            shown.advance()
    if as_json:
        print(to_json(results))
    end(failed, len(sources))


@contextmanager
def _outcomes(
    sources: Sequence[Path],
    targets: Sequence[Path],
    work: Callable[[Path, Path], dict[str, Any]],
    sharing: Sharing,
) -> Iterator[Iterator[Callable[[], dict[str, Any]]]]:
    """What gives the result of each file, or raises its error. At the end no file is in work."""
    if sharing.jobs == 1:
        yield (partial(work, *pair) for pair in zip(sources, targets, strict=True))
        return
    workers = pool.Pool(
        lambda pair: work(*pair),
        zip(sources, targets, strict=True),
        sharing.jobs,
        sharing.threads,
        lambda pair: sharing.pixels(pair[0]),
    )
    try:
        yield (future.result for _, future in workers.results())
    finally:
        workers.stop()


def end(failed: int, many: int) -> None:
    """The last line where some of many files failed, and exit code 1."""
    if not failed:
        return
    if many > 1:
        terminal.error(f"{failed} of {many} failed")
    raise typer.Exit(1)


def read_bytes(path: Path) -> bytes:
    """A file's bytes, only the first of one that is no .ltp file; ImageError where it cannot be
    read.
    """
    found = elsewhere(path)
    if found is not None:
        return found.load()
    try:
        with path.open("rb") as stream:
            start = stream.read(len(MAGIC))
            return start + stream.read() if start == MAGIC else start
    except OSError as error:
        raise unreadable(str(path), error) from error


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """A Bar; yields the function that moves it."""
    with Bar(total) as bar:
        yield bar.advance


class Bar:
    """A bar on stderr when it is a terminal and the work lasts longer than a second; a context
    manager.

    total: files, None where nobody knows. verb: of the text, as "pressing". Below the files runs a
    bar of its own while a file's latent is optimized.
    """

    def __init__(self, total: int | None, verb: str = "pressing") -> None:
        self._total = total
        self._verb = verb
        self._files = 0
        self._bar: Any = None
        self._timer: Timer | None = None
        self._optimization: Any = None

    def __enter__(self) -> "Bar":
        if sys.stderr.isatty() and not terminal.voice.quiet:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.completed:,} files", markup=False)
                if self._total is None
                else TimeRemainingColumn(),
            )
            self._bar = Progress(
                *columns,
                console=terminal.console(stderr=True),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
                speed_estimate_period=300,
            )
            text, total = (
                (self._verb, None)
                if self._total in (1, None)
                else (f"{self._total} files", self._total or None)
            )
            self._files = self._bar.add_task(text, total=total)
            terminal.voice.bar = self._bar
            self._timer = Timer(PROGRESS_AFTER_SECONDS, self._start)
            self._timer.daemon = True
            self._timer.start()
        return self

    def _start(self) -> None:
        with terminal.voice.lock:  # not while a line is printed, nor after the end
            if terminal.voice.bar is self._bar and self._bar is not None:
                self._bar.start()

    def __exit__(self, *_: object) -> None:
        if self._bar is not None and self._timer is not None:
            self._timer.cancel()
            with terminal.voice.lock:
                terminal.voice.bar = None
                self._bar.stop()
                self._bar = None

    def advance(self) -> None:
        """One more file is done."""
        if self._bar is not None:
            self._bar.advance(self._files)
            if self._optimization is not None:
                self._bar.update(self._optimization, visible=False)

    def optimization(self, share: float, seconds_left: float) -> None:
        """How much of a latent optimization is done, and how long it will still take."""
        if self._bar is None:
            return
        if self._optimization is None:
            self._optimization = self._bar.add_task("searching", total=1.0)
        minutes, seconds = divmod(round(seconds_left), 60)
        self._bar.update(
            self._optimization,
            completed=share,
            visible=True,
            description=f"searching, {minutes}:{seconds:02} left",
        )
