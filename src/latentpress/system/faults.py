"""Why a store failed: whether another attempt may help, and what to say of it.

The libraries behind fsspec raise what they like; what they have in common is a status of HTTP, and
the names of their exceptions.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from latentpress.errors import ImageError, LatentpressError
from latentpress.system.urls import bare, scheme, shown

TRANSIENT = (408, 409, 423, 425, 429)  # and all from 500 on but 501 and 505
REFUSED = (401, 403)
MISSING = (404, 410)
NO_CREDENTIALS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "DefaultCredentialsError",
    "ProfileNotFound",
    "TokenRetrievalError",
    "RefreshError",
)
BROKEN = {
    "ClientPayloadError",
    "ContentLengthError",
    "IncompleteRead",
    "IncompleteReadError",
    "ResponseStreamingError",
    "ServerDisconnectedError",
    "TransferEncodingError",
}
FINAL = (ValueError, TypeError, AttributeError, NotImplementedError, ImportError)
FULL = (errno.ENOSPC, errno.EDQUOT)
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`",
    "az": "AZURE_STORAGE_CONNECTION_STRING",
}
SAME = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az"}


class MissingError(ImageError):
    """There is no such file."""


@dataclass(frozen=True)
class Fault:
    """final: another attempt is of no use. missing: there is no such file. sentence: why."""

    final: bool
    sentence: str
    missing: bool = False

    def raised(
        self, name: str, kind: type[LatentpressError], tries: int, seconds: float
    ) -> LatentpressError:
        """The error of a file. kind: its class. tries: as many as there were, 0 where the first
        one told enough.
        """
        if self.missing and not issubclass(kind, ImageError):
            words = f"{name}: there is no such bucket or folder to write to"
        elif not tries:
            words = f"{name}: {self.sentence}"
        else:
            words = (
                f"{name}: {self.sentence}; given up after {tries} attempts in {seconds:.0f} s: "
                "try again later"
            )
        return MissingError(words) if self.missing and issubclass(kind, ImageError) else kind(words)


def of(error: Exception, url: str) -> Fault:
    """What an exception of a store says."""
    chain = list(_chain(error))
    if {type(one).__name__ for one in chain} & BROKEN:
        return Fault(False, "the connection broke off")
    status = next((code for code in map(_status, chain) if code), 0)
    kinds = {base.__name__ for one in chain for base in type(one).__mro__}
    code = next((code for code in map(_code, chain) if code), "")
    said = f"({code})" if code and not code.isdigit() else f"(HTTP {status})" if status else ""
    if kinds.intersection(NO_CREDENTIALS):
        return Fault(True, f"no credentials were found: {_credentials(url)}")
    if code == "NoSuchBucket":
        bucket = bare(url).partition("://")[2].partition("/")[0]
        return Fault(True, f"there is no bucket {bucket}: make it first, or correct its name")
    if status in REFUSED or (isinstance(error, PermissionError) and not _is_busy(status)):
        return Fault(True, f"the store refused access {said}".rstrip() + f": {_credentials(url)}")
    if status in MISSING or (isinstance(error, FileNotFoundError) and not _is_busy(status)):
        if isinstance(error, FileNotFoundError) and _is_unreachable(kinds):
            return Fault(False, f"the store cannot be reached {_reason(chain)}")
        return Fault(True, "no such file", missing=True)
    if isinstance(error, IsADirectoryError):
        return Fault(True, "is a folder, not a file")
    if isinstance(error, OSError) and error.errno in FULL:
        return Fault(True, "the store is full")
    if status and not _is_busy(status):
        return Fault(True, f"the store refused the request {said}: {_said(chain)}".rstrip(": "))
    if not status and isinstance(error, FINAL) and not _is_unreachable(kinds):
        return Fault(True, _said(chain))
    if status:
        return Fault(False, f"the store failed {said}")
    if _is_unreachable(kinds):
        return Fault(False, f"the store cannot be reached {_reason(chain)}")
    return Fault(False, f"the store failed {_reason(chain)}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it was raised from."""
    seen = 0
    while error is not None and seen < 8:
        yield error
        error = error.__cause__ or error.__context__
        seen += 1


def _status(error: BaseException) -> int:
    """The status of HTTP that an exception of aiohttp, botocore or gcsfs holds, else 0."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    else:
        status = getattr(error, "status", None) or getattr(error, "code", None) or 0
    return int(status) if str(status).isdigit() else 0


def _code(error: BaseException) -> str:
    """What S3 calls the fault, else ""."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _is_busy(status: int) -> bool:
    return status in TRANSIENT or (status >= 500 and status not in (501, 505))


def _is_unreachable(kinds: set[str]) -> bool:
    """Whether no connection came about, by the names of the exceptions."""
    return bool(
        kinds
        & {
            "EndpointConnectionError",
            "ConnectTimeoutError",
            "ClientConnectorError",
            "ConnectionRefusedError",
            "ConnectionTimeoutError",
        }
    )


def _credentials(url: str) -> str:
    kind = scheme(url)
    kind = SAME.get(kind, kind)
    if kind in ("http", "https"):
        return "is it public, or is the address signed and out of date?"
    return f"check {CREDENTIALS.get(kind, 'the credentials')}, and what they allow"


def _reason(chain: list[BaseException]) -> str:
    """The innermost exception in brackets."""
    return f"({_said(chain[-1:])})"


def _said(chain: list[BaseException]) -> str:
    """What the first exception says, without secrets; its name where it says nothing."""
    text = str(chain[0]).strip()
    lines = text.splitlines() or [""]
    return shown(lines[0]) or type(chain[0]).__name__
