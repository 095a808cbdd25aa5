"""`latentpress web` and `latentpress share`, without a browser."""

import base64
import http.client
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import latentpress
from helpers.attacks import rebuilt
from helpers.commands import fails, run
from latentpress.spaces import space_of_codec
from latentpress.web.server import Server


@pytest.fixture
def file(tmp_path: Path, small: NDArray[np.uint8]) -> Path:
    (tmp_path / "photo.ltp").write_bytes(latentpress.compress(small, quality=30))
    return tmp_path / "photo.ltp"


def test_share_writes_one_page_that_holds_the_picture(file: Path) -> None:
    done = run("share", "photo.ltp", "-o", "page.html", "--title", "A & B", cwd=file.parent)
    assert (done.returncode, done.stderr) == (0, "")
    page = (file.parent / "page.html").read_text(encoding="utf-8")
    assert done.stdout == f"page.html: {len(page.encode()):,} bytes, opens in a browser\n"
    [held] = re.findall(
        r'<script type="text/plain" data-picture="&quot;photo.ltp&quot;">([^<]*)</script>', page
    )
    assert base64.b64decode(held) == file.read_bytes()
    assert "<title>A &amp; B</title>" in page


def test_share_names_its_output_and_replaces_none(file: Path) -> None:
    assert run("share", "photo.ltp", cwd=file.parent).returncode == 0
    assert "exists already" in fails(1, "share", "photo.ltp", cwd=file.parent)
    assert run("share", "photo.ltp", "--overwrite", cwd=file.parent).returncode == 0


def test_share_refuses_what_the_page_could_not_open(file: Path) -> None:
    folder = file.parent
    data = bytearray(file.read_bytes())
    (folder / "cut.ltp").write_bytes(data[:-9])
    assert "cut.ltp: the file is cut off" in fails(1, "share", "cut.ltp", cwd=folder)
    (folder / "a.ltp").write_text("no picture")
    assert "a.ltp: not an .ltp file" in fails(1, "share", "a.ltp", cwd=folder)
    assert "ends in .html" in fails(2, "share", "photo.ltp", "-o", "page.png", cwd=folder)
    assert not list(folder.glob("*.html"))


def test_share_takes_a_screen_layer_of_any_space(tmp_path: Path) -> None:
    layer = latentpress.compress(np.zeros((16, 16, 3), np.uint8), content="screen")
    data = rebuilt(layer, space=space_of_codec("sd15"))  # as --codec sd15 writes it
    (tmp_path / "a.ltp").write_bytes(data)
    assert run("share", "a.ltp", cwd=tmp_path).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a process alone")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_web_serves_until_it_is_stopped(file: Path, signum: signal.Signals) -> None:
    command = [sys.executable, "-m", "latentpress", "web", str(file), "--port", "0", "--no-open"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        line = server.stdout.readline()
        found = re.fullmatch(
            r"The page is at (http://127\.0\.0\.1:\d+/)\?open=(\S+) until Ctrl-C\.\n", line
        )
        assert found is not None, line
        with urllib.request.urlopen(found[1] + found[2].replace("%2F", "/")) as answer:
            assert answer.read() == file.read_bytes()
        server.send_signal(signum)
        assert (server.wait(20), server.stderr.read()) == (0, "")


def test_web_refuses_what_cannot_be(tmp_path: Path) -> None:
    assert "a port is a number from 0 to 65535" in fails(
        2, "web", "--port", 70000, "--no-open", cwd=tmp_path
    )
    assert "none.ltp: there is no such file" in fails(
        1, "web", "none.ltp", "--no-open", cwd=tmp_path
    )


def test_names_that_are_no_text(file: Path) -> None:
    odd = os.fsdecode(b"odd\xff.ltp")
    try:
        file.rename(file.with_name(odd))
    except OSError:
        pytest.skip("this file system takes only names that are text")
    done = run("share", odd, "-o", "page.html", cwd=file.parent)
    assert (done.returncode, done.stderr) == (0, "")
    page = (file.parent / "page.html").read_text(encoding="utf-8")
    assert "<title>odd\\xff.ltp</title>" in page
    server = Server(0, [file.with_name(odd)])
    try:
        assert "open=open%2F0%2Fodd%5Cxff.ltp" in server.url
    finally:
        server.server_close()


def test_a_browser_that_leaves_and_an_address_that_is_none_print_nothing(
    file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(bytes(50_000_000))
    server = Server(0, [file])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    host = f"Host: 127.0.0.1:{server.server_port}\r\n\r\n".encode()
    try:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", server.server_port)) as gone:
                gone.sendall(b"GET /open/0/photo.ltp HTTP/1.1\r\n" + host)
                gone.recv(1)
                # closed with a reset
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with socket.create_connection(("127.0.0.1", server.server_port)) as odd:
            odd.sendall(b"GET http://[ HTTP/1.1\r\n" + host)
            assert odd.recv(100).startswith(b"HTTP/1.1 400 ")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    time.sleep(0.3)  # the threads of the answers end
    assert capfd.readouterr().err == ""


def status(server: Server, head: str) -> int:
    """The status that the server gives a request of this header."""
    with socket.create_connection(("127.0.0.1", server.socket.getsockname()[1])) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\n{head}\r\n\r\n".encode())
        return int(connection.recv(100).split()[1])


def test_at_the_usual_port_of_http_its_number_may_be_left_out() -> None:
    with Server(0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            number = server.server_port
            assert status(server, f"Host: 127.0.0.1:{number}") == 200
            assert status(server, "Host: 127.0.0.1") == 403
            server.server_port = 80  # the tests may not be allowed to take it
            assert status(server, "Host: 127.0.0.1") == 200
            assert status(server, "Host: localhost") == 200
            assert status(server, "Host: localhost:80") == 200
            assert status(server, "Host: example.org") == 403
        finally:
            server.shutdown()
            thread.join()


def test_what_has_not_changed_has_no_length_of_its_own() -> None:
    """RFC 9110, 8.6: the length that a 304 names is that of the file."""
    with Server(0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
            connection.request("GET", "/icon.svg")
            first = connection.getresponse()
            assert len(first.read()) == int(first.headers["Content-Length"]) > 0
            tag = first.headers["ETag"]
            connection.request("GET", "/icon.svg", headers={"If-None-Match": tag})
            second = connection.getresponse()
            assert (second.status, second.read()) == (304, b"")
            assert second.headers["Content-Length"] in (None, first.headers["Content-Length"])
            connection.request("HEAD", "/icon.svg")  # the connection goes on
            assert connection.getresponse().status == 200
            connection.close()
        finally:
            server.shutdown()
            thread.join()
