"""Threads that use OpenVINO first at one time."""

import subprocess
import sys

import pytest

FIRST_USE = """
import sys, threading
sys.setswitchinterval(1e-6)
from latentpress.runtimes.on_openvino import core
import openvino
barrier = threading.Barrier(4)
def use():
    barrier.wait()
    core()
    openvino.Type.f32.to_dtype()
threads = [threading.Thread(target=use) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_use_it_first_do_not_wait_for_each_other() -> None:
    pytest.importorskip("openvino")
    done = subprocess.run(
        [sys.executable, "-c", FIRST_USE], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
