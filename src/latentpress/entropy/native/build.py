"""Compile the C files of a folder into one library, with whatever C compiler is there: those beside
this file, and those of `runtimes/native`.

`python -m latentpress.entropy.native` does it in place, for a clone that is not installed;
`hatch_build.py` while a wheel is made. Compilers that are tried: $CC, cc, gcc, clang,
the package ziglang, and cl. $CFLAGS are added. Nothing here needs more than Python itself.
"""

from __future__ import annotations

import os
import shlex
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
NAME = f"latentpress_native{SUFFIX}"
CONVOLUTIONS = FOLDER.parents[1] / "runtimes" / "native"
CONVOLUTIONS_NAME = f"latentpress_convolutions{SUFFIX}"
# The floats of the encoder are NumPy's to the bit: no fused multiply-add, no reordering.
FLAGS = ("-std=c99", "-O3", "-fPIC", "-shared", "-fvisibility=hidden")
EXACT = ("-ffp-contract=off", "-fno-fast-math")
CL_FLAGS = ("/nologo", "/O2", "/LD", "/fp:precise")
SECONDS = 300


def source_crc(folder: Path = FOLDER) -> int:
    """CRC-32 of all C files and their header: a library that was built of others is not used."""
    value = 0
    for path in sorted(folder.glob("*.[ch]")):
        value = zlib.crc32(path.read_bytes().replace(b"\r\n", b"\n"), value)
    return value


def commands(target: Path, folder: Path = FOLDER) -> Iterator[list[str]]:
    """The command of every compiler that may be there, the preferred one first."""
    from importlib.util import find_spec

    files = [str(path) for path in sorted(folder.glob("*.c"))]
    define = f"SOURCE_CRC={source_crc(folder)}u"
    extra = shlex.split(os.environ.get("CFLAGS", ""))
    compilers = [shlex.split(os.environ["CC"])] if os.environ.get("CC") else []
    compilers += [["cc"], ["gcc"], ["clang"]]
    if find_spec("ziglang"):
        compilers.append([sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"])
    for compiler in compilers:
        yield [*compiler, *FLAGS, *extra, *EXACT, f"-D{define}", "-o", str(target), *files]
    if sys.platform == "win32":
        yield ["cl", *CL_FLAGS, f"/D{define}", *files, f"/Fe:{target}"]


def build(target: Path, folder: Path = FOLDER) -> tuple[str, ...]:
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
                    command, cwd=scratch, capture_output=True, text=True, timeout=SECONDS
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
