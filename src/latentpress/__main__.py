"""`python -m latentpress` and the `latentpress` command."""

import atexit
import contextlib
import gc
import os
import sys

GARBAGE = 100_000  # objects between two collections: imports alone make 700 many times over


def fill_standard_streams() -> None:
    """Where a standard stream is closed, as under some services, the next file that is opened would
    take its number, and what a library prints would go into that file. The words for a closed one
    are dropped; the bytes of a file are refused, for its number can only be used the wrong way.
    """
    for number, way in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)  # the lowest number that is free
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def main() -> None:
    """Run the command line; Ctrl-C while it loads ends it quietly too."""
    fill_standard_streams()
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
