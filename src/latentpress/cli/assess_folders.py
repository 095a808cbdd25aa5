"""`latentpress assess` of two folders: pairs by name, graded at a time, a failing one does not stop
the others.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from latentpress import __version__
from latentpress.cli import batch, terminal
from latentpress.cli.assess_output import Row as Line
from latentpress.collection.find import Found, Selection, image_suffixes
from latentpress.collection.grading import Assess, Pairs, as_units, pair_up
from latentpress.collection.manifest import as_line, fingerprint, open_manifest
from latentpress.collection.run import run
from latentpress.collection.unit import Engine, Row, Unit, joined
from latentpress.errors import ImageError, UsageError
from latentpress.system.stores import open_store

SHOWN = 8  # files without a partner that are named


@dataclass(frozen=True)
class Folders:
    """originals, distorted: two folders. include, exclude: as of Selection. found: is told what is
    not graded.
    """

    originals: Path
    distorted: Path
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def pairs(self, found: Found | None = None) -> Pairs:
        """The pictures of both.

        Raises:
            UsageError: one is no folder, or there is no picture.
        """
        for folder, other in (
            (self.originals, self.distorted),
            (self.distorted, self.originals),
        ):
            if not folder.is_dir():
                raise UsageError(
                    f"{folder} is no folder and {other} is one: give two pictures or two folders"
                )
        selection = Selection(image_suffixes() | {".ltp"}, self.include, self.exclude)
        stores = (open_store(os.fspath(self.originals)), open_store(os.fspath(self.distorted)))
        pairs = pair_up(*stores, selection, found or Found())
        if not (pairs.pairs or pairs.alone or pairs.doubles or pairs.problems):
            raise UsageError(f"there are no pictures in {self.originals} and {self.distorted}")
        return pairs


def check_partners(pairs: Pairs) -> None:
    """UsageError where a file is left over, or two have one name; ImageError where what is there
    cannot be looked at.
    """
    if pairs.problems:
        raise ImageError(pairs.problems[0])
    for second, first in pairs.doubles:
        raise UsageError(
            f"{first} and {second} have the same name but for the suffix: which one is meant is "
            "not known"
        )
    alone = pairs.alone
    if alone:
        more = f" and {len(alone) - SHOWN} more" if len(alone) > SHOWN else ""
        shown = ", ".join(alone[:SHOWN]) + more
        raise UsageError(f"without a partner of the same name in the other folder: {shown}")


def grade(
    folders: Folders, task: Assess, columns: list[str], engine: Engine, record: Path | None
) -> tuple[list[Line], int]:
    """A line a pair in the order of their names, and how many pairs failed.

    record: a folder for the manifest, by which the same command goes on where it was ended. A file
    without a partner is a failure then, and ends the command else.
    """
    pairs = folders.pairs()
    units = as_units(open_store(os.fspath(folders.originals)), pairs)
    rows: dict[str, Line] = {}
    failed = 0
    with batch.progress(len(units)) as advance:

        def tell(row: Row) -> None:
            nonlocal failed
            for notice in row.notices:
                terminal.notice(f"{joined(task.output, row.output)}: {notice}")
            if row.error:
                failed += 1
                terminal.error(row.error)

        if record is None:
            check_partners(pairs)
            for unit, [row] in engine.map(task, units):
                tell(row)
                if not row.error:
                    rows[unit.output] = as_line(row, "")
                advance()
        else:
            run(
                _with_failures(units, pairs),
                task,
                engine,
                record_in=os.fspath(record),
                header={"version": __version__},
                told=tell,
                passed=advance,
            )
            asked = fingerprint(task.request())
            versions = {unit.output: unit.version for unit in units}
            for line in open_manifest(open_store(os.fspath(record)), read_only=True).lines():
                output = str(line.get("output"))
                is_of = (line.get("version"), line.get("request")) == (versions.get(output), asked)
                if is_of and not line.get("error"):
                    rows[output] = line
    return [_line(rows[u.output], columns) for u in units if u.output in rows], failed


def _with_failures(units: list[Unit], pairs: Pairs) -> Iterator[Unit | Row]:
    yield from units
    for problem in pairs.problems:
        yield Row(problem.partition(": ")[0], "", error=problem)
    for name in pairs.alone:
        error = f"{name}: without a partner of the same name in the other folder"
        yield Row(name, "", error=error)
    for name, first in pairs.doubles:
        yield Row(name, "", error=f"{name}: has the same name as {first} but for the suffix")


def _line(row: Line, columns: list[str]) -> Line:
    """A line of the manifest as a line of the table."""
    values = row["metrics"]
    return {
        **{key: row[key] for key in ("image", "width", "height")},
        "bytes": row["output_bytes"],
        **{key: row[key] for key in ("bpp", "identical")},
        **{key: float(values[key]) if key in values else None for key in columns},
    }
