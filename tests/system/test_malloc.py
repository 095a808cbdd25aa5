"""malloc's settings of the command: freed memory is used again, and given back before a large
picture.
"""

import json
import subprocess
import sys

import pytest

from latentpress.system import malloc

pytestmark = pytest.mark.skipif(
    malloc._c_library() is None, reason="the C library has no mallopt (glibc has)"
)

SCRIPT = """
import json, resource, sys
import numpy as np
from latentpress.system import malloc
{before}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
def use(size):
    np.ones(size, np.uint8)
use(3 << 20)
start = faults()
for i in range(50):
    use(3 << 20)
made = faults() - start
start = resident()
kept = [np.ones(3 << 20, np.uint8) for _ in range(20)]
pins = [np.ones(1 << 16, np.uint8) for _ in range(20)]
grown = resident() - start
del kept
print(json.dumps({{"faults": made, "grown": grown, "left": resident() - start}}))
"""


def measured(before: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before)],
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, int] = json.loads(done.stdout)
    return result


def test_freed_arrays_are_used_again_without_new_pages() -> None:
    given_back = measured("malloc.use_huge_pages(); malloc.make_room(malloc.FEW + 1)")
    used_again = measured("malloc.use_huge_pages(); malloc.make_room(malloc.FEW)")
    assert given_back["faults"] > 50 * 100  # 768 pages each, fewer where the system has larger ones
    assert used_again["faults"] < given_back["faults"] / 20


def test_before_a_large_picture_arrays_go_back_to_the_system() -> None:
    large = measured("malloc.use_huge_pages(); malloc.make_room(malloc.FEW + 1)")
    assert large["grown"] > 50 << 20
    assert large["left"] < 10 << 20
    small = measured("malloc.use_huge_pages()")
    assert small["left"] > 40 << 20
