"""Kinds of arguments that several commands take."""

from pathlib import Path
from typing import Annotated

import typer


def _path(text: str) -> Path:
    """A path; "" is refused, which pathlib would take for the folder one is in."""
    if not text:
        raise typer.BadParameter("the name of the file is empty")
    return Path(text)


Images = Annotated[
    list[Path],
    typer.Argument(
        help="Photographs: anything Pillow reads.",
        show_default=False,
        parser=_path,
        metavar="IMAGES",
    ),
]
Files = Annotated[
    list[Path],
    typer.Argument(help=".ltp files.", show_default=False, parser=_path, metavar="FILES"),
]
