"""Times of the layers: what is counted beside them."""

import numpy as np
import pytest

from benchmarks.tables import layer_times
from benchmarks.tables.model_shapes import multiplications
from latentpress import models
from latentpress.runtimes import native
from latentpress.runtimes.onnx_file import read_graph

pytestmark = pytest.mark.skipif(native.library() is None, reason="no library, or nothing for bytes")


@pytest.mark.parametrize("how", layer_times.here().values() if native.library() else [])
def test_every_multiplication_of_the_graphs_is_in_a_row(how: int) -> None:
    rows = layer_times.rows_of(np.zeros((32, 48, 3), np.uint8), how, 1)
    for name in layer_times.GRAPHS:
        graph = read_graph(models.read_file("lp1", name))
        counted = sum(float(row[4]) for row in rows if row[0] == name)
        assert counted == pytest.approx(multiplications(graph, 16) / 1000, abs=0.01)


def test_the_kinds_of_numbers_are_those_of_the_instructions() -> None:
    rows = layer_times.rows_of(np.zeros((16, 16, 3), np.uint8), native.AVX2_AND_VNNI, 1)
    assert {row[3] for row in rows} == {"bytes", "floats", "points of floats"}
