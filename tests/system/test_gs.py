"""gs://, against an emulator of Google's store, in a process of its own: gcsfs reads its settings
when it is imported.
"""

import os
import socket
import subprocess
import sys

import pytest

SCRIPT = """
from gcp_storage_emulator.server import create_server

server = create_server("127.0.0.1", {port}, in_memory=True, default_bucket="photos")
server.start()

from latentpress.system.stores import open_store

names = ["a-b.jpg", "a.jpg", "a/b.jpg", "a/c/d.jpg", "a0.jpg", "ü.jpg"]
store = open_store("gs://photos/tree")
for name in reversed(names):
    store.write(name, name.encode())
entries = list(store.entries())
assert [entry.key for entry in entries] == names, entries
assert [store.entry(name) for name in names] == entries
assert [store.read(name) for name in names] == [name.encode() for name in names]
assert store.entry("none") is None and store.entry("a") is None
store.write("a.jpg", b"other")
assert store.entry("a.jpg").version != entries[1].version
try:
    store.read("none")
except Exception as error:
    print(error)
server.stop()
"""


def test_gs_is_listed_read_and_written() -> None:
    pytest.importorskip("gcsfs", reason="needs the extra remote")
    pytest.importorskip("gcp_storage_emulator", reason="needs gcp-storage-emulator")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
        "FSSPEC_GS_TOKEN": "anon",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # asks over gRPC, which the emulator has not
    }
    command = [sys.executable, "-c", SCRIPT.format(port=port)]
    done = subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "gs://photos/tree/none: no such file\n"), (
        done.stderr
    )
