"""The coder of docs/formats/ltp.md in plain Python integers, to hold the fast one to."""

import numpy as np

from latentpress.entropy import cdf_tables

MASK = 0xFFFFFFFF


def slow_push(words: list[int], state: int, start: int, count: int) -> int:
    """One rANS step of docs/formats/ltp.md: 64-bit state, 32-bit words, 24-bit precision."""
    if state >= count << 40:
        words.append(state & MASK)
        state >>= 32
    return (state // count << 24) + start + state % count


def slow_encode_groups(groups: list[tuple[int, list[int]]]) -> bytes:
    """The stream of groups of symbols, each (table, symbols), in decoding order; written from the
    end.
    """
    plan: list[tuple[int, int]] = []  # (start, count) in decoding order
    for table, group in groups:
        counts, r = cdf_tables.counts(table).tolist(), cdf_tables.radius(table)
        starts = np.concatenate([[0], np.cumsum(counts)]).tolist()
        coded = [2 * r + 1 if abs(s) > r else s + r for s in group]
        plan += [(starts[i], counts[i]) for i in coded]
        plan += [((s + 32768) << 8, 1 << 8) for s in group if abs(s) > r]
    words: list[int] = []
    state = 0
    for start, count in reversed(plan):
        state = slow_push(words, state, start, count)
    while state:
        words.append(state & MASK)
        state >>= 32
    return np.array(words, "<u4").tobytes().rstrip(b"\0")


def slow_encode(symbols: list[int], numbers: list[int]) -> bytes:
    """The stream of an array of symbols, each with a table: by table, in order."""
    pairs = list(zip(symbols, numbers, strict=True))
    return slow_encode_groups(
        [(table, [s for s, n in pairs if n == table]) for table in sorted(set(numbers))]
    )
