"""What other frequency tables would save in files of lp1:

    python -m benchmarks.sweeps.fitted_tables PICTURE ...

The pictures are coded at some qualities, and the symbols under each table are counted: those of z,
those that are rounded alone, and those of the trellis. A row for each kind: its share of all bits,
and by how many per cent they would shrink if every table were replaced, by the best one among the
shipped tables of the same scale (`family`), of up to three scales to both sides (`scale`), of both
(`both`), or by the symbols' own symmetric frequencies (`own`), which nobody has without sending
them. Every choice is made per quality, with the symbols known: the rows are bounds. Prints the
table.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import latentpress
from latentpress.entropy import cdf_tables, rans, trellis
from latentpress.entropy.cdf_tables import ODD, SCALES
from latentpress.entropy.gaussian_conditional import GaussianConditional

QUALITIES = (10, 30, 50, 75, 95)
FAMILIES = range(4)  # those that are symmetric
SHIFTS = range(-3, 4)
MOST = 2000  # symbols beyond are counted as this one
Counts = dict[tuple[str, int], Counter[int]]  # kind and table -> symbol -> how often


@contextmanager
def counted() -> Iterator[Counts]:
    """Count what is put on the coder's stack meanwhile."""
    counts: Counts = defaultdict(Counter)

    def count(kind: str, symbols: Any, tables: Any) -> None:
        keys = np.asarray(tables, np.int64) * 2 * (MOST + 1) + np.clip(symbols, -MOST, MOST) + MOST
        found = np.unique(keys, return_counts=True)
        for key, amount in zip(*(a.tolist() for a in found), strict=True):
            table, symbol = divmod(key, 2 * (MOST + 1))
            counts[kind, table][symbol - MOST] += amount

    push, push_lanes, push_pass = rans.push, trellis.push_lanes, GaussianConditional.push

    def seen(coder: Any, symbols: Any, tables: Any) -> None:
        count("z", symbols, tables)
        push(coder, symbols, tables)

    def seen_lanes(coder: Any, path: Any, table: Any, lanes: int) -> None:
        count("trellis", path.symbols, table + ODD * path.odd.astype(np.int64))
        push_lanes(coder, path, table, lanes)

    def seen_pass(conditional: Any, coder: Any, symbols: Any) -> None:
        count("alone", symbols.alone, conditional.tables)
        push_pass(conditional, coder, symbols)

    with ExitStack() as stack:
        for owner, name, function in (
            (rans, "push", seen),
            (trellis, "push_lanes", seen_lanes),
            (GaussianConditional, "push", seen_pass),
        ):
            stack.enter_context(mock.patch.object(owner, name, function))
        yield counts


def bits(table: int, symbols: dict[int, int]) -> float:
    """What symbols cost under a table."""
    radius, costs = cdf_tables.radius(table), cdf_tables.bit_costs(table)
    held = ((s + radius if abs(s) <= radius else -1, n) for s, n in symbols.items())
    return float(sum(n * costs[place] for place, n in held))


def own_bits(symbols: dict[int, int]) -> float:
    """What they cost under their own frequencies, v and -v taken to be equally likely."""
    amounts = np.array([sum(symbols.get(v, 0) for v in {s, -s}) for s in {abs(s) for s in symbols}])
    signs = sum(n for s, n in symbols.items() if s)
    return float(signs - (amounts * np.log2(amounts / amounts.sum())).sum())


def others(table: int, families: range, shifts: range) -> list[int]:
    """Numbers of the tables near one, of the same quantizer."""
    odd, even = divmod(table, ODD)
    scale = even % SCALES
    near = {min(max(scale + shift, 0), SCALES - 1) for shift in shifts}
    return [odd * ODD + family * SCALES + s for family in families for s in near]


def row(counts: Counts, kinds: set[str]) -> list[float]:
    """Bits of some kinds: as they are; then by family, scale, both, own frequencies."""
    sums = np.zeros(5)
    choices = ((FAMILIES, range(1)), (range(1), SHIFTS), (FAMILIES, SHIFTS))
    for (kind, table), symbols in counts.items():
        if kind not in kinds:
            continue
        best = [min(bits(t, symbols) for t in others(table, *choice)) for choice in choices]
        sums += [bits(table, symbols), *best, own_bits(symbols)]
    return sums.tolist()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", type=Path, nargs="+")
    pictures = parser.parse_args().pictures
    kinds = ("z", "alone", "trellis")
    print("| quality | symbols | share of the bits | family | scale | both | own |")
    print("|---" * 7 + "|")
    for quality in QUALITIES:
        with counted() as counts:
            for picture in pictures:
                latentpress.compress(picture, quality=quality, content="photo")
        total = row(counts, set(kinds))
        for kind in (*kinds, "all"):
            found = total if kind == "all" else row(counts, {kind})
            shares = " | ".join(f"{100 * (other / found[0] - 1):+.2f} %" for other in found[1:])
            print(f"| {quality} | {kind} | {found[0] / total[0]:.0%} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
