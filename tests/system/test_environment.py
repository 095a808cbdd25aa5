"""What the environment sets is read when it is needed, and what is no number is one sentence."""

import numpy as np
import pytest

import latentpress
from latentpress.errors import FormatError, ImageError, UsageError
from latentpress.runtimes.threads import limited_to, threads
from latentpress.system.environment import whole_number

WRONG = ["abc", "1e9", "-1", "1.5"]


def test_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, number in (("", 7), (" ", 7), ("3", 3), (" 1_000 ", 1000)):
        monkeypatch.setenv("LATENTPRESS_X", text)
        assert whole_number("LATENTPRESS_X", 7, 3) == number
    for text in [*WRONG, "2"]:
        monkeypatch.setenv("LATENTPRESS_X", text)
        with pytest.raises(
            UsageError, match=f"LATENTPRESS_X is a whole number from 3 on, .* not '{text}'"
        ):
            whole_number("LATENTPRESS_X", 7, 3)


def test_the_limit_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    data = latentpress.compress(pixels)
    monkeypatch.setenv("LATENTPRESS_MAX_PIXELS", "600")
    assert latentpress.decompress(data).size == (30, 20)
    monkeypatch.setenv("LATENTPRESS_MAX_PIXELS", "599")
    with pytest.raises(FormatError, match="limit of 599"):
        latentpress.decompress(data)
    with pytest.raises(ImageError, match="limit of 599"):
        latentpress.compress(pixels)
    monkeypatch.setenv("LATENTPRESS_MAX_PIXELS", "1e9")
    with pytest.raises(UsageError, match="LATENTPRESS_MAX_PIXELS"):
        latentpress.compress(pixels)


def test_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_THREADS", "3")
    assert threads() == 3
    with limited_to(1):
        assert threads() == 1
    with limited_to(5):
        assert threads() == 3
    for text in WRONG:
        monkeypatch.setenv("LATENTPRESS_THREADS", text)
        with pytest.raises(UsageError, match="LATENTPRESS_THREADS"):
            threads()
