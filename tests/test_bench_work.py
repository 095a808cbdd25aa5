"""Memory of a codec alone, in processes that do nothing else; threads of the workers."""

import sys

import pytest
from PIL import Image

from latentpress.bench import work
from latentpress.bench.codecs import find_codec


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak of a process this way")
def test_peak_memory_grows_with_the_picture(tmp_path, photo):
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    Image.fromarray(photo).save(small)
    Image.fromarray(photo).resize((3000, 2000)).save(large)
    figures = [work.measure_memory(find_codec("jpeg"), path, 50) for path in (small, large)]
    for figure in figures:
        assert 10 < figure["idle_mb"] <= figure["peak_encode_mb"] < 1000
        assert figure["load_s"] >= 0
    assert figures[1]["peak_decode_mb"] - figures[0]["peak_decode_mb"] > 15  # 18 MB of samples, against 0.4 MB


def test_workers_have_one_thread():
    with work.pool(1) as workers:
        assert workers.submit(_threads).result() == "1"


def _threads():
    import os

    return os.environ["OMP_NUM_THREADS"]
