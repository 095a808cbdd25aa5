"""What makes a freedesktop system know .ltp files: their MIME types, a thumbnailer and an entry of
the menu "open with", for one user.

Three files below XDG_DATA_HOME, and two tools that renew the caches made of such files. The
specifications: https://specifications.freedesktop.org/shared-mime-info-spec/,
https://specifications.freedesktop.org/desktop-entry-spec/.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from latentpress.errors import UsageError
from latentpress.names import as_text
from latentpress.system.cache import home_folder
from latentpress.system.files import atomic_write, output_error
from latentpress.system.sources import LTP_MIME, LTPS_MIME

MIME_FILE = Path("mime", "packages", "latentpress.xml")
THUMBNAILER_FILE = Path("thumbnailers", "latentpress.thumbnailer")
ENTRY_FILE = Path("applications", "latentpress.desktop")
SECONDS = 120  # of a tool that renews a cache
IDLE = 600  # seconds after which the page's server ends: nobody sees it

# Of the magic's bytes: the name of the format and its version. Above 50, the usual priority, since
# the four bytes of .ltps are "LTPS".
MIME_TYPES = f"""<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{LTP_MIME}">
    <comment>latentpress picture</comment>
    <generic-icon name="image-x-generic"/>
    <magic priority="60">
      <match type="string" offset="0" value="LTP\\x01"/>
    </magic>
    <glob pattern="*.ltp"/>
  </mime-type>
  <mime-type type="{LTPS_MIME}">
    <comment>latentpress latents</comment>
    <generic-icon name="package-x-generic"/>
    <magic priority="60">
      <match type="string" offset="0" value="LTPS\\x01"/>
    </magic>
    <glob pattern="*.ltps"/>
  </mime-type>
</mime-info>
"""


def data_home() -> Path:
    """The folder of a user's data: XDG_DATA_HOME where it is an absolute path, else
    ~/.local/share.
    """
    home = os.environ.get("XDG_DATA_HOME", "")
    return Path(home) if os.path.isabs(home) else home_folder() / ".local" / "share"


def files(program: Sequence[str]) -> dict[Path, str]:
    """The files below the data folder, with their text.

    program: the command that starts latentpress, its first word an absolute path. UsageError where
    it is no text: such files are in UTF-8.
    """
    if program[0] != as_text(program[0]):
        raise UsageError(
            f"{as_text(program[0])}: the name of the command's place is no text in UTF-8, and a "
            "desktop finds no command there"
        )
    try_exec = escaped(program[0])
    thumbnailer = (
        "[Thumbnailer Entry]\n"
        f"TryExec={try_exec}\n"
        f"Exec={command_line([*program, 'thumbnail'])} --overwrite -s %s -o %o -- %i\n"
        f"MimeType={LTP_MIME};\n"
    )
    entry = (
        "[Desktop Entry]\n"
        "Type=Application\n"
        "Name=latentpress\n"
        "GenericName=Picture Viewer\n"
        "Comment=Open latentpress pictures in the browser\n"
        f"TryExec={try_exec}\n"
        f"Exec={command_line([*program, 'web'])} --idle {IDLE} %f\n"
        "Icon=image-x-generic\n"
        "Terminal=false\n"
        "Categories=Graphics;Viewer;\n"
        f"MimeType={LTP_MIME};\n"
    )
    return {MIME_FILE: MIME_TYPES, THUMBNAILER_FILE: thumbnailer, ENTRY_FILE: entry}


def command_line(words: Sequence[str]) -> str:
    """The value of an Exec key that calls these words as they are."""
    return escaped(" ".join(_quoted(word) for word in words))


def _quoted(word: str) -> str:
    """A word of an Exec key, in double quotes where it holds more than letters, digits and
    "-_./+:@,".
    """
    if word and all(c.isalnum() or c in "-_./+:@," for c in word):
        return word
    for special in '\\"`$':
        word = word.replace(special, "\\" + special)
    return '"' + word.replace("%", "%%") + '"'


def escaped(text: str) -> str:
    """Text as the value of a key."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def tools(home: Path) -> list[list[str]]:
    """The commands that renew the caches, of those that are there."""
    wanted = [
        ["update-mime-database", str(home / "mime")],
        ["update-desktop-database", str(home / "applications")],
    ]
    return [command for command in wanted if shutil.which(command[0])]


def install(home: Path, program: Sequence[str]) -> list[str]:
    """Write the files and renew the caches -> sentences about what a tool found wrong. OutputError
    where a file cannot be written, UsageError as of `files`.
    """
    for name, text in files(program).items():
        path = home / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(path.parent, error) from None
        atomic_write(path, text.encode(), overwrite=True)
    return _renew(home)


def installed(home: Path) -> list[Path]:
    """Those of the files that are there."""
    return [
        home / name
        for name in (MIME_FILE, THUMBNAILER_FILE, ENTRY_FILE)
        if os.path.lexists(home / name)
    ]


def uninstall(home: Path) -> list[str]:
    """Delete the files and renew the caches -> sentences about what a tool found wrong. OutputError
    where a file cannot be deleted.
    """
    found = installed(home)
    for path in found:
        try:
            path.unlink()
        except OSError as error:
            raise output_error(path, error) from None
    return _renew(home) if found else []


def _renew(home: Path) -> list[str]:
    notices = []
    for command in tools(home):
        if not Path(command[1]).is_dir():
            continue
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
            problem = done.stderr.strip() if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        if problem:
            notices.append(f"{command[0]}: {problem.splitlines()[-1]}")
    return notices
