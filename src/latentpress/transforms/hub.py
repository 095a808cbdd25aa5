"""Stage 2 of 5: the weights of the Stable Diffusion family: find, fetch, verify.

A model is named by a folder in diffusers layout, by one .safetensors file, or by its id on the
Hugging Face hub. Weights are read from safetensors only: a pickle can run code. This module needs
neither torch nor diffusers.
"""

import json
import re
import socket
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from latentpress.errors import WeightsError, first_line
from latentpress.spaces import Space
from latentpress.system.cache import sha256_of_file

CONFIG = "config.json"
FILE = "diffusion_pytorch_model.safetensors"
FP16_FILE = "diffusion_pytorch_model.fp16.safetensors"
PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")
MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors specification
EXTRA = (
    "the Stable Diffusion family needs an extra that is not installed: pip install "
    "'latentpress[sd]'"
)
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class KnownModel:
    """A published model. name: its hub id. space: name of its latent space. kind: "KL"
    (AutoencoderKL) or "tiny" (AutoencoderTiny).

    subfolder: where config.json and FILE stand in the repository. hub_sha256: of FILE at the hub,
    None where not known. also_good: SHA-256 of the same weights in other files (another precision,
    a single checkpoint).
    """

    name: str
    space: str
    kind: str
    subfolder: str = ""
    hub_sha256: str | None = None
    also_good: frozenset[str] = frozenset()


MODELS = (
    KnownModel(
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "sd15",
        "KL",
        "vae",
        "a2b5134f4dbc140d9c11f11cba3233099e00af40f262f136c691fb7d38d2194c",
        # v1-5-pruned-emaonly.safetensors
        frozenset({"6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"}),
    ),
    KnownModel(
        "stabilityai/sd-vae-ft-mse",
        "sd15",
        "KL",
        "",
        "a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815",
        # vae-ft-mse-840000-ema-pruned.safetensors
        frozenset({"735e4c3a447a3255760d7f86845f09f937809baa529c17370d83e4c3758f3c75"}),
    ),
    KnownModel("stabilityai/sd-vae-ft-ema", "sd15", "KL"),
    KnownModel(
        "madebyollin/taesd",
        "sd15",
        "tiny",
        "",
        "db169d69145ec4ff064e49d99c95fa05d3eb04ee453de35824a6d0f325513549",
        frozenset({"f4cfc126eaf83b3f93136ea92ff5f6b044d3724a2282c472b0d2b08fdc089b88"}),  # float16
    ),
    KnownModel(
        "stabilityai/sdxl-vae",
        "sdxl",
        "KL",
        "",
        "1598f3d24932bcfe6634e8b618ea1e30ab1d57f5aad13a6d2de446d2199f2341",
    ),
    KnownModel(
        "madebyollin/sdxl-vae-fp16-fix",
        "sdxl",
        "KL",
        "",
        "1b909373b28f2137098b0fd9dbc6f97f8410854f31f84ddc9fa04b077b0ace2c",
    ),
    KnownModel(
        "madebyollin/taesdxl",
        "sdxl",
        "tiny",
        # float16
        also_good=frozenset({"0174ecb79b791b36a8956ca4d9dce85ba3c2afee4f708f48931f33f69b84a89c"}),
    ),
    KnownModel("stabilityai/stable-diffusion-3-medium-diffusers", "sd3", "KL", "vae"),
    KnownModel(
        "madebyollin/taesd3",
        "sd3",
        "tiny",
        # float16
        also_good=frozenset({"50bba7fca04cd1c3d88d79eac8937e2705d677a6e9731005060e5af2d578a9bb"}),
    ),
    KnownModel(
        "black-forest-labs/FLUX.1-schnell",
        "flux1",
        "KL",
        "vae",
        "f5b59a26851551b67ae1fe58d32e76486e1e812def4696a4bea97f16604d40a3",
        # ae.safetensors
        frozenset({"afc8e28272cd15db3919bacdb6918ce9c1ed22e96cb12c4d5ed0fba823529e38"}),
    ),
    KnownModel(
        "madebyollin/taef1",
        "flux1",
        "tiny",
        # float16
        also_good=frozenset({"e6bd6c86bf5ca353caa3cb07a29097eb9b70fb16b97b372bd3dc67d08b40195a"}),
    ),
)


