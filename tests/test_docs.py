"""The docstrings of the public names are complete, and their examples give what they say."""

import ast
import dataclasses
import doctest
import importlib
import inspect
import re
from typing import Any

import pytest

import latentpress
from helpers.paths import ROOT
from latentpress import options

FUNCTIONS = (
    "codec.compress",
    "codec.decompress",
    "codec.encode_latent",
    "codec.decode_latent",
    "assessment.assess",
    "container.read_header",
    "targets.to_size",
    "targets.to_rate",
    "targets.to_total",
    "targets.to_metric",
    "latents.save",
    "latents.load",
    "metrics.assess",
    "metrics.available",
    "metrics.check_names",
    "metrics.mse.mse",
    "metrics.psnr.psnr",
    "metrics.ssim.ssim",
    "metrics.ms_ssim.ms_ssim",
    "metrics.ms_ssim.ms_ssim_db",
    "metrics.gmsd.gmsd",
    "metrics.ssimulacra2.ssimulacra2",
    "metrics.lpips.lpips",
    "metrics.lpips.lpips_vgg",
    "metrics.dists.dists",
    "image.picture.read_picture",
    "image.formats.write_image",
    "data.columns.compress_dataset",
)
CLASSES = (
    "options.EncodeOptions",
    "targets.Analyzed",
    "latents.Reader",
    "latents.Writer",
    "latents.ShardWriter",
    "latents.dataset.LatentDataset",
    "data.decoder.Decoder",
    "data.columns.ColumnDecoder",
    "data.pictures.PictureDataset",
    "ray.compress.Compress",
    "ray.decompress.Decompress",
    "ray.encode_latents.EncodeLatents",
    "ray.engine.RayEngine",
)
RECORDS = ("container.Header", "latents.Info")


def named(path: str) -> Any:
    """What a dotted path below latentpress names; skips where a library that it needs is absent."""
    module, _, name = path.rpartition(".")
    if name in ("LatentDataset", "PictureDataset"):
        pytest.importorskip("torch")
    return getattr(importlib.import_module(f"latentpress.{module}"), name)


@pytest.mark.parametrize("path", FUNCTIONS)
def test_a_public_function_says_what_it_takes_gives_and_raises(path: str) -> None:
    text = inspect.getdoc(named(path)) or ""
    assert all(f"{section}:\n" in text for section in ("Args", "Returns", "Raises", "Example"))
    for name in inspect.signature(named(path)).parameters:
        assert f"    {name}: " in text or f"    **{name}: " in text, name


@pytest.mark.parametrize("path", CLASSES)
def test_a_public_class_says_what_it_takes(path: str) -> None:
    text = inspect.getdoc(named(path)) or ""
    assert all(f"{section}:\n" in text for section in ("Args", "Raises", "Example"))
    for name in inspect.signature(named(path)).parameters:
        assert f"    {name}: " in text or f"    **{name}: " in text, name


@pytest.mark.parametrize("path", RECORDS)
def test_a_record_names_its_attributes(path: str) -> None:
    text = inspect.getdoc(named(path)) or ""
    assert all(f"    {field.name}: " in text for field in dataclasses.fields(named(path)))


MODULES = {p.rpartition(".")[0] for p in (*FUNCTIONS, *CLASSES)} | {
    "",
    "targets.analyzed",
    "metrics.registry",
    "latents.reader",
}


@pytest.mark.parametrize("path", sorted(MODULES))
def test_examples(path: str) -> None:
    if path in ("latents.dataset", "data.pictures"):
        pytest.importorskip("torch")
    module = importlib.import_module(f"latentpress.{path}".rstrip("."))
    assert doctest.testmod(module).failed == 0


def test_the_keywords_of_compress_are_the_fields_of_its_options() -> None:
    [keywords] = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(options)))
        if getattr(node, "name", "") == "EncodeFields"
    ]
    names = [node.target.id for node in ast.walk(keywords) if isinstance(node, ast.AnnAssign)]
    assert names == [field.name for field in dataclasses.fields(latentpress.EncodeOptions)]


def test_the_package_shows_what_is_meant() -> None:
    shown = dir(latentpress)
    assert {
        "EncodeOptions",
        "assess",
        "compress",
        "decompress",
        "read_header",
        "__version__",
    } <= set(shown)
    modules = {name for name in shown if inspect.ismodule(getattr(latentpress, name))}
    assert modules == {"data", "latents", "metrics", "pillow", "ray", "targets", "thumbnails"}
    errors = {name for name in shown if name.endswith("Error")}
    assert all(issubclass(getattr(latentpress, name), Exception) for name in errors)
    assert set(shown) - modules == set(latentpress.__all__)


MODULES_WITH_A_PAGE = ("targets", "latents", "data", "metrics", "thumbnails", "ray")
PLACE = re.compile(r"^::: latentpress\.([\w.]+)$", re.M)  # of what is put into a page


def page_of(name: str) -> str:
    """The text of a page of the reference."""
    return (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODULES_WITH_A_PAGE)
def test_what_a_page_describes_is_found_in_its_module(name: str) -> None:
    module = importlib.import_module(f"latentpress.{name}")
    for path in PLACE.findall(page_of(name)):
        if path != name:  # the page of latentpress.ray shows members of the module
            last = path.rpartition(".")[2]
            assert last in module.__all__
            assert last in ("LatentDataset", "PictureDataset", "Sample") or (
                getattr(module, last) is named(path)
            )


@pytest.mark.parametrize("name", MODULES_WITH_A_PAGE)
def test_every_public_name_of_a_module_is_on_its_page(name: str) -> None:
    names = set(importlib.import_module(f"latentpress.{name}").__all__)
    assert names <= set(re.findall(r"\w+", page_of(name)))


def test_every_public_name_of_the_package_is_on_a_page() -> None:
    words = set(re.findall(r"\w+", page_of("api") + page_of("errors")))
    assert set(latentpress.__all__) <= words
