"""The page as a folder for any static host, and as one HTML file beside it.

`python -m latentpress.web.static FOLDER` writes both; `make web` does so into web/dist.
"""

import shutil
import sys
from pathlib import Path

from latentpress.web import assets
from latentpress.web.single import single_page

SINGLE = "latentpress.html"


def build(folder: Path) -> dict[str, int]:
    """Write the page into a folder, which is emptied first -> path: bytes of what was written."""
    found = assets.site(packed=True)
    found[SINGLE] = single_page().encode()
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in found.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return {path: len(data) for path, data in found.items()}


def main() -> None:
    """Build into the folder that is named, and tell what it holds."""
    sizes = build(Path(sys.argv[1]))
    single = sizes.pop(SINGLE)
    encoder = tuple(assets.MODELS + name for name in assets.ENCODER)
    opening = sum(size for path, size in sizes.items() if not path.startswith(encoder))
    print(f"{sys.argv[1]}: {len(sizes)} files, {opening:,} bytes to open pictures, ", end="")
    print(f"{sum(sizes.values()) - opening:,} more to press them; {SINGLE} has {single:,} bytes")


if __name__ == "__main__":
    main()
