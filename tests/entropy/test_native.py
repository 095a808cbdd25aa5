"""The C library against NumPy, constriction and plain Python: the same numbers to the bit, whatever
the bytes are.
"""

import os
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentpress.container import (
    LATENT_CONTINUED,
    LATENT_HYPERPRIOR,
    LATENT_MASKED,
    LATENT_TRELLIS,
)
from latentpress.entropy import cdf_tables, native, planes, rans, trellis
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.prior_networks import Sides
from latentpress.entropy.rans_native import NativeStack
from latentpress.entropy.rans_python import PythonStack
from latentpress.entropy.trellis import Path as Symbols
from latentpress.errors import FormatError
from latentpress.runtimes.checkerboard import ANCHORS, OTHERS, halves

TABLES = len(cdf_tables.FAMILIES) * cdf_tables.SCALES
needs_library = pytest.mark.skipif(not native.library(), reason="the C library was not built")


def both(function: Any, *arguments: Any) -> list[Any]:
    """What a function returns with the library and without it, each on copies of its arrays, and
    these arrays.
    """
    results = []
    for library in (native.library(), None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "library", lambda library=library: library)
            copies = [copied(a) for a in arguments]
            results.append((function(*copies), copies))
    return results


def copied(a: Any) -> Any:
    if isinstance(a, planes.Gaussians):
        return planes.Gaussians(*(part.copy() for part in a))
    return a.copy() if isinstance(a, np.ndarray) else a


