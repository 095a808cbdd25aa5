"""The page as a folder for any static host, and as one HTML file beside it."""

import gzip
import shutil
from pathlib import Path

from latentpress.web import assets
from latentpress.web.single import single_page

SINGLE = "latentpress.html"
PLAIN = b'<meta name="models" content="models/lp1/">'
PACKED = b'<meta name="models" content="models/lp1/" data-packed>'


def packed(path: str, data: bytes) -> tuple[str, bytes]:
    """A file of the model as gzip under a name that ends in .gz: few hosts compress these."""
    return f"{path}.gz", gzip.compress(data, 9, mtime=0)


def build(folder: Path) -> dict[str, int]:
    """Write the page into a folder, which is emptied first -> path: bytes of what was written."""
    found = assets.site(packed, page=lambda text: text.replace(PLAIN, PACKED))
    found[SINGLE] = single_page().encode()
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in found.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return {path: len(data) for path, data in found.items()}
