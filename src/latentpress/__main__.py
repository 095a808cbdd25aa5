"""`python -m latentpress` and the `latentpress` command."""

import atexit
import contextlib
import gc
import os
import sys

GARBAGE = 100_000  # objects between two collections: imports alone make 700 many times over


def main() -> None:
    """Run the command line; Ctrl-C while it loads ends it quietly too."""
    gc.set_threshold(GARBAGE)
    try:
        from latentpress.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)


def command() -> None:
    """Run the command line, and where it went well, end the process without taking the interpreter
    apart, which costs a small picture a tenth of its time. What modules have asked to be done at
    the end is done.
    """
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    with contextlib.suppress(OSError):  # then Python ends, and tells it
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    command()
