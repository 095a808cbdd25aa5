"""The package's C libraries: each is made of the C files of a folder by whatever C compiler is
there, and loaded by ctypes; where one is not there, others do its work.

`python -m latentpress.system.c_libraries` makes them in place, for a clone that is not installed;
`hatch_build.py` while a wheel is made. Compilers that are tried: $CC, cc, gcc, clang, the package
ziglang; on Windows clang and ziglang come first, and cl last, since the convolutions are made by
those two alone there. $CFLAGS are added. Building needs nothing but this file and Python itself.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
# the folder of the sources within the package -> the library's name there
LIBRARIES = {
    "entropy/native": f"latentpress_native{SUFFIX}",
    "runtimes/native": f"latentpress_convolutions{SUFFIX}",
}
VARIABLE = "LATENTPRESS_NATIVE"
# The floats of the encoder are NumPy's to the bit: no fused multiply-add, no reordering.
FLAGS = ("-std=c99", "-O3", "-shared", "-fvisibility=hidden")
ANYWHERE = "-fPIC"  # refused by clang for Windows, where all code is such
EXACT = ("-ffp-contract=off", "-fno-fast-math")
CL_FLAGS = ("/nologo", "/std:c11", "/O2", "/LD", "/fp:precise")  # the sources say `restrict`
SECONDS = 300
MAC = re.compile(r"macosx-(\d+)(?:\.(\d+))?\S*-(\w+)")
FIRST_ARM = 11  # the first macOS of Macs with ARM, from which on a wheel names no smaller release


def source_crc(folder: Path) -> int:
    """CRC-32 of a folder's C files and headers: a library that was built of others is not used."""
    value = 0
    for path in sorted(folder.glob("*.[ch]")):
        value = zlib.crc32(path.read_bytes().replace(b"\r\n", b"\n"), value)
    return value


def is_wanted() -> bool:
    """Whether the environment leaves the libraries on."""
    from latentpress.system.environment import whole_number  # not there while a wheel is made

    return bool(whole_number(VARIABLE, 1, 0, 1))


def load(folder: str, built_of: str) -> Any:
    """A library; None where it was not built, was built of other sources, or is not wanted.

    Args:
        folder: One of LIBRARIES.
        built_of: The name of its function that gives the CRC-32 of its sources.
    """
    import ctypes  # an installer's Python may lack it

    if not is_wanted():
        return None
    try:
        loaded = ctypes.CDLL(str(PACKAGE / folder / LIBRARIES[folder]))
        function = getattr(loaded, built_of)
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_uint32
    return loaded if function() == source_crc(PACKAGE / folder) else None


def commands(target: Path, folder: Path) -> Iterator[list[str]]:
    """The command of every compiler that may be there, the preferred one first."""
    from importlib.util import find_spec

    files = [str(path) for path in sorted(folder.glob("*.c"))]
    define = f"SOURCE_CRC={source_crc(folder)}u"
    flags = [*FLAGS, *([] if sys.platform == "win32" else [ANYWHERE])]
    extra = words(os.environ.get("CFLAGS", ""))
    compilers = [["clang"]]
    if find_spec("ziglang"):
        compilers.append([sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"])
    others = [["cc"], ["gcc"]]
    compilers = [*compilers, *others] if sys.platform == "win32" else [*others, *compilers]
    if os.environ.get("CC"):
        compilers.insert(0, words(os.environ["CC"]))
    for compiler in compilers:
        yield [*compiler, *flags, *extra, *EXACT, f"-D{define}", "-o", str(target), *files]
    if sys.platform == "win32":
        yield ["cl", *CL_FLAGS, f"/D{define}", *files, f"/Fe:{target}"]


def words(line: str) -> list[str]:
    """A command line's words, as of a shell of POSIX, but that on Windows a backslash is a letter,
    as in C:\\tools\\gcc.exe. ValueError where a quote is left open.
    """
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if sys.platform == "win32":
        lexer.escape = ""
    return list(lexer)


def build(target: Path, folder: Path) -> tuple[str, ...]:
    """Compile a folder's files to target; () where that was done, else what each compiler said, a
    line each.
    """
    import subprocess  # not for those who only ask whether a library is there
    import tempfile

    said = []
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / target.name
        for command in commands(made, folder):
            try:
                done = subprocess.run(
                    command,
                    cwd=scratch,
                    capture_output=True,
                    text=True,
                    errors="replace",  # cl speaks the console's encoding
                    timeout=SECONDS,
                )
            except (OSError, subprocess.SubprocessError) as error:
                said.append(f"{command[0]}: {error}")
                continue
            if done.returncode == 0 and made.exists():
                beside = target.with_name(f".{target.name}.new")
                beside.write_bytes(made.read_bytes())
                beside.replace(target)  # a process that has the old one open keeps it
                return ()
            lines = (done.stderr or done.stdout).strip().splitlines() or ["failed"]
            said.append(f"{command[0]}: {lines[0]}")
    return tuple(said)


def platform_tag() -> str:
    """The platform of a wheel that holds the libraries: that of this Python, of one architecture,
    in a form that pip takes.
    """
    import platform
    import sysconfig

    tag = sysconfig.get_platform().replace("universal2", platform.machine())
    if found := MAC.fullmatch(tag):
        major, minor, machine = int(found[1]), int(found[2] or 0), found[3]
        if machine == "arm64":  # of which a Python for all Macs may name an older system
            major = max(major, FIRST_ARM)
        tag = f"macosx_{major}_{minor if major < FIRST_ARM else 0}_{machine}"
    return tag.replace("-", "_").replace(".", "_")


def main() -> None:
    """Build all in place and say where, or end with what the compilers said."""
    for folder, name in LIBRARIES.items():
        target = PACKAGE / folder / name
        if said := build(target, target.parent):
            sys.exit(f"{name} was not built, and others do its work:\n" + "\n".join(said))
        print(target)


if __name__ == "__main__":
    main()
