"""The engine of a Ray cluster: the same files as one machine, whatever happens to its workers."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.cluster_tasks import ECHO, Told
from helpers.trees import agrees, files_of, make_tree
from latentpress.collection.local import LocalEngine
from latentpress.collection.run import run
from latentpress.collection.tasks import Compress
from latentpress.collection.unit import Row, Unit
from latentpress.errors import DiskFullError, UsageError
from latentpress.options import EncodeOptions
from latentpress.ray import RayEngine, engine
from latentpress.ray.cluster import Cluster
from latentpress.ray.work import Origin

pytestmark = pytest.mark.usefixtures("cluster")


def units_of(tree: Path) -> list[Unit]:
    """A unit a picture, as a search of the tree gives them."""
    keys = sorted(str(path.relative_to(tree)) for path in tree.rglob("*.png"))
    return [
        Unit(str(tree), key, key.replace(".png", ".ltp").replace("/", "-"), "1", 1000)
        for key in keys
    ]


def named(*keys: str, size: int = 0) -> list[Unit]:
    """Units of no file."""
    return [Unit("memory", key, key, "1", size) for key in keys]


def test_a_worker_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", 24, 2)
    (tmp_path / "told").mkdir()
    units = [
        Unit(str(tree), p.name, p.stem + ".ltp", "1", 1000)
        for p in sorted((tree / "00" / "deep").glob("*.png"))
    ]
    units = [Unit(f"{tree}/00/deep", u.key, u.output, u.version, u.size) for u in units]
    held = units[5].key
    options = EncodeOptions(quality=30)
    task = Told(str(tmp_path / "out"), options=options, folder=str(tmp_path / "told"), held=held)
    pids = tmp_path / "told" / f"{held}.pids"

    def kill() -> None:
        while not (pids.exists() and pids.read_text().endswith("\n")):
            time.sleep(0.02)
        os.kill(int(pids.read_text()), signal.SIGKILL)
        (tmp_path / "out").mkdir(
            exist_ok=True
        )  # with what a worker leaves that dies while it writes
        (tmp_path / "out" / ".latentpress-0.tmp").write_bytes(b"half of a file")
        (tmp_path / "told" / "go").touch()

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    rows = dict(RayEngine().map(task, units))
    killer.join()

    first, second = pids.read_text().split()
    assert first != second
    local = dict(LocalEngine(1).map(Compress(str(tmp_path / "local"), options=options), units))
    assert len(files_of(tmp_path / "local")) == 22
    assert files_of(tmp_path / "out") == files_of(tmp_path / "local")
    told = [
        {u: (r.error, r.output_sha256, r.source_sha256, r.fields) for u, [r] in of.items()}
        for of in (rows, local)
    ]
    assert told[0] == told[1]


def test_what_kills_each_worker_is_a_row_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ATTEMPTS", 2)
    rows = dict(RayEngine().map(ECHO, named("a", "poison", "b", "c")))
    errors = {unit.key: row.error for unit, [row] in rows.items()}
    assert errors.pop("poison").startswith("memory/poison: 2 workers died of it: ")
    assert errors == {"a": "", "b": "", "c": ""}


def test_a_full_disk_ends_the_run() -> None:
    with pytest.raises(DiskFullError, match=r"^out: the disk is full$"):
        list(RayEngine().map(ECHO, named("a", "full", "b")))


def test_what_was_done_before_the_disk_was_full_is_told_of() -> None:
    results = RayEngine().map(ECHO, named("a", "b", "full", "c"))
    assert [unit.key for unit, _ in (next(results), next(results))] == ["a", "b"]
    with pytest.raises(DiskFullError):
        next(results)


@pytest.mark.parametrize("where", ["in the engine", "in the run"])
def test_what_is_written_when_a_run_is_interrupted_is_recorded(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = make_tree(tmp_path / "tree", 80)
    task = Compress(str(tmp_path / "out"))

    def interrupt(_: object) -> Any:
        while len(files_of(tmp_path / "out")) < 20:
            time.sleep(0.01)
        raise KeyboardInterrupt

    told = interrupt if where == "in the run" else lambda row: None
    if where == "in the engine":
        monkeypatch.setattr(Cluster, "finished", lambda self, _: interrupt(self))
    with pytest.raises(KeyboardInterrupt):
        run(units_of(tree), task, RayEngine(), told=told)
    assert 20 <= agrees(tmp_path / "out")[0] < 80


def test_few_units_are_taken_ahead() -> None:
    taken = 0

    def endless() -> Iterator[Unit]:
        nonlocal taken
        while True:
            taken += 1
            yield named(str(taken), size=1_000_000)[0]

    rows = RayEngine().map(ECHO, endless())
    for given in range(300):
        next(rows)
        assert taken - given <= engine.SAMPLE + 2 * engine.AHEAD
    rows.close()  # type: ignore[attr-defined]


def test_relative_names_refer_to_the_folder_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [(_, [row])] = RayEngine().map(ECHO, named("a"))
    assert row.fields["folder"] == str(tmp_path)


def test_a_worker_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Origin, "here", lambda: Origin("0.0.1", os.getcwd(), ()))
    with pytest.raises(UsageError, match=r"and the command is of 0\.0\.1: install one version"):
        list(RayEngine().map(ECHO, named("a")))


def test_a_machine_without_the_folder_of_the_command_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Origin.here()
    monkeypatch.setattr(Origin, "here", lambda: Origin(here.version, "/nowhere", ()))
    with pytest.raises(UsageError, match="has no folder /nowhere, in which memory lies"):
        list(RayEngine().map(ECHO, named("a")))


def test_outputs_that_are_not_seen_here_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SHARED_AFTER", 0.2)
    monkeypatch.setattr(engine, "joined", lambda root, key: str(tmp_path / "elsewhere"))
    tree = make_tree(tmp_path / "tree", 1)
    with pytest.raises(UsageError, match="it is not there on this machine"):
        list(RayEngine().map(Compress(str(tmp_path / "out")), units_of(tree)))


def test_what_has_ended_is_not_canceled(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    cluster = Cluster(ray)
    reference = cluster.submit(lambda: 1, 1, 0)
    assert cluster.finished([reference]) == [reference]
    monkeypatch.setattr(ray, "cancel", lambda *_, **__: pytest.fail("Ray may be closing it"))
    assert cluster.cancel([reference]) == [reference]


def test_a_gpu_that_is_nowhere_is_told() -> None:
    with pytest.raises(UsageError, match="the cluster has no GPU"):
        list(RayEngine(gpus=1).map(ECHO, named("a")))


def test_nothing_to_do_starts_nothing() -> None:
    assert not list(RayEngine("nowhere:1").map(ECHO, []))


def test_rows_are_of_the_units_they_come_with() -> None:
    units = named(*map(str, range(200)))
    rows = list(RayEngine().map(ECHO, units))
    assert sorted(int(unit.key) for unit, _ in rows) == list(range(200))
    assert all(row == Row(unit.source, "1", fields=row.fields) for unit, [row] in rows)
