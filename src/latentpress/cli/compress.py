"""`latentpress compress`: image files -> .ltp files."""

import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentpress.cli import batch, content_words, terminal
from latentpress.cli.arguments import (
    Column,
    Exclude,
    FilesFrom,
    Images,
    Include,
    Jobs,
    JsonList,
    KeepSuffix,
    Overwrite,
    Quiet,
    SkipExisting,
    Verbose,
    Verify,
    codec_option,
    device_option,
    model_option,
)
from latentpress.cli.engines import Address, EngineName, check_engine, engine_of
from latentpress.cli.request import Asked
from latentpress.cli.shares import large_metadata_words
from latentpress.collection.sizes import larger_words
from latentpress.container import Header, read_header
from latentpress.errors import UsageError
from latentpress.options import FIRST_EFFORT, STRIPPABLE, EncodeOptions
from latentpress.system.places import as_path

if TYPE_CHECKING:
    from latentpress.cli.trees import Tree
    from latentpress.collection.tasks import Compress
    from latentpress.collection.unit import Engine

FEW_BYTES = 2_000_000  # of an image file, seldom of a large picture


def compress(
    images: Images = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="A file (one image) or a folder.",
            show_default="beside each image, .ltp",
        ),
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option(
            "-q",
            "--quality",
            metavar="0..100",
            help="0 (smallest file) to 100 (best picture).",
            show_default="50",
        ),
    ] = None,
    target_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="The best file of at most this size: 20kB, 1.5MB, 64KiB (kB = 1000 bytes).",
            show_default=False,
        ),
    ] = None,
    target_bpp: Annotated[
        float | None,
        typer.Option(
            metavar="BITS",
            help="The best file of at most so many bits a pixel.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC=VALUE",
            help="The smallest file that reaches a metric: psnr=32 (in dB; with psnr and mse it is "
            "optimized for mse), ssim=0.9, lpips=0.1...",
            show_default=False,
        ),
    ] = None,
    total_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="One quality for all images, so that their files sum to at most this.",
            show_default=False,
        ),
    ] = None,
    best_effort: Annotated[
        bool,
        typer.Option("--best-effort", help="Where a target is out of reach, write the nearest."),
    ] = False,
    tell_larger: Annotated[
        bool,
        typer.Option(
            "--tell-larger/--no-tell-larger",
            help="Tell when a file comes out larger than its input.",
        ),
    ] = True,
    max_no_gain: Annotated[
        bool, typer.Option("--max-no-gain/--no-max-no-gain", hidden=True, help="Its old name.")
    ] = True,
    skip_larger: Annotated[
        bool,
        typer.Option("--skip-larger", help="Do not write a file that is larger than its input."),
    ] = False,
    codec: Annotated[str, codec_option()] = "builtin",
    model: Annotated[str | None, model_option()] = None,
    device: Annotated[str, device_option()] = "auto",
    effort: Annotated[
        int,
        typer.Option(
            min=0,
            max=9,
            metavar="0..9",
            help="0 (fast) to 9: time spent on a better file. 4 to 6 weigh each symbol's bits "
            "against its error (built-in codec: only "
            "with --optimize-for mse). 4 and more search a screen layer for longer. "
            "7 to 9 search the latent, which needs torch.",
        ),
    ] = 3,
    optimize_for: Annotated[
        str | None,
        typer.Option(
            metavar="[mse|perceptual]",
            help="What efforts 4 to 9 minimize; for mse the built-in codec's "
            "steps are the same everywhere.",
            show_default="perceptual, with LPIPS's weights",
        ),
    ] = None,
    content: Annotated[
        str,
        typer.Option(
            metavar="[auto|photo|screen]",
            help="photo: the model codes all; screen: tools for text and graphics do; auto: what "
            "serves each place better. Built-in codec; others take photographs only.",
        ),
    ] = "auto",
    overwrite: Overwrite = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Make it an error when something would be lost: samples of more than 8 bits, "
            "colors that must be converted (CMYK, Lab, PQ, HLG), an ICC profile that does not "
            "fit, further frames, IPTC data, an HDR gain map, a motion video, a long XMP, EXIF "
            "that cannot be read, metadata in Brotli. Nothing else is refused, and nothing that "
            "--strip names.",
        ),
    ] = False,
    strip: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help=f"Metadata to leave out: {','.join(STRIPPABLE)} or all. The thumbnail always is; "
            "without its ICC profile a picture is converted to sRGB.",
            show_default=False,
        ),
    ] = "",
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Keep the colors that full transparency hides."),
    ] = False,
    files_from: FilesFrom = None,
    include: Include = None,
    exclude: Exclude = None,
    keep_suffix: KeepSuffix = False,
    column: Column = None,
    skip_existing: SkipExisting = False,
    verify: Verify = False,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Of folders: grade each file against its picture, by psnr,ssim,... or all; the "
            "manifest has the values.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE.html",
            parser=as_path,
            help="Of folders: write a page about the run, with its worst pictures.",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = None,
    engine: EngineName = "local",
    address: Address = None,
    as_json: JsonList = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compress photographs into .ltp files.

    Of a folder the tree is kept. Its run is recorded in manifest.jsonl beside the outputs, and the
    same command again does only what is missing or changed.

    Examples:

    latentpress compress photo.jpg

    latentpress compress photos/ -o pressed

    latentpress compress *.jpg -o pressed -q 30

    latentpress compress photo.jpg --target-size 20kB

    latentpress compress photo.jpg --target lpips=0.1

    latentpress compress photo.jpg --target-size 10kB --effort 9

    latentpress compress photo.jpg --strip gps

    latentpress compress photo.png --codec sd15 --model madebyollin/taesd
    """
    from latentpress.cli.trees import Tree
    from latentpress.parts import parts_of
    from latentpress.screen.layer import share_of
    from latentpress.spaces import space_of_codec
    from latentpress.system.files import atomic_write, check_output

    space = space_of_codec(codec)
    request = Asked.of(quality, target_size, target_bpp, target, total_size, best_effort)
    parts = parts_of(space)
    images = images or []
    tree = Tree(
        images,
        output,
        files_from,
        include,
        exclude,
        keep_suffix=keep_suffix,
        skip_existing=skip_existing,
        verify=verify,
        report=report,
        as_json=as_json,
    )
    options = EncodeOptions(
        codec=codec,
        model=model,
        device=device,
        strict=strict,
        strip=strip,
        exact=exact,
        effort=effort,
        optimize_for=optimize_for,
        content=content,
    )
    if tree.is_wanted() or check_engine(engine, address) or metrics is not None:
        for notice in optimizer_notices(effort, optimize_for):
            terminal.notice(notice)
        from latentpress.collection.tasks import Compress

        task = Compress(
            tree.folder(),
            overwrite,
            keep_suffix,
            tuple(column or ()),
            options=options,
            asked=request.each,
            skip_larger=skip_larger,
            tell_larger=tell_larger and max_no_gain,
            metrics=tuple(check_metrics(metrics)),
            skips_metrics=metrics == "all",
        )
        workers = engine_of(engine, address, jobs, device)
        run_compress(tree, task, workers, jobs, request.total_size)
        return
    targets = batch.outputs(images, output, ".ltp")
    if len(images) == 1:  # files in work together run graphs of fewer threads, which are others
        prepare(images[0], lambda: parts.open_ahead(device, encoding=True))
    if len(targets) == 1:
        check_suffix(targets[0])
    if total_size is not None:
        for target_file in targets:
            check_output(target_file, overwrite=overwrite)
    bar = batch.Bar(len(images))
    for notice in optimizer_notices(effort, optimize_for):
        terminal.notice(notice)
    options = replace(options, progress=bar.optimization)
    together = request.together(images, options)

    def work(source: Path, target: Path) -> dict[str, Any]:
        check_output(target, overwrite=overwrite)
        start = time.perf_counter()
        outline, data, found = (
            together.pop(source) if source in together else request.one(source, options)
        )
        before = file_size(source)
        notices = [*outline.notices, *found]
        larger = before is not None and len(data) > before
        if before is not None and larger and ((tell_larger and max_no_gain) or skip_larger):
            notices.append(larger_words(before, len(data), is_written=not skip_larger))
        skipped = larger and skip_larger
        note = "skipped: " if skipped else ""
        if not skipped:
            atomic_write(target, data, overwrite=overwrite, like=source)
        header = read_header(data)
        share = share_of(header, data)
        bpp = 8 * len(data) / (outline.width * outline.height)
        change = ""
        if before is not None:
            change = (
                f", {len(data) / before:.1f} times larger"
                if larger
                else f", {before / len(data):.1f} times smaller"
            )
            change += f" than {source.name}"
        return {
            "width": outline.width,
            "height": outline.height,
            "bytes": len(data),
            "source_bytes": before,
            "bpp": round(bpp, 5),
            "quality": header.quality,
            "metadata_bytes": sum(header.metadata.values()),
            "screen_share": round(share, 4),
            "skipped": skipped,
            "seconds": round(time.perf_counter() - start, 3),
            "notices": notices,
            "detail": _detail(header, time.perf_counter() - start),
            "line": f"{note}{target}: {len(data):,} bytes, {bpp:.3f} bpp{change}"
            f"{content_words.share_words(share)}{large_metadata_words(header)}",
        }

    from latentpress.image.picture import count_pixels

    alone = effort >= FIRST_EFFORT or total_size is not None
    alone = alone or parts.works_alone(device, encoding=True)
    sharing = batch.shared(images, jobs, count_pixels, alone)
    sharing.load(lambda: parts.open_ahead(device, encoding=True))
    batch.run(images, targets, work, as_json, bar, sharing)


def run_compress(
    tree: "Tree", task: "Compress", engine: "Engine", jobs: int | None, total_size: int | None
) -> None:
    """Compress folders. total_size: of all files together, where there is a budget, for which the
    quality is found on this machine, on so many jobs.
    """
    from latentpress.cli.trees import run_tree
    from latentpress.collection.find import ARCHIVES, image_suffixes, without_collisions

    search = tree.search(image_suffixes() | ARCHIVES, ".ltp")
    if total_size is None:
        run_tree(tree, task, engine, search, "pressing")
        return
    from latentpress.collection.budget import as_budget, best_request, recorded

    found = list(without_collisions(tree.found(search)))
    budget = as_budget(total_size, found, task)
    best = recorded(found, task, budget)
    if best is None:
        with batch.Bar(None, "searching the quality") as bar:
            best = best_request(found, task, total_size, jobs, bar.advance, terminal.notice)
    task = replace(task, asked=best.asked)
    header = {"budget": {**budget, **best.as_told()}}
    run_tree(tree, task, engine, search, "pressing", best.left(found), header)


def check_metrics(names: str | None) -> list[str]:
    """The metrics of a text with commas, none of None, and of "all" those that can be computed
    here. UsageError where one that was named cannot.
    """
    if names is None:
        return []
    from latentpress.metrics import available, check_names

    if names == "all":
        usable, missing = available("all")
        for key, reason in missing.items():
            terminal.notice(f"{key} left out: {reason}")
        return usable
    keys = check_names([name.strip() for name in names.split(",")])
    _, missing = available(keys)
    for key, reason in missing.items():
        raise UsageError(f"{key} cannot be computed here: {reason}")
    return keys


def check_suffix(target: Path) -> None:
    """UsageError where the output's name says that it is an image file of another format."""
    from latentpress.image.formats import FORMATS

    if target.suffix.lower() in FORMATS:
        raise UsageError(
            f"{target}: compress writes .ltp files, not {target.suffix} ones: name it "
            f"{target.with_suffix('.ltp').name}"
        )


