"""The page's files, its bundle and its server, without a browser."""

import base64
import gzip
import hashlib
import http.client
import json
import re
import socket
import sys
from pathlib import Path

import pytest

from helpers.browser import serving
from helpers.paths import ROOT
from latentpress import models
from latentpress.errors import OutputError, UsageError
from latentpress.web import assets
from latentpress.web.bundle import bundle, module
from latentpress.web.server import HOST
from latentpress.web.single import single_page
from latentpress.web.static import SINGLE, build

OUTSIDE = re.compile(r"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:)?//""")


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(HOST, port)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_the_page_asks_no_other_host_for_anything() -> None:
    for path, data in assets.page_files().items():
        assert OUTSIDE.search(data.decode()) is None, path


def test_every_file_that_the_service_worker_keeps_is_there() -> None:
    site = assets.site()
    worker = site["sw.js"].decode()
    found = re.search(r"^const KEPT = (\[.*\]);$", worker, re.M)
    assert found is not None
    kept = set(json.loads(found[1])) - {"./"}
    assert kept <= site.keys()
    assert {"page/page.js", "src/index.js", "models/lp1/synthesis.onnx"} <= kept
    assert not {p for p in kept if "analysis" in p and p.startswith("models")}


def test_the_version_changes_with_any_file() -> None:
    worker = assets.page_files()["sw.js"].replace(b"self.clients", b"self.clients ")
    first = assets.with_list(assets.LIST_MARK, {"a": b"1", "b": b"2"}, ["a"])
    assert first != assets.with_list(assets.LIST_MARK, {"a": b"1", "b": b"3"}, ["a"])
    assert first == assets.with_list(assets.LIST_MARK, {"b": b"2", "a": b"1"}, ["a"])
    assert assets.LIST_MARK in worker


def test_the_manifest_registers_ltp_files() -> None:
    manifest = json.loads(assets.page_files()["manifest.webmanifest"])
    [handler] = manifest["file_handlers"]
    assert handler["accept"] == {"image/x-latentpress": [".ltp"]}
    assert {icon["src"] for icon in manifest["icons"]} <= assets.page_files().keys()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('import { a, b as c } from "./x.js";', 'const { a: a, b: c } = $load("src/x.js");'),
        ('import {\n  a,\n} from "../y.js";', 'const { a: a } = $load("y.js");'),
        ('import * as x from "./x.js";', 'const x = $load("src/x.js");'),
        ("export function f() {}", "Object.assign($exports, { f })"),
        ("export async function f() {}", "async function f() {}"),
        ("const a = 1;\nexport { a as b };", "Object.assign($exports, { b: a })"),
        ('export { a as b } from "./x.js";', 'Object.assign($exports, { b: $load("src/x.js").a })'),
        ('f(await import("./x.js"));', 'await Promise.resolve().then(() => $load("src/x.js"))'),
    ],
)
def test_the_bundle_knows_a_statement(text: str, expected: str) -> None:
    assert expected in module("src/m.js", text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "export let a = 1;",
        "export default f;",
        'import f from "./x.js";',
        'export * from "./x.js";',
    ],
)
def test_the_bundle_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(ValueError, match="does not know"):
        module("src/m.js", text)


def test_the_bundle_refuses_a_circle() -> None:
    files = {"a.js": b'import "./b.js";', "b.js": b'import "./a.js";'}
    with pytest.raises(ValueError, match="imports itself"):
        bundle(files, "a.js", {})


