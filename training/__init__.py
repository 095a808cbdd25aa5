"""How the shipped weights were made. Run its modules from the repository root: `python -m ...`."""

import time

STARTED = time.monotonic()  # of the process, before the slow imports