def _detail(header: Header, seconds: float) -> str:
    """What --verbose says of a file."""
    chunks = ", ".join(f"{chunk.name} {chunk.size:,} bytes" for chunk in header.chunks)
    return (
        f"{header.width} x {header.height} pixels, space {header.space}, model "
        f"{header.model_hash}, quality {header.quality:g}, {chunks}; {seconds:.1f} s"
    )


def file_size(source: Path) -> int | None:
    """A file's bytes; None of a pipe or a device, whose size the system does not know."""
    status = source.stat()
    return status.st_size or None if stat.S_ISREG(status.st_mode) else None


def prepare(source: Path, load: Callable[[], None]) -> None:
    """Load what the work on a picture needs while it is read. A large one takes the most memory of
    all while it is read: then memory is made free instead. A small file is not opened for that.
    """
    from latentpress.system.malloc import FEW, make_room

    pixels = 0
    with suppress(OSError):  # which is told when it is read
        if (file_size(source) or 0) > FEW_BYTES:
            from latentpress.image.picture import count_pixels

            pixels = count_pixels(source)
    if pixels > FEW:
        make_room(pixels)
    else:
        load()


def optimizer_notices(effort: int, optimize_for: str | None) -> list[str]:
    """What the user should know before a latent optimization; UsageError where it cannot be
    made.
    """
    if optimize_for is None and effort < FIRST_EFFORT:
        return []
    from latentpress.optimize import check_torch
    from latentpress.optimize.objective import choose_objective

    _, notices = choose_objective(optimize_for)
    if effort < FIRST_EFFORT:
        return []
    check_torch()
    return notices
