"""The page of the commands holds what their help says."""

import importlib.util
import re
from types import ModuleType

import pytest
import typer
from typer.testing import CliRunner

from helpers.paths import ROOT
from latentpress.cli.app import app


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """docs/hooks/command_pages.py, which MkDocs loads by its path."""
    spec = importlib.util.spec_from_file_location(
        "command_pages", ROOT / "docs" / "hooks" / "command_pages.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference(hook: ModuleType) -> str:
    return str(hook.reference())


@pytest.mark.parametrize("name", ["compress", "assess", "bench"])
def test_a_section_has_every_option_of_the_help(reference: str, name: str) -> None:
    help_text = CliRunner().invoke(app, [name, "-h"]).output
    options = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", help_text, re.M))
    section = f"\n{reference}".split(f"\n## latentpress {name}\n")[1].split("\n## ")[0]
    assert len(options) > 5
    assert {option for option in options if option not in section} == set()


def test_every_command_has_a_section(reference: str) -> None:
    root = typer.main.get_command(app)
    paths = [
        path
        for name, command in root.commands.items()  # type: ignore[attr-defined]
        for path in (name, *(f"{name} {inner}" for inner in getattr(command, "commands", ())))
    ]
    assert re.findall(r"^#+ latentpress (.+)$", reference, re.M) == paths


def test_hidden_options_are_not_shown_and_defaults_are(reference: str) -> None:
    assert "max-no-gain" not in reference
    assert "0 (smallest file) to 100 (best picture). Default: 50." in reference


def test_the_mark_of_the_page_gives_way(hook: ModuleType) -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert "### latentpress latents pack" in hook.on_page_markdown(page)
    assert hook.on_page_markdown("# Another page") == "# Another page"


def test_an_option_that_takes_a_value_says_what(reference: str) -> None:
    named = re.findall(r"^`((?:-\w, )?--[\w-]+.*)`$", reference, re.M)
    assert "--model MODEL" in named
    assert "-o, --output PATH" in named
    assert [name for name in named if "<" in name] == []
