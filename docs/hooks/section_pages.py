"""A hook of MkDocs: a page that the navigation does not name stands at the end of its section.

So a new entry of the notebook, whose latest comes first, needs no line in mkdocs.yml.
"""

from pathlib import Path
from typing import Any

NOTEBOOK = "notebook"


def on_config(config: Any, **_: Any) -> Any:
    """MkDocs calls it with the settings of mkdocs.yml."""
    for section in config["nav"] or ():
        for pages in section.values():
            if isinstance(pages, list):
                pages += _others(pages, Path(config["docs_dir"]))
    return config


def _others(pages: list[Any], docs: Path) -> list[str]:
    """The pages of the folder that a section's first page lies in, but for those it names."""
    named = [page if isinstance(page, str) else next(iter(page.values())) for page in pages]
    folder = Path(named[0]).parent
    found = {(folder / path.name).as_posix() for path in (docs / folder).glob("*.md")}
    return sorted(found - set(named), reverse=folder.name == NOTEBOOK)
