"""The `latentpress` command: its subcommands, and how errors become one sentence and an exit
code.
"""

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

from latentpress import __version__
from latentpress.cli import interrupts, terminal
from latentpress.cli.arguments import Quiet, Verbose, with_home
from latentpress.cli.pipes import nobody_reads
from latentpress.errors import LatentpressError, UsageError, first_line
from latentpress.system.malloc import use_huge_pages

EXIT_FAILED = 1
EXIT_USAGE = 2

ENVIRONMENT = """\b
Environment variables:
  LATENTPRESS_THREADS           threads of the built-in model (default: all cores)
  LATENTPRESS_RUNTIME           native, onnxruntime, openvino or torch (default: the fastest there)
  LATENTPRESS_PRECISION         float, half or int8 (default: as the processor gains by it)
  LATENTPRESS_NATIVE            0: do without the C libraries, which takes longer
  LATENTPRESS_MAX_PIXELS        largest picture that is read (default: 10^9 pixels)
  LATENTPRESS_MAX_NUMBERS       largest latent of a .ltps file
  LATENTPRESS_MAX_MEMBER_BYTES  largest member of an archive that is read (default: 2^30 bytes)
  LATENTPRESS_METRIC_WEIGHTS    folder of LPIPS's and DISTS's weights
  LATENTPRESS_DATA              folder of the benchmark's data sets
  HF_HOME, HF_HUB_OFFLINE       of the Hugging Face hub: where weights lie, no network
"""

# modules of this folder that hold a command of the same name, in the order of the help
COMMANDS = (
    "compress",
    "decompress",
    "thumbnail",
    "info",
    "latent",
    "compare",
    "web",
    "share",
    "assess",
    "bench",
    "report",
    "study",
)
GROUPS = ("models", "metrics", "latents", "desktop")  # those of several commands
BEFORE_A_COMMAND = ("--quiet", "--verbose")  # options of `root` after which a command still runs


def application(wanted: str | None = None) -> typer.Typer:
    """The command line: all of it, or of the subcommands the wanted one alone, so that the others
    need not be imported.
    """
    whole = typer.Typer(
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=ENVIRONMENT,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        callback=root,
    )
    for name in (*COMMANDS, *GROUPS):
        if wanted in (None, name):
            module = import_module(f"latentpress.cli.{name}")
            if name in COMMANDS:
                whole.command()(getattr(module, name))
            else:
                whole.add_typer(getattr(module, f"{name}_app"), name=name)
    return whole


def wanted_command(words: Sequence[str]) -> str | None:
    """The subcommand that a command line names; None where it may be about all of them."""
    first = next((word for word in words if word not in BEFORE_A_COMMAND), "")
    return first if first in (*COMMANDS, *GROUPS) else None


def __getattr__(name: str) -> Any:
    """`app`, the whole command line, is made where it is asked for."""
    if name == "app":
        return application()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Press photographs into small files with a variational autoencoder, and bring them back on any
    machine.

    Example: latentpress compress photo.jpg -q 50 && latentpress decompress photo.ltp
    """


def main() -> None:
    """Run the command line. Exit code 0, 1 where an image failed, 2 for wrong usage, 130 when
    interrupted (128 + signal).
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the name of a file may be no text
    try:
        interrupts.listen()
        prepare_process()
        _run()
    except interrupts.Interrupted as error:
        # os._exit, for a process that tidies up can be aborted by the threads of a runtime
        code = interrupts.EXIT_SIGNAL + error.signum
        _end("interrupted; finished files are kept", code, os._exit)
    except LatentpressError as error:
        _end(str(error), EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED)
    except MemoryError:
        _end("not enough memory for this picture", EXIT_FAILED)
    except RuntimeError as error:  # from ONNX Runtime and torch
        _end(first_line(error), EXIT_FAILED)
    except OSError as error:
        if nobody_reads(error):
            _drop(1)
            sys.exit(EXIT_FAILED)
        _end(f"{error.filename or 'standard output'}: {error.strerror or error}", EXIT_FAILED)


def prepare_process() -> None:
    """Settings of this process, which is soon over: what is imported later reads them."""
    use_huge_pages()
    # a thread that NumPy starts otherwise waits in a loop for work that does not come
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")


def _run() -> None:
    """Run the command and flush what it printed, so that a full disk is found here."""
    if sys.argv[1:] == ["--version"]:
        print(f"latentpress {__version__}", flush=True)
        return
    warnings.simplefilter("ignore")  # Pillow's, of odd metadata: what is lost is told as a notice
    try:
        application(wanted_command(sys.argv[1:]))(
            args=with_home(sys.argv[1:]),
            prog_name="latentpress",
            windows_expand_args=False,  # which would do so to the patterns of --include, too
        )
    except (Exception, SystemExit):
        interrupts.raise_again()
        raise
    finally:
        sys.stdout.flush()


def _end(sentence: str, code: int, leave: Callable[[int], NoReturn] = sys.exit) -> NoReturn:
    with contextlib.suppress(OSError):  # of a terminal that is gone
        terminal.error(sentence)
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            _drop(number)
    leave(code)


def _drop(number: int) -> None:
    """What waits for a standard stream goes nowhere: Python's last flush would fail, say so in
    words of its own and end with 120.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)
