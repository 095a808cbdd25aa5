"""The files of the page, by the path under which a server gives them out."""

import gzip
import hashlib
from functools import cache
from pathlib import Path

from latentpress import models
from latentpress.errors import WeightsError

PACKAGE = Path(__file__).parents[1]
INSTALLED = PACKAGE / "web_assets"
CHECKOUT = PACKAGE.parents[1] / "web"
FOLDERS = ("src", "page", "element")
SUFFIXES = (".js", ".css", ".html", ".svg", ".webmanifest")
NODE = "node"  # begins the names of modules that no browser loads
# these stand beside the folders: a service worker serves what lies below itself
AT_THE_ROOT = ("index.html", "sw.js", "manifest.webmanifest", "icon.svg")
MODELS = "models/lp1/"
DECODER = (
    "engine.wasm",
    "features.onnx",
    "context.onnx",
    "synthesis.onnx",
    "levels.npz",
    "tables.npz",
)
ENCODER = ("analysis.onnx", "hyper_analysis.onnx")
PLAIN = b'<meta name="models" content="models/lp1/">'
PACKED = PLAIN.replace(b">", b" data-packed>")
NOT_KEPT = ("sw.js", "index.html")  # the latter is "./"
LIST_MARK = b"/* the build writes the list of files here */"


def folder() -> Path:
    """Where the page lies; WeightsError where the installation lacks it."""
    for place in (INSTALLED, CHECKOUT):
        if (place / "page" / "index.html").is_file():
            return place
    raise WeightsError("the page of this installation is missing: reinstall latentpress")


@cache
def page_files() -> dict[str, bytes]:
    """The page without its models: path -> bytes. The service worker holds the list of them."""
    place = folder()
    found: dict[str, bytes] = {}
    for name in FOLDERS:
        for file in sorted((place / name).rglob("*")):
            if file.suffix in SUFFIXES and not file.name.startswith(NODE):
                found[file.relative_to(place).as_posix()] = file.read_bytes()
    for name in AT_THE_ROOT:
        found[name] = found.pop(f"page/{name}")
    return found


def model_file(name: str) -> bytes:
    """A file that the decoder or the encoder reads, or model.json; the model's own are verified."""
    if name == "engine.wasm":
        return (folder() / "src" / name).read_bytes()
    if name == "tables.npz":
        return (PACKAGE / "entropy" / name).read_bytes()
    if name == "model.json":
        return (models.FOLDER / "lp1" / name).read_bytes()
    return models.read_file("lp1", name)


@cache
def packed_model_file(name: str) -> bytes:
    """A file of model_file as gzip."""
    return gzip.compress(model_file(name), 9, mtime=0)


def model_names() -> tuple[str, ...]:
    """The files that lie below MODELS."""
    return ("model.json", *DECODER, *ENCODER)


def with_list(worker: bytes, files: dict[str, bytes], kept: list[str]) -> bytes:
    """The service worker with the list of what it keeps, and with a version that changes with it.

    worker: the text of sw.js.
    files: what the version is made of.
    kept: the paths that are loaded when the page is first opened.
    """
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path} {hashlib.sha256(files[path]).hexdigest()}\n".encode())
    names = ", ".join(f'"{path}"' for path in sorted(kept))
    told = f'const VERSION = "{digest.hexdigest()[:16]}";\nconst KEPT = [{names}];'
    return worker.replace(LIST_MARK, told.encode())


def site(*, packed: bool = False) -> dict[str, bytes]:
    """Everything that a server gives out: path -> bytes.

    packed: whether the files of the model are gzip under names that end in .gz, since few hosts
        compress them on their way.
    """
    found = dict(page_files())
    for name in model_names():
        if packed and name != "model.json":
            found[f"{MODELS}{name}.gz"] = packed_model_file(name)
        else:
            found[MODELS + name] = model_file(name)
    if packed:
        found["index.html"] = found["index.html"].replace(PLAIN, PACKED)
    encoder = tuple(MODELS + name for name in ENCODER)
    kept = ["./", *(p for p in found if not p.startswith(encoder) and p not in NOT_KEPT)]
    found["sw.js"] = with_list(found["sw.js"], found, kept)
    return found