def test_one_file_holds_everything_that_it_needs() -> None:
    page = single_page(encoder=False, pictures=[('</script>"ü.ltp', b"LTP\1")], title="<b>")
    assert OUTSIDE.search(re.sub(r'<script type="text/plain".*?</script>', "", page)) is None
    assert "<title>&lt;b&gt;</title>" in page
    blocks = dict(
        re.findall(r'<script type="text/plain" data-file="([^"]+)">([^<]*)</script>', page)
    )
    assert blocks.keys() == {"model.json", *assets.DECODER}
    synthesis = gzip.decompress(base64.b64decode(blocks["synthesis.onnx"]))
    assert synthesis == models.read_file("lp1", "synthesis.onnx")
    [script] = re.findall(r'<script id="code">(.*?)</script>', page, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_the_build_is_a_folder_and_one_file(tmp_path: Path) -> None:
    sizes = build(tmp_path / "dist")
    assert {
        p.relative_to(tmp_path / "dist").as_posix()
        for p in (tmp_path / "dist").rglob("*")
        if p.is_file()
    } == sizes.keys()
    assert "data-packed" in (tmp_path / "dist" / "index.html").read_text(encoding="utf-8")
    packed = (tmp_path / "dist" / "models" / "lp1" / "features.onnx.gz").read_bytes()
    assert gzip.decompress(packed) == models.read_file("lp1", "features.onnx")
    single = sizes.pop(SINGLE)
    opening = sum(
        n for path, n in sizes.items() if not any(name in path for name in assets.ENCODER)
    )
    assert opening < 8_000_000  # what is loaded before the first picture opens
    assert single < 20_000_000


def test_a_build_replaces_an_earlier_page_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    build(folder)
    (folder / "src" / "gone.js").touch()
    build(folder)
    assert not (folder / "src" / "gone.js").exists()
    (tmp_path / "thesis.txt").touch()
    for taken in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(OutputError, match="earlier page"):
            build(taken)
    assert (tmp_path / "thesis.txt").exists()


def test_the_server_gives_out_the_page_under_a_policy() -> None:
    with serving() as server:
        status, headers, body = get(server.server_port, "/")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert b"<h1>latentpress</h1>" in body
        policy = dict(
            rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["connect-src"] == "'self'"
        status, headers, model = get(server.server_port, "/models/lp1/synthesis.onnx")
        digest = hashlib.sha256(model).hexdigest()
        assert (status, digest) == (200, models.manifest("lp1")["sha256"]["synthesis.onnx"])
        status, _, body = get(
            server.server_port, "/models/lp1/synthesis.onnx", **{"If-None-Match": headers["ETag"]}
        )
        assert (status, body) == (304, b"")


OTHERS = (
    "/../pyproject.toml",
    "/%2e%2e/pyproject.toml",
    "/page",
    "/open/0/a.ltp",
    "/src/node_models.js",
    "//etc/passwd",
)


@pytest.mark.parametrize("path", OTHERS)
def test_the_server_gives_out_nothing_else(path: str) -> None:
    with serving() as server:
        assert get(server.server_port, path)[0] == 404


def test_another_host_name_is_refused() -> None:
    """A site whose name was made to lead to 127.0.0.1 must not read what is open."""
    with serving() as server:
        assert get(server.server_port, "/", Host=f"evil.example:{server.server_port}")[0] == 403
        assert get(server.server_port, "/", Host=f"localhost:{server.server_port}")[0] == 200


def test_the_server_listens_on_this_computer_alone_and_says_when_a_port_is_taken() -> None:
    with serving() as server:
        assert server.server_address[0] == "127.0.0.1"
        with pytest.raises(UsageError, match=f"port {server.server_port} cannot be used.*--port"):
            server.__class__(server.server_port)


@pytest.mark.parametrize(("platform", "shares"), [("win32", False), ("linux", True)])
def test_a_port_that_windows_would_share_is_taken(
    monkeypatch: pytest.MonkeyPatch, platform: str, shares: bool
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    with serving() as server:
        assert bool(server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)) == shares


def test_the_files_that_were_named_are_given_out(tmp_path: Path) -> None:
    (tmp_path / "ein Bild ü&.ltp").write_bytes(b"LTP")
    with serving(opened=[tmp_path / "ein Bild ü&.ltp"]) as server:
        path = re.search(r"\?open=([^&]+)$", server.url)
        assert path is not None
        assert get(server.server_port, "/" + path[1].replace("%2F", "/"))[::2] == (200, b"LTP")


def test_a_box_of_a_picture_brings_as_much_as_the_model_sees() -> None:
    source = (ROOT / "web/src/synthesis.js").read_text(encoding="utf-8")
    [halo] = re.findall(r"^export const HALO = (\d+);", source, re.MULTILINE)
    assert int(halo) == models.manifest("lp1")["halo"]
