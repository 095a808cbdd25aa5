"""`latentpress web`: the page on localhost, in the browser."""

import signal
import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from latentpress.cli import terminal
from latentpress.cli.arguments import each, path_argument
from latentpress.errors import ImageError, UsageError


def web(
    files: Annotated[
        list[Path] | None,
        path_argument(
            "[FILES]", "Pictures or .ltp files that the page opens at its start.", callback=each
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="Port of the page; 0 takes a free one.", show_default="8717", metavar="NUMBER"
        ),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the address, and open no browser.")
    ] = False,
    idle: Annotated[
        float | None,
        typer.Option(
            help="End when nothing has been asked for so many seconds, and take a free port where "
            "the usual one is in use: for menus of a desktop.",
            metavar="SECONDS",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show the page that opens and presses pictures in the browser, from this computer alone, until
    Ctrl-C.

    Examples:

    latentpress web

    latentpress web photo.ltp --port 0
    """
    from latentpress.web.server import PORT, Server

    if port is not None and not 0 <= port <= 65535:
        raise UsageError(f"a port is a number from 0 to 65535, not {port}")
    for file in files or ():
        if not file.is_file():
            raise ImageError(f"{file}: there is no such file")
    if idle is not None and not idle > 0:
        raise UsageError(f"--idle takes seconds, more than 0, not {idle:g}")
    try:
        server = Server(PORT if port is None else port, files or (), idle)
    except UsageError:
        if idle is None or port is not None:
            raise
        server = Server(0, files or (), idle)

    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop)
    rest = "" if idle is None else f", or {idle:g} s after the last request"
    terminal.line(f"The page is at {server.url} until Ctrl-C{rest}.")
    if not no_open:
        threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
    with server:
        server.serve_forever(poll_interval=0.2)