@dataclass(frozen=True)
class Weights:
    """Weights that were found. name: as the user knows them. file: the .safetensors file. config:
    its config.json, None for a bare checkpoint. hub: whether they came through the hub's cache
    (then the file must be the published one).
    """

    name: str
    file: Path
    config: Path | None
    hub: bool


def find_known(name: str) -> KnownModel | None:
    """The model of a hub id or of its last part ("taesd"); None where unknown."""
    return next((m for m in MODELS if name in (m.name, m.name.rpartition("/")[2])), None)


def known_by_hash(sha256: str) -> KnownModel | None:
    """The model whose weights have this SHA-256 (64 hex digits); None where unknown."""
    return next((m for m in MODELS if sha256 == m.hub_sha256 or sha256 in m.also_good), None)


def known_by_prefix(model_hash: str, space: Space) -> KnownModel | None:
    """The model of a space whose weights have a SHA-256 that begins so, as the header of a file
    says it (8 hex digits); None where unknown.
    """
    for model in MODELS:
        hashes = {model.hub_sha256 or "", *model.also_good}
        if model.space == space.name and any(h.startswith(model_hash) for h in hashes):
            return model
    return None


def is_hub_name(name: str) -> bool:
    """Whether a name is a known model, or has the form of a hub id."""
    return find_known(name) is not None or _HUB_ID.fullmatch(name) is not None


def is_here(model: str) -> bool:
    """Whether a name is that of a file or folder on this machine."""
    try:
        return Path(model).expanduser().exists()
    except (OSError, RuntimeError):  # too long for a name; ~ of a user who is not here
        return False


def resolve(model: str | None, space: Space | None = None) -> Weights:
    """The weights that `--model` means: a folder, a .safetensors file, a hub id, or None for the
    space's default model.

    WeightsError where they are missing, a pickle, of another space, or cannot be fetched.
    """
    if not model:
        if space is None or not space.default_model:
            raise WeightsError(
                "no model was named, and there is no default one to load from the hub"
            )
        model = space.default_model
    if is_here(model):
        try:
            return _from_disk(model, Path(model).expanduser())
        except OSError as error:
            raise WeightsError(f"{model} cannot be read: {error.strerror}") from error
    suffix = Path(model).suffix
    if suffix in PICKLES or suffix == ".safetensors" or not is_hub_name(model):
        raise WeightsError(
            f"{model} is no folder, no .safetensors file and no hub id of the form OWNER/NAME"
        )
    known = find_known(model)
    if known and space and known.space != space.name:
        raise WeightsError(
            f"{known.name} is a model of the space {known.space}, not of {space.name}"
        )
    return cached(model) or fetch(model)


def _from_disk(name: str, path: Path) -> Weights:
    if path.is_file():
        if path.suffix in PICKLES:
            raise WeightsError(
                f"{path} is a pickle, which can run code when it is read: give a .safetensors "
                "file instead"
            )
        beside = path.with_name(CONFIG)
        return Weights(name, path, beside if _is_autoencoder(beside) else None, hub=False)
    folder = next((f for f in (path / "vae", path) if (f / CONFIG).is_file()), path)
    for file in (folder / FILE, folder / FP16_FILE):
        if file.is_file() and (folder / CONFIG).is_file():
            return Weights(name, file, folder / CONFIG, hub=False)
    if any(f.suffix in PICKLES for f in folder.iterdir()):
        raise WeightsError(
            f"{folder} holds its weights only as a pickle, which can run code when it is read: "
            f"{FILE} is needed"
        )
    raise WeightsError(
        f"{path} is no folder in diffusers layout: it needs {CONFIG} and {FILE}, inside it or in "
        "its subfolder vae"
    )


def _is_autoencoder(config: Path) -> bool:
    try:
        return str(json.loads(config.read_bytes())["_class_name"]).startswith("Autoencoder")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def hub_library() -> Any:
    """The module huggingface_hub; WeightsError where the extra is not installed."""
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.utils
    except ImportError as error:
        raise WeightsError(EXTRA) from error
    return huggingface_hub


def _places(name: str) -> tuple[str, ...]:
    known = find_known(name)
    return (f"{known.subfolder}/" if known.subfolder else "",) if known else ("vae/", "")


