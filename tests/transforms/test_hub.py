"""Weights of the Stable Diffusion family: found, fetched, verified, or refused in one sentence."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from helpers.paths import WEIGHTS
from latentpress.cli.models import listing, models_app
from latentpress.errors import LatentpressError, UsageError, WeightsError
from latentpress.spaces import space_of_codec
from latentpress.transforms import hub

SD15, SDXL = space_of_codec("sd15"), space_of_codec("sdxl")


def safetensors_bytes(payload: bytes = b"\0\0\x80\x3f") -> bytes:
    header = json.dumps(
        {"a": {"dtype": "F32", "shape": [len(payload) // 4], "data_offsets": [0, len(payload)]}}
    ).encode()
    return len(header).to_bytes(8, "little") + header + payload


def put_model(folder: Path, payload: bytes = b"\0\0\x80\x3f") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hub.CONFIG).write_text('{"_class_name": "AutoencoderKL"}')
    (folder / hub.FILE).write_bytes(safetensors_bytes(payload))
    return folder / hub.FILE


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty hub cache and no network; the function puts a model into it, laid out as the hub's
    library does.
    """
    pytest.importorskip("huggingface_hub", reason="needs the extra sd")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def put(
        name: str, subfolder: str = "", content: bytes | None = None, blob: str | None = None
    ) -> None:
        repository = tmp_path / "hub" / ("models--" + name.replace("/", "--"))
        snapshot, blobs, revision = (
            repository / "snapshots" / ("0" * 40),
            repository / "blobs",
            repository / "refs" / "main",
        )
        for folder in (snapshot / subfolder, blobs, revision.parent):
            folder.mkdir(parents=True)
        revision.write_text("0" * 40)
        (snapshot / subfolder / hub.CONFIG).write_text('{"_class_name": "AutoencoderKL"}')
        content = content or safetensors_bytes()
        stored = blobs / (blob or hashlib.sha256(content).hexdigest())
        stored.write_bytes(content)
        (snapshot / subfolder / hub.FILE).symlink_to(stored)

    return put


def test_the_table_of_models_is_sound() -> None:
    names = [m.name for m in hub.MODELS]
    hashes = [h for m in hub.MODELS for h in (m.hub_sha256, *m.also_good) if h]
    assert len(set(names)) == len(names)
    assert len(set(hashes)) == len(hashes)
    assert all(re.fullmatch("[0-9a-f]{64}", h) for h in hashes)
    assert {m.space for m in hub.MODELS} == {"sd15", "sdxl", "sd3", "flux1"}
    for codec in ("sd15", "sdxl", "sd3", "flux1"):
        default = hub.find_known(space_of_codec(codec).default_model)
        assert default is not None
        assert default.space == codec


@pytest.mark.parametrize("subfolder", ["", "vae"])
def test_a_folder_in_diffusers_layout(tmp_path: Path, subfolder: Any) -> None:
    file = put_model(tmp_path / subfolder)
    found = hub.resolve(str(tmp_path), SD15)
    assert (found.file, found.config, found.hub) == (file, file.with_name(hub.CONFIG), False)
    assert hub.verify(found, SD15) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_single_file_has_no_config_unless_one_for_an_autoencoder_stands_beside(
    tmp_path: Path,
) -> None:
    file = put_model(tmp_path)
    assert hub.resolve(str(file)).config == tmp_path / hub.CONFIG
    (tmp_path / hub.CONFIG).write_text('{"_class_name": "UNet2DConditionModel"}')
    assert hub.resolve(str(file)).config is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        safetensors_bytes()[:-1],
        safetensors_bytes() + b"\0",
        safetensors_bytes()[:20],
        b"\xff" * 64,
        b"\x80\x02}q\x00." * 20,
        (2).to_bytes(8, "little") + b"[]",
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: Any) -> None:
    put_model(tmp_path).write_bytes(content)
    with pytest.raises(WeightsError, match="safetensors"):
        hub.verify(hub.resolve(str(tmp_path)))


@pytest.mark.parametrize("name", ["model.pth", "model.ckpt", "diffusion_pytorch_model.bin"])
def test_a_pickle_is_refused(tmp_path: Path, name: Any) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02}q\x00.")
    for model in (tmp_path, tmp_path / name):
        with pytest.raises(WeightsError, match="pickle"):
            hub.resolve(str(model), SD15)


@pytest.mark.parametrize(
    "model", ["absent.safetensors", "absent", "no/such/folder", "./absent", "../x.pth"]
)
def test_a_name_that_is_nothing_is_refused(model: Any) -> None:
    with pytest.raises(WeightsError, match=r"no folder, no \.safetensors file and no hub id"):
        hub.resolve(model, SD15)


@pytest.mark.parametrize("model", [os.devnull, "a" * 5000, "~nobody-of-this-name/vae"])
def test_a_name_that_the_system_refuses_is_named(model: str) -> None:
    for find in (hub.resolve, lambda name: run_models("verify", name)):
        with pytest.raises(WeightsError, match=f"^{re.escape(model)} "):
            find(model)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="diffusers layout"):
        hub.resolve(str(tmp_path), SD15)


def test_a_model_of_another_space_is_refused_by_name() -> None:
    with pytest.raises(
        WeightsError, match="madebyollin/taesd is a model of the space sd15, not of sdxl"
    ):
        hub.resolve("madebyollin/taesd", SDXL)


def test_missing_weights_say_what_is_missing_and_what_to_do(hub_cache: Any) -> None:
    with pytest.raises(WeightsError) as caught:
        hub.resolve(None, SDXL)
    for part in (
        "stabilityai/sdxl-vae",
        "HF_HUB_OFFLINE",
        "latentpress models fetch stabilityai/sdxl-vae",
        "--model FOLDER",
        "builtin",
    ):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_cache_is_used_before_the_network(hub_cache: Any) -> None:
    hub_cache("someone/vae-of-mine", "vae")
    found = hub.resolve("someone/vae-of-mine", SD15)
    assert found.hub
    assert found.name == "someone/vae-of-mine"
    hub.verify(found, SD15)


