"""Fixtures of tests that need the S3 server; a module takes them by importing them."""

from collections.abc import Iterator

import pytest

from helpers.object_store import KEYS, Proxy, s3_server
from latentpress.system import remote

BUCKET = "photos"


@pytest.fixture(scope="module")
def served() -> Iterator[Proxy]:
    """The server, with the bucket BUCKET, and its address in the environment."""
    pytest.importorskip("moto", reason="needs the extra test-collections")
    pytest.importorskip("s3fs", reason="needs the extra test-collections")
    with pytest.MonkeyPatch.context() as patch, s3_server() as proxy:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": proxy.url}.items():
            patch.setenv(name, value)
        forget()
        remote.opened(f"s3://{BUCKET}")._files.mkdir(BUCKET)
        yield proxy
        forget()


@pytest.fixture
def s3(served: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """The server, asked again after hardly a wait."""
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.001)
    return served


def forget() -> None:
    """Connections and their settings, so that the environment is read again."""
    import fsspec

    remote.opened.cache_clear()
    for name in ("s3", "http"):
        fsspec.get_filesystem_class(name).clear_instance_cache()
