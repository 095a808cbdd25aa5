"""The npm package: packed, installed from its file into an empty folder, and used there."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latentpress
from golden.test_golden import FOLDER as GOLDEN
from helpers.node import NODE, WEB, needs_node
from helpers.paths import ROOT

NPM = shutil.which("npm")
TSC = WEB / "node_modules" / ".bin" / "tsc"
PACKED = ("src", "element", "page", "tools")
USE = """
import { readFileSync, writeFileSync } from "node:fs";
import { decode, encode, readHeader } from "latentpress";
import { nodeWorkers } from "latentpress/node";

const bytes = readFileSync(process.argv[2]);
const { width, height, channels, pixels } = await decode(bytes);
const shared = await decode(bytes, { workers: nodeWorkers(2) });
const same = Buffer.compare(Buffer.from(pixels), Buffer.from(shared.pixels)) === 0;
writeFileSync("pixels", pixels);
writeFileSync("again.ltp", await encode({ width, height, data: pixels }, { quality: 60 }));
const { quality } = readHeader(readFileSync("again.ltp"));
console.log(JSON.stringify({ width, height, channels, same, quality }));
process.exit(0);
"""
TYPED = """
import { decode, encode, LtpError, readHeader, type Decoded, type Header } from "latentpress";
import { nodeWorkers } from "latentpress/node";

const bytes = new Uint8Array(4);
const header: Header = readHeader(bytes);
const found: Decoded = await decode(bytes, { workers: nodeWorkers(2) });
const again: Uint8Array = await encode(await found.bitmap(), { quality: header.quality });
const { width, height, pixels: data, metadata } = found;
await encode({ width, height, data, metadata }, { maxBytes: 2000 }).catch((error) => {
  if (error instanceof LtpError && error.least !== undefined) console.log(error.least + 1);
});
await encode(document.createElement("canvas"), { content: "photo" });
await encode(document.images[0]);
await encode(new OffscreenCanvas(2, 2));
// @ts-expect-error
await encode(again, { quality: "high" });
"""


def npm(folder: Path, *arguments: str) -> str:
    assert NPM is not None
    command = [NPM, *arguments, "--offline", "--no-audit", "--no-fund", "--no-update-notifier"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder into which the package was installed."""
    if NPM is None:
        pytest.skip("npm is not installed (Debian: apt-get install npm)")
    folder: Path = tmp_path_factory.mktemp("npm")
    web = folder / "checkout" / "web"
    web.mkdir(parents=True)
    for name in PACKED:
        shutil.copytree(WEB / name, web / name)
    for name in ("package.json", "README.md"):
        shutil.copy(WEB / name, web)
    shutil.copy(ROOT / "LICENSE", web.parent)
    (web.parent / "src").symlink_to(ROOT / "src")
    npm(web, "pack", "--pack-destination", str(folder))
    assert not (web / "models").exists()  # what packing puts there, it takes away
    [file] = folder.glob("latentpress-*.tgz")
    used = folder / "used"
    used.mkdir()
    (used / "package.json").write_text('{"type": "module"}')
    npm(used, "install", str(file))
    return used


@needs_node
def test_it_decodes_and_encodes(installed: Path) -> None:
    assert NODE is not None
    (installed / "use.js").write_text(USE)
    command = [NODE, "use.js", str(GOLDEN / "alpha.ltp")]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    expected = np.asarray(latentpress.decompress(GOLDEN / "alpha.ltp"))
    told: dict[str, Any] = json.loads(done.stdout)
    height, width, channels = expected.shape
    size = {"width": width, "height": height, "channels": channels}
    assert told == size | {"same": True, "quality": 60}
    pixels = np.fromfile(installed / "pixels", np.uint8).reshape(height, width, 4)
    assert np.abs(pixels.astype(int) - expected).max() <= 1
    again = latentpress.decompress(installed / "again.ltp")
    assert again.size == (width, height)
    assert np.array_equal(np.asarray(again)[..., 3], expected[..., 3])


@needs_node
def test_it_holds_what_its_description_names(installed: Path) -> None:
    package = installed / "node_modules" / "latentpress"
    told = json.loads((package / "package.json").read_text(encoding="utf-8"))
    named = [told["types"]]
    for entry in told["exports"].values():
        named += [entry] if isinstance(entry, str) else entry.values()
    assert [path for path in named if "*" not in path and not (package / path).is_file()] == []
    assert (package / "models" / "lp1" / "model.json").is_file()
    assert (package / "LICENSE").is_file()
    assert not (package / "tests").exists()


def test_bundlers_find_whatever_a_module_names_beside_itself() -> None:
    named = re.compile(r"new URL\((.+?), import\.meta\.url\)")
    modules = [m for folder in ("src", "element") for m in sorted((WEB / folder).glob("*.js"))]
    found = {
        (module, address)
        for module in modules
        if not module.name.startswith("node")  # which browsers never load
        for address in named.findall(module.read_text(encoding="utf-8"))
    }
    assert len(found) >= 3
    for module, address in found - {(m, '"../models/lp1/"') for m in modules}:
        path = re.fullmatch(r'"(\./[\w./]+)"', address)
        assert path, f"{module.name}: {address} is no plain name"
        assert (module.parent / path[1]).is_file()


@needs_node
def test_its_types_say_how_it_is_used(installed: Path) -> None:
    if not TSC.exists():
        pytest.skip("TypeScript is not installed: `npm install` in web/")
    (installed / "use.ts").write_text(TYPED)
    types = ["--typeRoots", str(WEB / "node_modules" / "@types"), "--types", "node"]
    options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", *types]
    done = subprocess.run(
        [TSC, *options, "use.ts"], cwd=installed, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout


def test_the_types_of_the_sources_agree() -> None:
    if not TSC.exists():
        pytest.skip("TypeScript is not installed: `npm install` in web/")
    done = subprocess.run([TSC, "-p", WEB], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
