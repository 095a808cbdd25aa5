"""The `latentpress` command: its subcommands, and how errors become one sentence and an exit code."""

import sys
from typing import Annotated

import typer

from latentpress import __version__
from latentpress.cli.compare import compare
from latentpress.cli.compress import compress
from latentpress.cli.decompress import decompress
from latentpress.cli.info import info
from latentpress.cli.latent import latent
from latentpress.cli.models import models_app
from latentpress.errors import LatentpressError, UsageError

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
for command in (compress, decompress, info, latent, compare):
    app.command()(command)
app.add_typer(models_app, name="models")


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Press photographs into small files with a variational autoencoder, and bring them back on any machine.

    Example: latentpress compress photo.jpg -q 50 && latentpress decompress photo.ltp
    """


def main() -> None:
    """Run the command line. Exit code 0, 1 where an image failed, 2 for wrong usage, 130 when interrupted."""
    if sys.argv[1:] == ["--version"]:
        print(f"latentpress {__version__}")
        return
    try:
        app()
    except LatentpressError as error:
        print(f"latentpress: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED)
    except KeyboardInterrupt:
        print("latentpress: interrupted; finished files are kept", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.exit(EXIT_FAILED)
