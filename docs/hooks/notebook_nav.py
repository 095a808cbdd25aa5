"""A hook of MkDocs: the entries of docs/notebook stand in the navigation, the latest first."""

from pathlib import Path
from typing import Any

SECTION = "Notebook"


def on_config(config: Any, **_: Any) -> Any:
    """MkDocs calls it with the settings of mkdocs.yml."""
    folder = Path(config["docs_dir"]) / SECTION.lower()
    entries = sorted((path.name for path in folder.glob("2*.md")), reverse=True)
    for section in config["nav"] or ():
        if SECTION in section:
            section[SECTION] += [f"{folder.name}/{name}" for name in entries]
    return config