def cached(name: str) -> Weights | None:
    """The weights of a hub id in the local cache; None where they are not there. Never uses the
    network.
    """
    hub = hub_library()
    known = find_known(name)
    repository = known.name if known else name
    for place in _places(name):
        try:
            config, file = (
                Path(hub.hf_hub_download(repository, place + f, local_files_only=True))
                for f in (CONFIG, FILE)
            )
        except (OSError, ValueError):
            continue
        return Weights(repository, file, config, hub=True)
    return None


def fetch(name: str) -> Weights:
    """Download the weights of a hub id into the hub's cache (or find them there); WeightsError
    where that fails.
    """
    hub = hub_library()
    known = find_known(name)
    repository = known.name if known else name
    reason = _no_network(hub)
    for place in _places(name) if reason is None else ():
        try:
            config, file = (
                Path(hub.hf_hub_download(repository, place + f)) for f in (CONFIG, FILE)
            )
        except (
            Exception
        ) as error:  # those of httpx, requests and huggingface_hub share no base class
            reason = first_line(error).rstrip(".")
            if isinstance(error, hub.utils.RepositoryNotFoundError):
                reason = "the hub has no model of this name, or it is private"
            if isinstance(error, hub.utils.GatedRepoError):
                reason = (
                    f"accept its license at huggingface.co/{repository} and run `hf auth "
                    "login` first"
                )
            if isinstance(error, hub.utils.LocalEntryNotFoundError) or not isinstance(
                error, hub.utils.EntryNotFoundError
            ):
                break
            reason = f"it holds no {CONFIG} with {FILE}"
            continue  # it may stand at another place of the repository
        return Weights(repository, file, config, hub=True)
    raise WeightsError(
        f"the weights of {repository} are not on this machine and could not be fetched "
        f"({reason}): with a network, run "
        f"`latentpress models fetch {repository}`, or put its {CONFIG} and {FILE} in a folder and "
        "name it with "
        "`--model FOLDER`; the built-in codec (`--codec builtin`) needs none of this"
    )


def _no_network(hub: Any) -> str | None:
    """Why the hub cannot be reached, None where it is worth trying: spares a machine without
    network half a minute of retries.
    """
    if hub.constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    host = urlsplit(hub.constants.ENDPOINT).hostname
    try:
        if not urllib.request.getproxies():
            socket.getaddrinfo(host, 443)
    except OSError:
        return f"no network: {host} is not found"
    return None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits; WeightsError where it cannot be read."""
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error


def check_safetensors(path: Path) -> None:
    """WeightsError unless header and length are those of a safetensors file
    (https://github.com/huggingface/safetensors#format).
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            n = int.from_bytes(stream.read(8), "little")
            if not 2 <= n <= min(MAX_HEADER, size - 8):
                raise ValueError(n)
            header = json.loads(stream.read(n))
        end = max(
            int(tensor["data_offsets"][1])
            for key, tensor in header.items()
            if key != "__metadata__"
        )
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"{path} is no valid safetensors file: its header cannot be read"
        ) from error
    if size != 8 + n + end:
        raise WeightsError(
            f"{path} is damaged: it holds {size} bytes, but its header describes {8 + n + end}"
        )


def verify(weights: Weights, space: Space | None = None) -> str:
    """The SHA-256 (64 hex digits) of weights that are valid and, where it is known what they must
    be, are that.

    WeightsError for a damaged file, for a file from the hub that is not the published one, and for
    weights of another space.
    """
    check_safetensors(weights.file)
    sha256 = sha256_of(weights.file)
    if weights.hub:
        # the cache names a large file by its SHA-256
        known = find_known(weights.name)
        blob = weights.file.resolve().name
        wrong = _SHA256.fullmatch(blob) and blob != sha256
        if known and known.hub_sha256:
            wrong = wrong or sha256 not in {known.hub_sha256, *known.also_good}
        if wrong:
            raise WeightsError(
                f"{weights.file} is not what {weights.name} published (SHA-256 {sha256}): delete "
                "it and fetch it again"
            )
    owner = known_by_hash(sha256)
    if owner and space and owner.space != space.name:
        raise WeightsError(
            f"{weights.name} holds the weights of {owner.name}, a model of the space "
            f"{owner.space}, not of {space.name}"
        )
    return sha256
