"""The signals that ask a command to end: Ctrl-C, SIGTERM and, of a terminal that is closed, SIGHUP,
which Windows has not.
"""

import signal
import sys

SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    *((signal.SIGHUP,) if sys.platform != "win32" else ()),
)
