"""Sizes and targets as people write them."""

import pytest

from latentpress.cli.units import parse_size, parse_target
from latentpress.errors import UsageError


def test_sizes() -> None:
    for text, size in (
        ("20kB", 20_000),
        (" 1.5 MB ", 1_500_000),
        ("64KiB", 65_536),
        ("20000", 20_000),
        (".5kb", 500),
        ("1", 1),
    ):
        assert parse_size(text) == size
    for text in ("", "kB", "20 furlongs", "0", "0.5", "-1", "1e3", "inf", "9" * 400):
        with pytest.raises(UsageError, match="is no size"):
            parse_size(text)


def test_targets() -> None:
    assert parse_target(" PSNR=32") == ("psnr", 32.0)
    for text in ("psnr", "=32", "psnr=", "psnr=good", "psnr=inf", "psnr=" + "9" * 400):
        with pytest.raises(UsageError, match="is no target"):
            parse_target(text)
