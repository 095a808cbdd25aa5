"""What the URL of a file is made of, and what of it may be shown."""

from __future__ import annotations

import re

# a letter alone before "://" would be a drive of Windows; "simplecache::s3://..." is a chain
URL = re.compile(r"(?:[A-Za-z0-9]+::)*[A-Za-z][A-Za-z0-9+.-]+://")
WEB = ("http", "https")
USER = re.compile(r"(?<=://)[^/@\s]*@")
QUERY = re.compile(r"(https?://[^\s?#]*)[?#][^\s]*")


def is_url(text: str) -> bool:
    """Whether a path is a URL: s3://bucket/photo.jpg, https://host/photo.jpg."""
    return URL.match(text) is not None


def scheme(url: str) -> str:
    """What stands before "://", in lower case, of a chain with all before it; "" of a path."""
    return url.partition("://")[0].lower() if is_url(url) else ""


def shown(text: str) -> str:
    """A URL, or a text with URLs, without what may be secret: a user and password, and the query
    of a web address, which may be signed.

    Example:
        >>> shown("https://me:secret@host/photo.jpg?signature=0123")
        'https://host/photo.jpg'
    """
    return QUERY.sub(r"\1", USER.sub("", text))


def bare(url: str) -> str:
    """A URL without the query of a web address."""
    return QUERY.sub(r"\1", url)


def joined(url: str, key: str) -> str:
    """The URL of a file below another one."""
    return f"{bare(url).rstrip('/')}/{key}" if not url.endswith("://") else url + key
