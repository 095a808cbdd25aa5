"""Tasks for a cluster's workers, which import this module: they tell their process, wait, die."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from latentpress.collection.tasks import Compress
from latentpress.collection.unit import Row, Task, Unit
from latentpress.errors import DiskFullError


@dataclass(frozen=True)
class Echo:
    """Nothing is read or written: a row a unit. Of a unit named `poison` the worker dies, of one
    named `full` the run ends.
    """

    output: str = "memory"

    def request(self) -> dict[str, object]:
        """As of Task."""
        return {}

    def pixels(self, unit: Unit) -> int:
        """As of Task."""
        return 0

    def works_alone(self, units: object) -> bool:
        """As of Task."""
        return False

    def __call__(self, unit: Unit) -> list[Row]:
        """As of Task."""
        if unit.key == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        if unit.key == "full":
            raise DiskFullError("out: the disk is full")
        return [Row(unit.source, unit.version, fields={"folder": os.getcwd()})]


@dataclass(frozen=True, kw_only=True)
class Told(Compress):
    """Compress that writes the number of its process into `folder`, before and in the name of the
    unit, and waits at the unit `held` until a file `go` is there.
    """

    folder: str
    held: str

    def __call__(self, unit: Unit) -> list[Row]:
        """As of Task."""
        with (Path(self.folder) / f"{unit.key}.pids").open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        end = time.monotonic() + 60
        while (
            unit.key == self.held
            and not (Path(self.folder) / "go").exists()
            and time.monotonic() < end
        ):
            time.sleep(0.02)
        return super().__call__(unit)


ECHO: Task = Echo()  # the type checker holds it against the protocol
