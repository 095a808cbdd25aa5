"""Tests of this folder that ask for `engine` run twice: with the C library, and without it."""

import pytest

from latentpress.entropy import native


@pytest.fixture(params=["native", "python"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of the two codes symbols."""
    if request.param == "python":
        monkeypatch.setattr(native, "library", lambda: None)
    elif not native.library():
        pytest.skip("the C library was not built: python -m latentpress.entropy.native")
    return request.param
