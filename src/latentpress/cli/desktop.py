"""`latentpress desktop`: tell the desktop of a freedesktop system what .ltp files are."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from latentpress.cli import terminal
from latentpress.errors import UsageError
from latentpress.system import freedesktop

desktop_app = typer.Typer(
    no_args_is_help=True,
    help="Show .ltp files in the file manager: their type, thumbnails, and what opens them.",
)
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")
]


def program() -> list[str]:
    """The command that starts latentpress from anywhere: its script, else the interpreter.

    Not the interpreter first: it looks for modules in the folder it is started in.
    """
    here = os.path.abspath(sys.argv[0])
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), "latentpress")
    for script in (here, beside):
        if os.path.basename(script) == "latentpress" and os.access(script, os.X_OK):
            return [script]
    return [os.path.abspath(sys.executable), "-m", "latentpress"]


@desktop_app.command()
def install(dry_run: DryRun = False) -> None:
    """Write a MIME type, a thumbnailer and a menu entry into XDG_DATA_HOME, for this user alone,
    and renew the caches.

    To be called again when latentpress has moved, as into another virtual environment.

    Example: latentpress desktop install --dry-run
    """
    home = _home()
    words = program()
    if dry_run:
        for name, text in freedesktop.files(words).items():
            print(f"# would write {home / name}\n{text}")
        _print_commands(freedesktop.tools(home))
        return
    notices = freedesktop.install(home, words)
    for path in freedesktop.installed(home):
        terminal.line(f"written: {path}")
    _tell(notices)


@desktop_app.command()
def uninstall(dry_run: DryRun = False) -> None:
    """Delete what `latentpress desktop install` wrote, and renew the caches.

    Example: latentpress desktop uninstall
    """
    home = _home()
    found = freedesktop.installed(home)
    if not found:
        terminal.line(f"nothing is installed below {home}")
        return
    if dry_run:
        for path in found:
            print(f"# would delete {path}")
        _print_commands(freedesktop.tools(home))
        return
    notices = freedesktop.uninstall(home)
    for path in found:
        terminal.line(f"deleted: {path}")
    _tell(notices)


def _home() -> Path:
    if sys.platform in ("win32", "darwin"):
        raise UsageError(
            "desktop is for Linux and other freedesktop systems; elsewhere `latentpress web` opens "
            "the pictures"
        )
    return freedesktop.data_home()


def _print_commands(commands: Sequence[Sequence[str]]) -> None:
    for command in commands:
        print(f"# would run {shlex.join(command)}")


def _tell(notices: Sequence[str]) -> None:
    for notice in notices:
        terminal.notice(notice)
