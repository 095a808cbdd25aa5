"""The page as a folder for any static host, and as one HTML file beside it.

`python -m latentpress.web.static FOLDER` writes both; `make web` does so into web/dist.
"""

import argparse
import shutil
from pathlib import Path

from latentpress.errors import OutputError
from latentpress.web import assets
from latentpress.web.single import single_page

SINGLE = "latentpress.html"


def build(folder: Path) -> dict[str, int]:
    """Write the page into a folder -> path: bytes of what was written.

    An earlier page in the folder is deleted first, and all that lies beside it. OutputError where
    something else is there.
    """
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_free and not (folder / SINGLE).is_file():
        raise OutputError(f"{folder} is not the folder of an earlier page: name a new folder")
    found = assets.site(packed=True)
    found[SINGLE] = single_page().encode()
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in found.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return {path: len(data) for path, data in found.items()}


def main() -> None:
    """Build into the folder that is named, and tell what it holds."""
    parser = argparse.ArgumentParser(description="The page for a static host, and as one file.")
    parser.add_argument("folder", type=Path, help="new, or one of an earlier page, to be replaced")
    folder = parser.parse_args().folder
    try:
        sizes = build(folder)
    except OutputError as error:
        parser.error(str(error))
    single = sizes.pop(SINGLE)
    encoder = tuple(assets.MODELS + name for name in assets.ENCODER)
    opening = sum(size for path, size in sizes.items() if not path.startswith(encoder))
    print(f"{folder}: {len(sizes)} files, {opening:,} bytes to open pictures, ", end="")
    print(f"{sum(sizes.values()) - opening:,} more to press them; {SINGLE} has {single:,} bytes")


if __name__ == "__main__":
    main()
