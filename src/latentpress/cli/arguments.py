"""Arguments and options that several commands take."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from latentpress.cli.pipes import input_path
from latentpress.cli.terminal import voice
from latentpress.spaces import CODECS
from latentpress.system.places import as_path, elsewhere

DEVICES = ("auto", "cpu", "cuda", "mps")


def _path(text: str) -> Path:
    """A path, a URL, or `-` for standard input; "" is refused, which pathlib would take for the
    folder one is in.
    """
    if not text:
        raise typer.BadParameter("the name of the file is empty")
    return input_path(text)


def _output(text: str) -> Path:
    """A path or a URL; what names standard output is told apart where the suffix is known."""
    if not text:
        raise typer.BadParameter("the name of the file is empty")
    return as_path(text)


def local_path(given: str | Path) -> Path:
    """A path on this machine, for what can work with no other. given: the default is a path."""
    path = as_path(str(given))
    if elsewhere(path) is not None:
        raise typer.BadParameter(f"{path} is a URL: name a path on this machine")
    return path


def _choices(values: tuple[str, ...]) -> dict[str, Any]:
    """Keywords of an option: its values in the help and in shell completion. They are checked where
    they are used, which says what is wrong in one sentence.
    """

    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return {"metavar": f"[{'|'.join(values)}]", "autocompletion": complete}


def path_argument(name: str, about: str, **keywords: Any) -> Any:
    """A path that must be given."""
    return typer.Argument(help=about, show_default=False, parser=_path, metavar=name, **keywords)


def output_option(about: str, **keywords: Any) -> Any:
    """-o of a command that writes one file."""
    return typer.Option("-o", "--output", help=about, parser=_output, metavar="PATH", **keywords)


def codec_option(about: str = "The latent space.", **keywords: Any) -> Any:
    """--codec, its choices in the help."""
    return typer.Option(help=about, **_choices(tuple(CODECS)), **keywords)


def model_option(
    about: str = "Folder, .safetensors file or hub id of a Stable Diffusion autoencoder.",
) -> Any:
    """--model, the weights of a Stable Diffusion space."""
    return typer.Option(help=about, show_default=False, metavar="MODEL")


def device_option(about: str = "Where the networks run.", **keywords: Any) -> Any:
    """--device, its choices in the help."""
    return typer.Option(help=about, **_choices(DEVICES), **keywords)


def each(given: list[Path] | None) -> list[Path] | None:
    """Files, those too that a pattern names, which the shells of Windows pass on as it was typed. A
    pattern that is itself the name of a file, or names none, stays.
    """
    if sys.platform != "win32" or not given:
        return given
    found: list[Path] = []
    for path in given:
        is_name = elsewhere(path) is not None or os.path.lexists(path)
        found += [path] if is_name else matching(path) or [path]
    return found


def matching(path: Path) -> list[Path]:
    """The files that a pattern names, in the order of their names."""
    from glob import glob  # which a shell does elsewhere

    return [Path(name) for name in sorted(glob(os.fspath(path), recursive=True))]


def with_home(words: Sequence[str]) -> list[str]:
    """The words of a command line, which on Windows may begin with ~ for the user's home."""
    if sys.platform != "win32":
        return list(words)
    return [os.path.expanduser(w) if w.startswith(("~/", "~\\")) else w for w in words]


def _some(context: typer.Context, given: list[Path] | None) -> list[Path] | None:
    """Files, or a list of them, which is read before them."""
    if not given and not context.params.get("files_from") and not context.resilient_parsing:
        raise typer.BadParameter("name at least one, or a list of them with --files-from")
    return each(given)


def _quiet(context: typer.Context, asked: bool) -> None:
    """Before the command's name or behind it: the former is read first, and begins anew."""
    voice.quiet = asked or (voice.quiet and context.parent is not None)


def _verbose(context: typer.Context, asked: bool) -> None:
    voice.verbose = asked or (voice.verbose and context.parent is not None)


Images = Annotated[
    list[Path] | None,
    path_argument(
        "IMAGES", "Photographs, anything Pillow reads, or folders of them.", callback=_some
    ),
]
Files = Annotated[
    list[Path],
    path_argument("FILES", ".ltp files.", callback=each),
]
FilesOrFolders = Annotated[
    list[Path] | None,
    path_argument("FILES", ".ltp files, or folders of them.", callback=_some),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]
OverwriteOne = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
JsonList = Annotated[bool, typer.Option("--json", help="Print one JSON list.")]
FilesFrom = Annotated[
    str | None,
    typer.Option(
        "--files-from",
        metavar="FILE",
        help="Take the names of the files from this one, one a line; - is standard input.",
        show_default=False,
        is_eager=True,  # for what checks the files
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="PATTERN",
        help="Of folders only the files of this name, as '*.jpg'; may be repeated.",
        show_default="what can be read",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PATTERN",
        help="Of folders no files, and no folders, of this name; may be repeated.",
        show_default=False,
    ),
]
KeepSuffix = Annotated[
    bool,
    typer.Option("--keep-suffix", help="Put the new suffix behind the old one, as in a.jpg.ltp."),
]
Column = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME",
        help="Of .parquet files the column of the pictures; may be repeated.",
        show_default="those that hold pictures",
    ),
]
SkipExisting = Annotated[
    bool,
    typer.Option("--skip-existing", help="Take an output that is there as done, whatever it is."),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Check what an earlier run wrote: compare its checksum, decode it, and make it anew "
        "where that fails.",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Say nothing but errors.", callback=_quiet, is_eager=True)
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="Say more of each file.", callback=_verbose, is_eager=True),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        max=1024,
        metavar="N",
        help="Files in work at a time; 1 is one after the other, with all cores for each.",
        show_default="what keeps the cores busy",
    ),
]
