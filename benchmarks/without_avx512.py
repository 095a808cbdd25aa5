"""A processor without AVX-512, VNNI and AMX, where none is at hand.

    python -m benchmarks.without_avx512 python -m benchmarks.tables.speed --output FILE

runs a command in which CPUID and /proc/cpuinfo tell of no such instructions (`without_avx512.c`),
so that every library takes what it would take on a processor with AVX2 alone. The clock, the caches
and the memory stay those of the processor at hand.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
HIDDEN = re.compile(r"\b(?:avx512\w*|avx10\w*|avx_vnni\w*|avx_ifma|amx_\w+)\b ?")
# what glibc's own functions may use, which are chosen before any library is loaded
GLIBC = "AVX512F,AVX512VL,AVX512BW,AVX512DQ,AVX512CD,AVX512_VNNI,AMX_TILE,AMX_INT8,AMX_BF16"


@contextmanager
def environment() -> Iterator[Mapping[str, str]]:
    """The variables with which a process sees such a processor, while the context lasts.

    Raises:
        RuntimeError: The machine is none that can hide instructions: what it says.
    """
    with tempfile.TemporaryDirectory() as folder:
        library, cpuinfo = Path(folder) / "without_avx512.so", Path(folder) / "cpuinfo"
        compile_into(library)
        cpuinfo.write_text(HIDDEN.sub("", Path("/proc/cpuinfo").read_text()))
        hwcaps = ",".join(f"-{name}" for name in GLIBC.split(","))
        found = os.environ | {
            "LD_PRELOAD": str(library),
            "WITHOUT_CPUINFO": str(cpuinfo),
            "GLIBC_TUNABLES": f"glibc.cpu.hwcaps={hwcaps}",
        }
        tried = subprocess.run(["true"], env=found, capture_output=True, text=True)
        if tried.returncode:
            raise RuntimeError(tried.stderr.strip())
        yield found


def compile_into(library: Path) -> None:
    """RuntimeError where there is no compiler, or it refuses."""
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise RuntimeError(str(error)) from error
    if done.returncode:
        raise RuntimeError(done.stderr.strip())


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    try:
        with environment() as variables:
            code = subprocess.run(sys.argv[1:], env=variables).returncode
    except RuntimeError as error:
        raise SystemExit(f"instructions cannot be hidden here: {error}") from error
    raise SystemExit(code)


if __name__ == "__main__":
    main()
