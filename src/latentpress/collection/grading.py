"""Grade a tree of pictures against the tree of their originals."""

from __future__ import annotations

import hashlib
import math
import posixpath
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latentpress.collection.faults import ENDING, naming, sentence
from latentpress.collection.find import Found, Selection
from latentpress.collection.tasks import kept_store
from latentpress.collection.unit import Row, Unit, joined
from latentpress.image.picture import Source
from latentpress.system.sources import Named
from latentpress.system.stores import Entry, FolderStore, Store
from latentpress.system.urls import shown

COPIES = 4  # of a picture's pixels that grading holds, about


@dataclass(frozen=True)
class Pairs:
    """pairs: the name of a picture within its tree, without the suffix; its original; what is to
    be graded. alone: files that have no partner. doubles: files whose name but for the suffix is
    another's, too, and that one. problems: what cannot be looked at, a sentence each.
    """

    pairs: list[tuple[str, Entry, Entry]]
    alone: list[str]
    doubles: list[tuple[str, str]]
    problems: list[str]


def pair_up(originals: Store, distorted: Store, selection: Selection, found: Found) -> Pairs:
    """The pictures of two trees, by their names without the suffix. a.jpg.ltp, as --keep-suffix
    names it, is of a.jpg.
    """
    first = {e.key: e for e in _selected(originals, selection, found)}
    second = {e.key: e for e in _selected(distorted, selection, found)}
    kept = {key: entry for key, entry in second.items() if _stem(key) in first}
    others = {key: entry for key, entry in second.items() if key not in kept}
    doubles: list[tuple[str, str]] = []
    pairs = [
        (stem, first.pop(stem), entry) for stem, entry in _by_stem(distorted, kept, doubles).items()
    ]
    by_stem = _by_stem(originals, first, doubles)
    to_grade = _by_stem(distorted, others, doubles)
    both = by_stem.keys() & to_grade.keys()
    pairs += [(stem, by_stem[stem], to_grade[stem]) for stem in both]
    alone = [joined(originals.url, by_stem[stem].key) for stem in by_stem.keys() - both]
    alone += [joined(distorted.url, to_grade[stem].key) for stem in to_grade.keys() - both]
    problems = list(map(str, found.problems))
    return Pairs(sorted(pairs, key=lambda pair: pair[0]), sorted(alone), doubles, problems)


def _selected(store: Store, selection: Selection, found: Found) -> list[Entry]:
    return [entry for entry in store.entries(found) if selection.takes(entry.key)]


def _stem(key: str) -> str:
    return posixpath.splitext(key)[0]


def _by_stem(
    store: Store, entries: Mapping[str, Entry], doubles: list[tuple[str, str]]
) -> dict[str, Entry]:
    """Stem -> the first file of that name; the others are added to `doubles`."""
    found: dict[str, Entry] = {}
    for key, entry in sorted(entries.items()):
        other = found.setdefault(_stem(key), entry)
        if other is not entry:
            doubles.append((joined(store.url, key), joined(store.url, other.key)))
    return found


def as_units(originals: Store, pairs: Pairs) -> list[Unit]:
    """A unit a pair: the original is read, the output is what is graded."""
    return [
        Unit(originals.url, a.key, b.key, f"{a.version} {b.version}", b.size, replace=True)
        for _, a, b in pairs.pairs
    ]


@dataclass(frozen=True)
class Assess:
    """Grade an output that is there against its original; nothing is written.

    output: the URL of the store of what is graded. metrics: that can be computed here. strict:
    whether a picture that is too small for one of them is an error. gray, model, device: as of
    `latentpress.assess` and `latentpress.decompress`.
    """

    output: str
    metrics: tuple[str, ...]
    gray: bool = False
    strict: bool = False
    model: str | None = None
    device: str = "auto"

    def request(self) -> dict[str, object]:
        """As of Task."""
        return {
            "command": "assess",
            "metrics": self.metrics,
            "gray": self.gray,
            "strict": self.strict,
            "model": self.model,
            "of": shown(self.output),
        }

    def pixels(self, unit: Unit) -> int:
        """As of Task: of the original, as often as grading holds them."""
        from latentpress.image.picture import count_pixels

        store = kept_store(unit.root)
        if not isinstance(store, FolderStore):
            return 0
        return COPIES * count_pixels(store.path(unit.key))

    def works_alone(self, units: Sequence[Unit]) -> bool:
        """As of Task."""
        from latentpress.parts import parts_of
        from latentpress.spaces import LP1

        return parts_of(LP1).works_alone(self.device, encoding=False)

    def __call__(self, unit: Unit) -> list[Row]:
        """As of Task."""
        begin = time.perf_counter()
        graded = joined(self.output, unit.output)
        fields: dict[str, object] = {}
        notices: list[str] = []
        error = ""
        original = distorted = b""
        try:
            original = kept_store(unit.root).read(unit.key)
            distorted = kept_store(self.output).read(unit.output)
            fields, notices = self._graded(unit, original, distorted)
        except ENDING:
            raise
        except Exception as fault:  # one picture is not the run
            error = sentence(graded, fault)
        return [
            Row(
                source=unit.source,
                version=unit.version,
                output="" if error else unit.output,
                source_bytes=len(original),
                output_bytes=len(distorted),
                source_sha256=hashlib.sha256(original).hexdigest(),
                output_sha256=hashlib.sha256(distorted).hexdigest(),
                seconds=time.perf_counter() - begin,
                error=error,
                notices=tuple(notices),
                fields=fields,
            )
        ]

    def _graded(
        self, unit: Unit, original: bytes, distorted: bytes
    ) -> tuple[dict[str, object], list[str]]:
        from latentpress.assessment import check_match, read_graded
        from latentpress.metrics import METRICS, assess

        a = read_graded(
            _source(unit.root, unit.key, original), model=self.model, device=self.device
        )
        b = read_graded(
            _source(self.output, unit.output, distorted), model=self.model, device=self.device
        )
        notices = check_match(a, b)
        height, width = a.pixels.shape[:2]
        least = min(height, width)
        fitting = [k for k in self.metrics if self.strict or least >= METRICS[k].smallest]
        with naming(joined(self.output, unit.output)):
            values = assess(a.pixels, b.pixels, fitting, gray=self.gray)
        return {
            "image": _stem(unit.key),
            "width": width,
            "height": height,
            "bpp": 8 * len(distorted) / (width * height),
            "identical": bool((a.pixels == b.pixels).all()),
            "metrics": {k: v if math.isfinite(v) else str(v) for k, v in values.items()},
        }, notices


def _source(url: str, key: str, data: bytes) -> Source:
    """What is graded, under the name that messages tell."""
    store = kept_store(url)
    return store.path(key) if isinstance(store, FolderStore) else Named(data, joined(url, key))
