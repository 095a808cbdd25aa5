"""The page on localhost: a server that gives out a fixed set of files and nothing else."""

import hashlib
import http.server
import sys
import threading
import time
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from latentpress.errors import UsageError
from latentpress.names import as_text
from latentpress.web import assets

HOST = "127.0.0.1"
PORT = 8717  # always the same, so that an installed page finds its address again
HTTP_PORT = 80
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Server(http.server.ThreadingHTTPServer):
    """The server; url: the page's address.

    opened: files of the user that the page shows at its start.
    idle: seconds without a request after which `serve_forever` ends; None for never.
    """

    daemon_threads = True

    def __init__(
        self, port: int = PORT, opened: Sequence[Path] = (), idle: float | None = None
    ) -> None:
        # on Windows that would let a second server have the port of the first
        self.allow_reuse_address = sys.platform != "win32"
        self.idle = idle
        self.asked_at = time.monotonic()
        self.given = assets.site()
        self.opened = {f"open/{i}/{as_text(file.name)}": file for i, file in enumerate(opened)}
        try:
            super().__init__((HOST, port), Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"port {port} cannot be used ({getattr(error, 'strerror', None) or error}): choose "
                "another with --port, 0 takes a free one"
            ) from error
        asked = "&".join(f"open={quote(path, safe='')}" for path in self.opened)
        self.url = f"http://{HOST}:{self.server_port}/{asked and '?' + asked}"

    def hosts(self) -> list[str]:
        """What the header Host of a request may be: browsers leave the usual port of HTTP out."""
        ports = [f":{self.server_port}", *([""] if self.server_port == HTTP_PORT else [])]
        return [name + port for name in (HOST, "localhost") for port in ports]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves before it has all, as of a page that is closed, is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def service_actions(self) -> None:
        """Called between two requests."""
        if self.idle is not None and time.monotonic() - self.asked_at > self.idle:
            self.idle = None
            threading.Thread(target=self.shutdown, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "latentpress"
    sys_version = ""

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Send what is known of a file."""
        self._answer(body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed for a request."""

    def _answer(self, *, body: bool) -> None:
        self.server.asked_at = time.monotonic()
        if self.headers.get("Host") not in self.server.hosts():
            # another site whose name was made to lead here must not read the opened files
            self._send(HTTPStatus.FORBIDDEN, b"", "text/plain", body=False)
            return
        try:
            path = unquote(urlsplit(self.path).path).lstrip("/") or "index.html"
        except ValueError:  # as of an address with half a bracket
            self._send(HTTPStatus.BAD_REQUEST, b"", "text/plain", body=False)
            return
        data = self._data(path)
        if data is None:
            self._send(HTTPStatus.NOT_FOUND, b"There is no such file.\n", "text/plain", body=body)
            return
        kind = TYPES.get(Path(path).suffix.lower(), "application/octet-stream")
        if path in self.server.opened:
            kind = "application/octet-stream"
        self._send(HTTPStatus.OK, data, kind, body=body)

    def _data(self, path: str) -> bytes | None:
        if path in self.server.given:
            return self.server.given[path]
        try:
            return self.server.opened[path].read_bytes() if path in self.server.opened else None
        except OSError:
            return None

    def _send(self, status: HTTPStatus, data: bytes, kind: str, *, body: bool) -> None:
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        if status == HTTPStatus.OK and self.headers.get("If-None-Match") == tag:
            status, data = HTTPStatus.NOT_MODIFIED, b""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status != HTTPStatus.NOT_MODIFIED:  # there it would be the length of what is known
            self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("ETag", tag)
        self.end_headers()
        if body:
            self.wfile.write(data)
