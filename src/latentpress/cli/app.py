"""The `latentpress` command: its subcommands, and how errors become one sentence and an exit
code.
"""

import contextlib
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Annotated, NoReturn

import typer

from latentpress import __version__
from latentpress.cli import terminal
from latentpress.cli.arguments import Quiet, Verbose
from latentpress.cli.assess import assess
from latentpress.cli.bench import bench
from latentpress.cli.compare import compare
from latentpress.cli.compress import compress
from latentpress.cli.decompress import decompress
from latentpress.cli.desktop import desktop_app
from latentpress.cli.info import info
from latentpress.cli.latent import latent
from latentpress.cli.latents import latents_app
from latentpress.cli.metrics import metrics_app
from latentpress.cli.models import models_app
from latentpress.cli.report import report
from latentpress.cli.share import share
from latentpress.cli.study import study
from latentpress.cli.thumbnail import thumbnail
from latentpress.cli.web import web
from latentpress.errors import LatentpressError, UsageError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_SIGNAL = 128

ENVIRONMENT = """\b
Environment variables:
  LATENTPRESS_THREADS         threads of the built-in model (default: all cores)
  LATENTPRESS_RUNTIME         onnxruntime, openvino or torch (default: the fastest installed)
  LATENTPRESS_PRECISION       float, half or int8 (default: as the processor gains by it)
  LATENTPRESS_NATIVE          0: code symbols in Python, not in C
  LATENTPRESS_MAX_PIXELS      largest picture that is read (default: 10^9 pixels)
  LATENTPRESS_MAX_NUMBERS     largest latent of a .ltps file
  LATENTPRESS_METRIC_WEIGHTS  folder of LPIPS's and DISTS's weights
  LATENTPRESS_DATA            folder of the benchmark's data sets
  HF_HOME, HF_HUB_OFFLINE     of the Hugging Face hub: where weights lie, no network
"""

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=ENVIRONMENT,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    compress,
    decompress,
    thumbnail,
    info,
    latent,
    compare,
    web,
    share,
    assess,
    bench,
    report,
    study,
):
    app.command()(command)
app.add_typer(models_app, name="models")
app.add_typer(metrics_app, name="metrics")
app.add_typer(latents_app, name="latents")
app.add_typer(desktop_app, name="desktop")


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Press photographs into small files with a variational autoencoder, and bring them back on any
    machine.

    Example: latentpress compress photo.jpg -q 50 && latentpress decompress photo.ltp
    """


class Interrupted(BaseException):
    """A signal asks the command to end; temporary files are removed on the way out. signum: its
    number.
    """

    def __init__(self, signum: int) -> None:
        self.signum = signum


def main() -> None:
    """Run the command line. Exit code 0, 1 where an image failed, 2 for wrong usage, 130 when
    interrupted (128 + signal).
    """
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) != signal.SIG_IGN:  # as under nohup
            signal.signal(signum, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the name of a file may be no text
    try:
        _run()
    except Interrupted as error:
        # os._exit, for a process that tidies up can be aborted by the threads of a runtime
        _end("interrupted; finished files are kept", EXIT_SIGNAL + error.signum, os._exit)
    except LatentpressError as error:
        _end(str(error), EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED)
    except MemoryError:
        _end("not enough memory for this picture", EXIT_FAILED)
    except RuntimeError as error:  # from ONNX Runtime and torch
        _end((str(error).strip() or type(error).__name__).splitlines()[0], EXIT_FAILED)
    except BrokenPipeError:  # nobody reads on; the last flush must not say so
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(EXIT_FAILED)
    except OSError as error:
        _end(f"{error.filename or 'standard output'}: {error.strerror or error}", EXIT_FAILED)


def _run() -> None:
    """Run the command and flush what it printed, so that a full disk is found here."""
    if sys.argv[1:] == ["--version"]:
        print(f"latentpress {__version__}", flush=True)
        return
    warnings.simplefilter("ignore")  # Pillow's, of odd metadata: what is lost is told as a notice
    try:
        app(prog_name="latentpress")
    finally:
        sys.stdout.flush()


def _end(sentence: str, code: int, leave: Callable[[int], NoReturn] = sys.exit) -> NoReturn:
    terminal.error(sentence)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    leave(code)


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted(signum)
