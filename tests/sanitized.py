"""Runs tests with C libraries that tell of memory and arithmetic gone wrong: of reads and writes
outside of an array, of overflows, of data races.

    python tests/sanitized.py address,undefined [ARGUMENTS OF PYTEST]
    python tests/sanitized.py thread [ARGUMENTS OF PYTEST]

builds the libraries of the checkout under GCC's sanitizers of these names, in a scratch folder, and
runs the tests below, or those that are named, with them. What a sanitizer finds ends the process
with a report. Where GCC has no sanitizers, the tests are left out, and the reason is said.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNTIMES = {"address": "libasan.so", "undefined": "libubsan.so", "thread": "libtsan.so"}
# object-size takes a choice between two arrays of functions for the end of one
FLAGS = "-g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all -fno-sanitize=object-size"
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "ignore_noninstrumented_modules=1",
}
TESTS = {
    "thread": ["tests/runtimes/test_native_convolutions.py", "-k", "threads and 40"],
    "": [
        *("-n", "auto"),
        *("tests/entropy/test_native.py", "tests/runtimes/test_native_convolutions.py"),
        *("tests/runtimes/test_native_integers.py", "tests/runtimes/test_native_weights.py"),
        "tests/test_mutants.py",
    ],
}


def preloaded(sanitizers: list[str]) -> str:
    """The sanitizers' libraries, for LD_PRELOAD. RuntimeError where a process cannot have them."""
    found = []
    for name in sanitizers:
        ask = ["gcc", f"-print-file-name={RUNTIMES[name]}"]
        try:
            found.append(subprocess.run(ask, capture_output=True, text=True).stdout.strip())
        except OSError as error:
            raise RuntimeError(f"gcc: {error}") from error
        if not os.path.isabs(found[-1]):
            raise RuntimeError(f"GCC has no {RUNTIMES[name]}")
    together = ":".join(found)
    empty = [sys.executable, "-c", "import numpy"]
    environment = os.environ | OPTIONS | {"LD_PRELOAD": together}
    tried = subprocess.run(empty, env=environment, capture_output=True, text=True)
    if tried.returncode:
        raise RuntimeError(f"Python does not run with {together}: {tried.stderr.strip()}")
    return together


def main() -> None:
    if len(sys.argv) < 2 or not set(sys.argv[1].split(",")) <= RUNTIMES.keys():
        raise SystemExit(__doc__)
    sanitizers = sys.argv[1].split(",")
    tests = sys.argv[2:] or TESTS.get(sys.argv[1], TESTS[""])
    try:
        libraries = preloaded(sanitizers)
    except RuntimeError as error:
        print(f"the C libraries are not tested under sanitizers: {error}")
        return
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(
            ROOT / "src" / "latentpress",
            Path(scratch, "latentpress"),
            ignore=shutil.ignore_patterns("*.so", "__pycache__"),
        )
        environment = os.environ | OPTIONS | {
            "PYTHONPATH": scratch,
            "CC": "gcc",
            "CFLAGS": f"-fsanitize={sys.argv[1]} {FLAGS}",
        }  # fmt: skip
        building = [sys.executable, "-m", "latentpress.system.c_libraries"]
        subprocess.run(building, env=environment, cwd=scratch, check=True)
        environment |= {"LD_PRELOAD": libraries, "PYTHONMALLOC": "malloc"}
        # reports go to the standard error of the process, which pytest would keep
        testing = [sys.executable, "-m", "pytest", "-q", "--capture=sys", "-p", "no:cacheprovider"]
        done = subprocess.run([*testing, *tests], env=environment, cwd=ROOT)
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
