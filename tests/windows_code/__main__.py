"""Builds the DLL and the loader in a scratch folder, and runs pytest with them."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from latentpress.system import c_libraries
from windows_code import DLL, LOADER

SOURCES = c_libraries.PACKAGE / "runtimes/native"
ZIG = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-mcpu=baseline"]
TESTS = [
    *("test_native_convolutions.py", "test_native_integers.py", "test_native_weights.py"),
    *("test_narrow.py", "test_native_processor.py", "test_golden_on_runtimes.py"),
]


def main() -> None:
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as scratch:
        dll, loader = Path(scratch, "convolutions.dll"), Path(scratch, "loader.so")
        flags = [*c_libraries.FLAGS, *c_libraries.EXACT]
        define = f"-DSOURCE_CRC={c_libraries.source_crc(SOURCES)}u"
        files = sorted(SOURCES.glob("*.c"))
        subprocess.run([*ZIG, *flags, define, "-o", dll, *files], check=True)
        made = ["cc", "-O1", "-shared", "-fPIC", "-o", loader, here / "loader.c"]
        subprocess.run(made, check=True)
        tests = sys.argv[1:] or [str(here.parent / "runtimes" / name) for name in TESTS]
        environment = os.environ | {DLL: str(dll), LOADER: str(loader)}
        command = [sys.executable, "-m", "pytest", "-p", "windows_code", *tests]
        sys.exit(subprocess.run(command, env=environment).returncode)


if __name__ == "__main__":
    main()
