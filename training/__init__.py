"""How the shipped weights were made. Run its modules from the repository root: `python -m ...`."""

import os
import time

AGAIN = "TRAINING_STARTED"  # set by a process that replaces itself
# Of the process, before the slow imports.
STARTED = float(os.environ.get(AGAIN) or time.monotonic())
# As of latentpress.runtimes, before ONNX Runtime is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
