"""An S3 server on this machine (moto's), and a proxy before it that fails as it is told."""

import contextlib
import http.client
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
# what becomes of a request: nothing (""), a status ("500"), the answer cut off in its middle
# ("cut"), no answer before ("refuse") or after ("lost") the server did the work, or an answer after
# some seconds ("slow 3")
Rule = Callable[[str, str, int], str]


class Proxy(ThreadingHTTPServer):
    """Forwards to a server. rule: of method, path and the number of the request, from 1, what goes
    wrong with it.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.behind = behind
        self.rule: Rule = lambda method, path, number: ""
        self.seen: list[tuple[str, str]] = []
        self.faults = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no news."""

    @contextlib.contextmanager
    def failing(self, rule: Rule) -> Iterator[None]:
        """Within the block requests fail by a rule, whose numbers begin at 1."""
        self.seen.clear()
        self.faults, self.rule = 0, rule
        try:
            yield
        finally:
            self.rule = lambda method, path, number: ""


class _Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_: Any) -> None:
        """Silence."""

    def _answer(self) -> None:
        body = self._body()
        with self.server.lock:
            self.server.seen.append((self.command, self.path))
            fault = self.server.rule(self.command, self.path, len(self.server.seen))
            self.server.faults += bool(fault)
        kind, _, seconds = fault.partition(" ")
        if kind == "slow":
            time.sleep(float(seconds))
        if kind == "refuse":
            self.close_connection = True
            return
        if kind.isdigit():
            self._send(
                int(kind),
                {},
                b"" if self.command == "HEAD" else b"<Error><Code>InternalError</Code></Error>",
            )
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        headers = {
            k: v
            for k, v in self.headers.items()
            if k.lower() not in ("connection", "transfer-encoding", "expect")
        }
        headers["Content-Length"] = str(len(body))
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if kind == "lost":
            self.close_connection = True
            return
        self._send(answer.status, dict(answer.getheaders()), data, cut=kind == "cut")

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, headers: dict[str, str], data: bytes, cut: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        length = (
            headers.get("Content-Length", headers.get("content-length"))
            if self.command == "HEAD"
            else None
        )
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self.wfile.write(data)


@contextlib.contextmanager
def s3_server() -> Iterator[Proxy]:
    """moto's server in a thread, behind a proxy."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    reset = urllib.request.Request(f"http://127.0.0.1:{port}/moto-api/reset", b"", method="POST")
    urllib.request.urlopen(reset).close()  # what an earlier server of this process had
    proxy = Proxy(port)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        server.stop()


@contextlib.contextmanager
def web_server(files: dict[str, bytes], *, tells_size: bool = True) -> Iterator[str]:
    """A server of the web that has files by their paths; its URL. tells_size: else it sends them
    in pieces, as what is made while it is sent.
    """

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Silence."""

        def do_GET(self) -> None:
            data = files.get(self.path.partition("?")[0].lstrip("/"))
            self.send_response_only(404 if data is None else 200)
            in_pieces = bool(data) and not tells_size
            if in_pieces:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            if self.command == "GET":
                body = data or b""
                self.wfile.write(
                    b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if in_pieces else body
                )

        do_HEAD = do_GET  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
