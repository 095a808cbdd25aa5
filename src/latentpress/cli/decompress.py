"""`latentpress decompress`: .ltp files -> image files."""

import os
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from latentpress.cli import batch
from latentpress.cli.arguments import (
    Column,
    Exclude,
    FilesFrom,
    FilesOrFolders,
    Include,
    Jobs,
    JsonList,
    KeepSuffix,
    Overwrite,
    Quiet,
    SkipExisting,
    Verbose,
    Verify,
    device_option,
    model_option,
)
from latentpress.cli.engines import Address, EngineName, check_engine, engine_of
from latentpress.collection.faults import naming
from latentpress.container import Header, read_header
from latentpress.errors import LatentpressError, OutputError, UsageError
from latentpress.spaces import LP1
from latentpress.system.malloc import make_room


def decompress(
    files: FilesOrFolders = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="A file (.png, .jpg, .webp, ...) or a folder.",
            show_default="beside each file, .png",
        ),
    ] = None,
    suffix: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="SUFFIX",
            help="Format of the outputs where -o names no file: png, jpg, webp, avif, tif, ...",
        ),
    ] = "png",
    model: Annotated[str | None, model_option()] = None,
    device: Annotated[str, device_option()] = "auto",
    overwrite: Overwrite = False,
    files_from: FilesFrom = None,
    include: Include = None,
    exclude: Exclude = None,
    keep_suffix: KeepSuffix = False,
    column: Column = None,
    skip_existing: SkipExisting = False,
    verify: Verify = False,
    jobs: Jobs = None,
    engine: EngineName = "local",
    address: Address = None,
    as_json: JsonList = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Decompress .ltp files into images.

    Examples:

    latentpress decompress photo.ltp

    latentpress decompress pressed/*.ltp -o pictures --format jpg

    latentpress decompress pressed/ -o pictures
    """
    from latentpress.cli.trees import OPENING, Tree, run_tree
    from latentpress.parts import parts_of

    suffix = "." + suffix.lstrip(".")
    files = files or []
    tree = Tree(
        files,
        output,
        files_from,
        include,
        exclude,
        keep_suffix=keep_suffix,
        skip_existing=skip_existing,
        verify=verify,
        as_json=as_json,
    )
    if tree.is_wanted() or check_engine(engine, address):
        from latentpress.collection.find import ARCHIVES
        from latentpress.collection.tasks import Decompress

        _check_format(suffix)
        task = Decompress(
            tree.folder(),
            overwrite,
            keep_suffix,
            tuple(column or ()),
            model=model,
            device=device,
            suffix=suffix,
        )
        search = tree.search(ARCHIVES | {".ltp"}, suffix)
        workers = engine_of(engine, address, jobs, device)
        run_tree(tree, task, workers, search, OPENING)
        return
    headers = {source: _header(source) for source in files}
    # where a header cannot be read, that is told when the file is
    spaces = {header.latent_space if header else LP1 for header in headers.values()}
    if len(files) == 1:  # files in work together run graphs of fewer threads, which are others
        for space in spaces:
            parts_of(space).open_ahead(device, encoding=False)
    from latentpress import codec as pipeline
    from latentpress.image.formats import output_format
    from latentpress.image.streamed import write_decoded
    from latentpress.system.files import check_output

    _check_format(suffix)
    targets = batch.outputs(files, output, suffix)

    def work(source: Path, target: Path) -> dict[str, Any]:
        output_format(target)
        check_output(target, overwrite=overwrite)
        start = time.perf_counter()
        data = batch.read_bytes(source)
        make_room(pixels(source))
        with (
            naming(source, but=(UsageError, OutputError)),
            pipeline.decoding(data, model=model, device=device) as decoded,
        ):
            notices = list(write_decoded(decoded, target, overwrite=overwrite, like=source))
        return {
            "width": decoded.width,
            "height": decoded.height,
            "seconds": round(time.perf_counter() - start, 3),
            "notices": notices,
            "detail": f"{decoded.mode}, {time.perf_counter() - start:.1f} s",
            "line": f"{target}: {decoded.width} x {decoded.height} pixels",
        }

    alone = any(parts_of(space).works_alone(device, encoding=False) for space in spaces)

    def pixels(source: Path) -> int:
        header = headers[source]
        return header.width * header.height if header else 0

    sharing = batch.shared(files, jobs, pixels, alone)
    for space in spaces:
        sharing.load(partial(parts_of(space).open_ahead, device, encoding=False))
    batch.run(files, targets, work, as_json, sharing=sharing)


def _check_format(suffix: str) -> None:
    from latentpress.image.formats import FORMATS

    if suffix.lower() not in FORMATS:
        raise UsageError(f"unknown format {suffix}; known are {' '.join(FORMATS)}")


def _header(source: Path) -> Header | None:
    """The header of a file on disk; None of a pipe and of a URL, which are read once, and where it
    cannot be read.
    """
    try:
        return read_header(source) if os.path.isfile(source) else None
    except (LatentpressError, OSError):
        return None