def test_a_cached_file_other_than_its_blob_is_refused(hub_cache: Any) -> None:
    hub_cache("someone/vae-of-mine", "", blob="1" * 64)
    with pytest.raises(WeightsError, match="not what someone/vae-of-mine published"):
        hub.verify(hub.resolve("someone/vae-of-mine", SD15))


def test_a_known_model_must_be_the_published_file(hub_cache: Any) -> None:
    hub_cache("stabilityai/sdxl-vae")
    with pytest.raises(WeightsError, match="not what stabilityai/sdxl-vae published"):
        hub.verify(hub.resolve(None, SDXL), SDXL)


@pytest.fixture
def hub_server(hub_cache: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A hub on this machine. It has the files of the dictionary, by OWNER/NAME/PATH."""
    import huggingface_hub
    from huggingface_hub import constants

    files = dict[str, bytes]()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            owner, name, _, _, path = self.path.strip("/").split("/", 4)
            content = files.get(f"{owner}/{name}/{path}")
            here = any(key.startswith(f"{owner}/{name}/") for key in files)
            self.send_response(404 if content is None else 200)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound" if here else "RepoNotFound")
            content = content or b""
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def do_GET(self) -> None:
            self.do_HEAD()

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        download = partial(huggingface_hub.hf_hub_download, endpoint=address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(hub, "_no_network", lambda library: None)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
        yield files
        server.shutdown()


@pytest.mark.parametrize("folder", ["", "vae/"])
def test_weights_are_fetched_from_either_place_of_a_repository(
    hub_server: Any, folder: str
) -> None:
    hub_server[f"someone/mine/{folder}{hub.CONFIG}"] = b'{"_class_name": "AutoencoderKL"}'
    hub_server[f"someone/mine/{folder}{hub.FILE}"] = safetensors_bytes()
    found = hub.resolve("someone/mine", SD15)
    assert found.file.read_bytes() == safetensors_bytes()
    assert found == hub.cached("someone/mine")


def test_what_the_hub_does_not_have_is_told(hub_server: Any) -> None:
    hub_server["someone/words/config.json"] = b"{}"
    with pytest.raises(WeightsError, match=f"it holds no {hub.CONFIG} with {hub.FILE}"):
        hub.resolve("someone/words", SD15)
    with pytest.raises(WeightsError, match="no model of this name, or it is private"):
        hub.resolve("someone/nothing", SD15)


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # makes its import fail
    with pytest.raises(WeightsError, match=re.escape("pip install 'latentpress[sd]'")):
        hub.resolve(None, SD15)
    assert {row["status"] for row in listing()} == {"shipped", "extra not installed"}


@pytest.mark.skipif(
    not WEIGHTS.is_dir(), reason="the tiny autoencoders are not beside this checkout"
)
@pytest.mark.parametrize(
    ("folder", "space"),
    [("taesd", "sd15"), ("taesdxl", "sdxl"), ("taesd3", "sd3"), ("taef1", "flux1")],
)
def test_the_tiny_autoencoders_are_known_by_their_hash(folder: Any, space: Any) -> None:
    found = hub.resolve(str(WEIGHTS / folder))
    known = hub.known_by_hash(hub.verify(found, space_of_codec(space)))
    assert known is not None
    assert known.name == f"madebyollin/{folder}"
    other = SDXL if space != "sdxl" else SD15
    with pytest.raises(WeightsError, match=f"a model of the space {space}, not of {other.name}"):
        hub.verify(found, other)


def test_the_module_loads_no_large_library() -> None:
    code = (
        "import sys, latentpress.transforms.stable_diffusion, latentpress.cli.models as m; "
        "print(*sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert not {
        "torch",
        "diffusers",
        "safetensors",
        "huggingface_hub",
        "onnxruntime",
        "rich.table",
    } & set(run.stdout.split())


def run_models(*arguments: str) -> str:
    app = typer.Typer()
    app.add_typer(models_app, name="models")
    app.command()(lambda: None)
    result = CliRunner().invoke(app, ["models", *arguments])
    if isinstance(result.exception, LatentpressError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_models_lists_every_model_and_what_is_cached(hub_cache: Any) -> None:
    hub_cache("madebyollin/taesd")
    rows = {row["name"]: row for row in json.loads(run_models("--json"))}
    assert rows["builtin"]["status"] == "shipped"
    assert {name for name, row in rows.items() if row["status"] == "cached"} == {
        "madebyollin/taesd"
    }
    assert Path(rows["madebyollin/taesd"]["path"]).is_file()
    text = run_models()
    assert all(m.name in text for m in hub.MODELS)


def test_models_fetch_and_verify(hub_cache: Any, tmp_path: Path) -> None:
    hub_cache("someone/vae-of-mine", "vae")
    assert run_models("fetch", "someone/vae-of-mine").strip().endswith(hub.FILE)
    assert "ok" in run_models("verify", "someone/vae-of-mine")
    file = put_model(tmp_path / "local")
    [result] = json.loads(run_models("verify", str(tmp_path / "local"), "--json"))
    assert result == {"file": str(file), "sha256": hub.sha256_of(file), "known": None}
    with pytest.raises(WeightsError, match="models fetch"):
        run_models("verify", "madebyollin/taesd")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        run_models("fetch", "taesd")
    for name in ("builtin", "./local"):
        with pytest.raises(UsageError):
            run_models("fetch", name)