def flat(value: Any) -> list[bytes]:
    """The bytes of every array within a value."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype).encode() + value.tobytes()]
    return [b for part in value for b in flat(part)] if isinstance(value, (list, tuple)) else []


def stacks(data: bytes) -> list[Any]:
    words = np.frombuffer(data, "<u4").astype(np.uint32)
    others = {rans.without_library(), PythonStack}
    return [NativeStack(native.library(), words), *(kind(words.copy()) for kind in others)]


def popped(stack: Any, *arguments: Any) -> Any:
    try:
        return flat(
            trellis.pop_lanes(stack, *arguments)
            if isinstance(arguments[1], int)
            else stack.pop_runs(*arguments)
        )
    except FormatError:
        return "refused"


@needs_library
@settings(deadline=None)
@given(
    st.binary(max_size=80),
    st.lists(st.tuples(st.integers(0, TABLES - 1), st.integers(1, 30)), max_size=8),
)
def test_any_bytes_are_the_same_symbols(data: bytes, runs: list[tuple[int, int]]) -> None:
    data = data[: len(data) // 4 * 4].rstrip(b"\0")
    data += bytes(-len(data) % 4)
    tables = np.array([t for t, _ in runs], np.uint16)
    ends = np.cumsum([n for _, n in runs], dtype=np.int64)
    ours, *others = stacks(data)
    found = popped(ours, tables, ends)
    for theirs in others:
        assert popped(theirs, tables, ends) == found
        if found != "refused":
            assert ours.is_empty() == theirs.is_empty()
            assert ours.words().tolist() == theirs.words().tolist()


@needs_library
@settings(deadline=None)
@given(st.binary(max_size=200), st.lists(st.integers(0, 255), max_size=90), st.integers(1, 20))
def test_any_bytes_are_the_same_lanes(data: bytes, table: list[int], lanes: int) -> None:
    data = data[: len(data) // 4 * 4].rstrip(b"\0")
    data += bytes(-len(data) % 4)
    sorted_table = np.sort(np.array(table, np.uint16))
    ours, *others = (popped(stack, sorted_table, lanes) for stack in stacks(data))
    assert all(theirs == ours for theirs in others)


@needs_library
@settings(deadline=None)
@given(
    st.lists(
        st.floats(-400, 400, width=32)
        | st.sampled_from([0.0, -0.0, 1e9, -1e9, 32766.5, -0.5, 0.25]),
        max_size=120,
    ),
    st.integers(1, 50),
    st.floats(0.5, 200),
    st.integers(0, 2**32 - 1),
)
def test_the_same_path_is_the_cheapest(
    v: list[float], lanes: int, weight: float, seed: int
) -> None:
    table = np.random.default_rng(seed).integers(0, 256, len(v)).astype(np.uint16)
    for kind in (np.float32, np.float64):
        (ours, _), (numpys, _) = both(trellis.quantize, np.array(v, kind), table, weight, lanes)
        assert flat(ours) == flat(numpys)


@needs_library
@pytest.mark.parametrize(("h", "w"), [(64, 64), (1, 1), (7, 13), (2, 64)])
def test_planes_are_the_same(h: int, w: int) -> None:
    rng, c = np.random.default_rng(h * w), 5
    head = np.rint(rng.normal(100, 120, (2 * c, h + 3, w + 1))).astype(np.float32)
    head[rng.random(head.shape) < 0.1] = -0.0
    gain = np.exp(rng.normal(0, 1, c)).astype(np.float32)
    offset = rng.integers(-60, 60, c).astype(np.int32)
    (ours, _), (numpys, _) = both(planes.activity, head, h, w, offset)
    assert flat(ours) == flat(numpys)
    shift = rng.integers(-64, 65, (h, w)).astype(np.int32)
    factor = np.exp2(shift / 50).astype(np.float32)
    (gaussians, _), (numpys, _) = both(
        planes.first_distributions, head, gain, offset, shift, factor
    )
    assert flat(gaussians) == flat(numpys)
    even, odd = halves(head[:, :h, :w], OTHERS)
    (_, ours), (_, numpys) = both(planes.second_distributions, even[0], odd[0], gaussians)
    assert flat(ours) == flat(numpys)
    y = rng.normal(0, 3, (c, h, w)).astype(np.float32)
    for kind, trellis_from in ((ANCHORS, 14), (OTHERS, 64)):
        (found, _), (numpys, _) = both(planes.select, gaussians, kind, trellis_from)
        assert flat(found) == flat(numpys)
        alone_tables = np.repeat(
            np.arange(64, dtype=np.uint16), np.diff(found.alone_ends, prepend=0)
        )
        (ours, _), (numpys, _) = both(planes.residuals, y, factor, gaussians.mu, found)
        assert flat(ours) == flat(numpys)
        whole = (y * factor - gaussians.mu).ravel()
        assert flat(ours) == flat(whole[np.concatenate([found.alone, found.lanes])])
        for positions, tables in ((found.alone, alone_tables), (found.lanes, found.lane_tables)):
            half_steps = rng.integers(-65534, 65535, positions.size) >> rng.integers(
                0, 16, positions.size
            )
            half_steps = half_steps.astype(np.int32)
            for function, arguments in (
                (planes.put_whitened, (np.zeros_like(y), positions, half_steps, tables, 127)),
                (
                    planes.add_values,
                    (y, positions, half_steps, cdf_tables.SCALE_RATIO, np.float32(1 / 16)),
                ),
                (planes.put_symbols, (np.zeros(y.shape, np.int16), positions, half_steps // 2)),
            ):
                (_, ours), (_, numpys) = both(function, *arguments)
                assert flat(ours) == flat(numpys)


@needs_library
@pytest.mark.parametrize("kind", [LATENT_HYPERPRIOR, LATENT_TRELLIS, LATENT_MASKED])
@pytest.mark.parametrize("lagrangian_weight", [None, 25.0])
def test_segments_are_the_same(kind: int, lagrangian_weight: float | None) -> None:
    coder = HyperpriorCoder("lp1", 70, lagrangian_weight, chunk_type=kind)
    y = np.random.default_rng(kind).standard_t(2, (320, 9, 14)).astype(np.float32) * coder.gain
    (ours, _), (numpys, _) = both(coder.encode_segment, y)
    assert ours == numpys
    (y_hat, _), (expected, _) = both(coder.decode_segment, ours, 9, 14)
    assert y_hat.tobytes() == expected.tobytes()


@needs_library
def test_segments_that_go_on_are_the_same() -> None:
    coder = HyperpriorCoder("lp1", 70, chunk_type=LATENT_CONTINUED)
    y = np.random.default_rng(0).standard_t(2, (320, 9, 14)).astype(np.float32) * coder.gain
    sides = Sides(True, False, True, True)
    (ours, _), (numpys, _) = both(partial(coder.encode_segment, sides=sides), y)
    assert ours == numpys
    (y_hat, _), (expected, _) = both(partial(coder.decode_segment, sides=sides), ours, 9, 14)
    assert y_hat.tobytes() == expected.tobytes()


@needs_library
def test_a_corner_beyond_the_planes_is_refused() -> None:
    head, offset = np.zeros((2, 8, 8), np.float32), np.zeros(1, np.int32)
    planes.activity(head, 4, 4, offset, (4, 4))
    for corner in ((5, 4), (4, 5), (-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="shapes"):
            planes.activity(head, 4, 4, offset, corner)


@needs_library
def test_what_the_format_does_not_hold_is_refused() -> None:
    stack = NativeStack(native.library(), np.empty(0, np.uint32))
    one, end = np.array([1], np.int32), np.array([1], np.int64)
    with pytest.raises(ValueError, match="no such table"):
        stack.push_runs(one, np.array([TABLES], np.uint16), end)
    with pytest.raises(ValueError, match="no such table"):
        stack.pop_lanes(np.array([TABLES], np.uint16), 1)
    with pytest.raises(ValueError, match="out of range"):
        stack.push_runs(one * 32768, np.array([0], np.uint16), end)
    with pytest.raises(ValueError, match="do not hold"):
        stack.push_runs(one, np.array([0], np.uint16), 2 * end)
    with pytest.raises(ValueError, match="do not rise"):
        stack.pop_runs(np.array([0, 0], np.uint16), np.array([3, 1], np.int64))
    with pytest.raises(TypeError, match="cannot take"):
        stack.push_runs(one.astype(np.int64), np.array([0], np.uint16), end)
    at_an_odd_address = np.frombuffer(bytes(5), np.uint8)[1:].view(np.int32)
    with pytest.raises(TypeError, match="cannot take"):
        stack.push_runs(at_an_odd_address, np.array([0], np.uint16), end)
    stack.push_lanes(one * 300, np.zeros(1, np.uint8), np.array([5], np.uint16), 1)
    assert Symbols(*stack.pop_lanes(np.array([5], np.uint16), 1)).symbols.tolist() == [300]


class Interrupting(np.ndarray):
    """An array while whose address is taken a signal comes, the handler of which raises."""

    @property
    def flags(self) -> Any:
        raise KeyboardInterrupt


@needs_library
def test_an_interrupt_before_a_call_stays_one() -> None:
    symbols, plane = np.zeros(1, np.int32).view(Interrupting), np.zeros((1, 1, 1), np.int16)
    with pytest.raises(KeyboardInterrupt):
        planes.put_symbols(plane, np.zeros(1, np.int32), symbols)


def test_the_environment_turns_it_off() -> None:
    script = "from latentpress.entropy import native; print(native.library(), native.in_words())"
    environment = os.environ | {"LATENTPRESS_NATIVE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "None Python, for LATENTPRESS_NATIVE is 0\n"


def test_a_file_is_made_and_opened_where_constriction_has_no_wheel() -> None:
    script = (
        "import sys\nsys.modules['constriction'] = None\n"
        "import numpy as np\nimport latentpress\n"
        "picture = np.arange(32 * 48 * 3, dtype=np.uint8).reshape(32, 48, 3)\n"
        "data = latentpress.compress(picture, content='photo')\n"
        "print(data.hex(), np.asarray(latentpress.decompress(data)).tobytes().hex())\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"LATENTPRESS_NATIVE": value, "LATENTPRESS_RUNTIME": "onnxruntime"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for value in "10"
    ]
    assert said[0] == said[1] != ""
