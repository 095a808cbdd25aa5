"""A Ray cluster: one that runs already, or one of this machine alone for a while."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from latentpress.errors import LatentpressError, UsageError, first_line
from latentpress.runtimes.threads import MOST_THREADS
from latentpress.system.environment import usable_cores, whole_number
from latentpress.system.signals import SIGNALS

OBJECT_STORE_BYTES = 80_000_000  # of a cluster of one's own: rows alone go through it
LOOK_EVERY = 5.0  # seconds between looks at how large the cluster is
NOT_IMPORTED = ("failed to import on the worker", "ModuleNotFoundError")  # in Ray's words
STARTS = 2  # tries: Ray waits for half a minute, which a busy machine may exceed
CONNECT_WITHIN = 10.0  # seconds
LISTEN_EVERY = 0.2  # seconds between looks for Ctrl-C
STOP_WITHIN = 10.0  # seconds that pictures in work have when a run is ended


class Cluster:
    """What a run needs of Ray."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._remote: dict[tuple[Callable[..., Any], float, float], Any] = {}
        self._resources: dict[str, float] = {}
        self._looked = 0.0

    def smallest_machine(self) -> int:
        """CPUs of the smallest machine that has any, at least 1."""
        machines = [n["Resources"].get("CPU", 0) for n in self._ray.nodes() if n["Alive"]]
        return max(1, int(min((cpus for cpus in machines if cpus), default=1)))

    def check_gpus(self) -> None:
        """UsageError where the cluster has no GPU: Ray would wait for one without a word."""
        if not self._ray.cluster_resources().get("GPU"):
            raise UsageError(
                "the cluster has no GPU: let a machine with one join it first, or take --device cpu"
            )

    def places(self, cpus: int, gpus: float) -> int:
        """How many units are in work at a time, where each takes so many CPUs and GPUs; at least
        1. It is looked at again as the cluster grows.
        """
        if not self._resources or time.monotonic() - self._looked > LOOK_EVERY:
            self._resources = self._ray.cluster_resources()
            self._looked = time.monotonic()
        places = self._resources.get("CPU", 0) // cpus
        if gpus:
            places = min(places, self._resources.get("GPU", 0) // gpus)
        return max(1, int(places))

    def submit(self, function: Callable[..., Any], cpus: int, gpus: float, *arguments: Any) -> Any:
        """A reference to the result of a function that a worker calls."""
        kind = (function, cpus, gpus)
        if kind not in self._remote:
            options = self._ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)
            self._remote[kind] = options(function)
        with uninterrupted():
            return self._remote[kind].remote(*arguments)

    def finished(self, references: Sequence[Any]) -> Sequence[Any]:
        """Those of the references whose results are there, at least one."""
        ready: Sequence[Any] = ()
        while not ready:
            with uninterrupted():
                self._ray.wait(references, num_returns=1, timeout=LISTEN_EVERY)
                ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return ready

    def get(self, reference: Any) -> tuple[Any, str | None]:
        """A result, or None and how its worker died. What the function raised is raised here.

        Raises:
            UsageError: a package is missing there.
        """
        errors = self._ray.exceptions
        try:
            with uninterrupted():
                return self._ray.get(reference), None
        except errors.RayTaskError as error:
            cause = error.cause
            _check_imported(cause)
            raise (cause if isinstance(cause, BaseException) else error) from None
        except errors.RaySystemError as error:
            _check_imported(error)
            raise
        except errors.OutOfMemoryError:
            return None, "not enough memory"
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.ObjectLostError) as error:
            return None, first_line(error).rstrip(".")

    def cancel(self, references: Sequence[Any]) -> Sequence[Any]:
        """End what is not begun, and what is in work before its next graph, or when that takes
        long. Those of the references that have ended.
        """
        ended: list[Any] = []
        if not references or not self._ray.is_initialized():
            return ended
        errors = self._ray.exceptions
        with uninterrupted(), contextlib.suppress(errors.RayError):
            # to cancel what has ended can end this process: Ray may not be done with its result
            ended, references = self._ray.wait(references, num_returns=len(references), timeout=0)
            for _ in range(2):  # the second time without regard to what is in work
                if not references:
                    break
                for reference in references:
                    self._ray.cancel(reference, force=False)
                ready, references = self._ray.wait(
                    references, num_returns=len(references), timeout=STOP_WITHIN
                )
                ended += ready
        return ended


def _check_imported(error: BaseException) -> None:
    """UsageError where a worker failed for a package that is not there."""
    words = str(error)
    if isinstance(error, ImportError) or any(sign in words for sign in NOT_IMPORTED):
        reason = next(line for line in reversed(words.splitlines()) if line.strip())
        raise UsageError(
            "a worker of the cluster cannot import what it needs, install the same packages on "
            f"all machines: {reason.strip()}"
        ) from None


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals that come inside are handled at the end. Ray calls their handlers within its own
    code, which an exception of theirs would break, and replaces them when it starts.
    """
    came: list[tuple[int, Any]] = []
    before: dict[signal.Signals, Any] = {}
    with contextlib.suppress(ValueError):  # of a thread that is not the main one, and gets none
        for signum in SIGNALS:
            if (handler := signal.getsignal(signum)) is not None:
                signal.signal(signum, lambda *one: came.append(one))
                before[signum] = handler
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        for number, _ in came[:1]:
            signal.raise_signal(number)


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Cluster]:
    """The cluster at an address, or of this machine alone where there is none; the one to which
    this process is connected already, if it is.

    Raises:
        UsageError: Ray is not installed, or there is no cluster.
        LatentpressError: Ray does not start, or ends in the middle.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield Cluster(ray)
        return
    try:
        with uninterrupted():
            _connect(ray, address)
        yield Cluster(ray)
    except ray.exceptions.RayError as error:
        raise LatentpressError(f"the Ray cluster failed: {first_line(error)}") from error
    finally:
        with uninterrupted():
            ray.shutdown()


def import_ray() -> Any:
    """Ray. UsageError where it is not installed."""
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise UsageError(
            f"a cluster needs Ray ({error}): pip install 'latentpress[cluster]'"
        ) from error
    return ray


def _connect(ray: Any, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
    if address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
        cores = whole_number("LATENTPRESS_THREADS", 0, 0, MOST_THREADS) or usable_cores()
        for left in reversed(range(STARTS)):
            try:
                ray.init(
                    address="local",
                    num_cpus=cores,
                    include_dashboard=False,
                    object_store_memory=OBJECT_STORE_BYTES,
                    **quiet,
                )
                return
            except Exception as error:  # Ray raises this very class where it is too slow
                ray.shutdown()
                if not left:
                    raise LatentpressError(
                        f"Ray did not start on this machine: {first_line(error)}"
                    ) from error
        return
    try:
        _check_answers(address)
        ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"no Ray cluster at {address}: {first_line(error)}") from error


def _check_answers(address: str) -> None:
    """OSError where nothing answers at HOST:PORT, which Ray takes a minute to find out."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "://" not in address:
        socket.create_connection((host, int(port)), CONNECT_WITHIN).close()
