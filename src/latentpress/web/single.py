"""The page as one HTML file: scripts, style, model and, where one is shared, a picture."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence

from latentpress.names import as_text
from latentpress.web import assets
from latentpress.web.bundle import bundle

PAGE = "page/page.js"
WORKERS = {"": "src/worker.js", "press": "page/press_worker.js"}
STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
SCRIPT = re.compile(r'<script type="module" src="[^"]+"></script>')
ICON = re.compile(r'<link rel="icon" href="([^"]+)"[^>]*>')
MANIFEST = re.compile(r'<link rel="manifest"[^>]*>\n?')
POLICY = (
    "default-src 'none'; script-src 'sha256-{}' 'wasm-unsafe-eval' blob:; worker-src blob:; "
    "style-src 'sha256-{}'; img-src blob: data:; connect-src 'none'; base-uri 'none'; "
    "form-action 'none'"
)


def single_page(
    *, encoder: bool = True, pictures: Sequence[tuple[str, bytes]] = (), title: str | None = None
) -> str:
    """The text of the HTML file, which every encoding of Unicode takes.

    Args:
        encoder: whether it can press pictures, too.
        pictures: names and bytes of .ltp files that it opens by itself.
        title: of the window.
    """
    files = assets.page_files()
    page = files["index.html"].decode()
    style_path = _found(STYLE, page)[1]
    style = "\n" + files[style_path].decode()
    script = "\n" + bundle(files, PAGE, WORKERS).replace("</script", "<\\/script")
    icon = base64.b64encode(files[_found(ICON, page)[1]]).decode()
    policy = POLICY.format(_sha256(script), _sha256(style))
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'

    page = page.replace("<title>", f"{meta}<title>", 1)
    if title is not None:
        named = f"<title>{html.escape(as_text(title))}</title>"
        page = re.sub("<title>.*?</title>", lambda _: named, page)
    page = STYLE.sub(lambda _: f"<style>{style}</style>", page)
    page = MANIFEST.sub("", page)
    page = ICON.sub(lambda _: f'<link rel="icon" href="data:image/svg+xml;base64,{icon}">', page)
    names = (*assets.DECODER, *(assets.ENCODER if encoder else ()))
    data = [_block(name) for name in ("model.json", *names)]
    data += [_picture(name, bytes_) for name, bytes_ in pictures]
    # the data stand before the script, which finds them when it runs
    page = SCRIPT.sub("", page)
    blocks = "\n".join(data)
    code = f'<script id="code">{script}</script>'
    return page.replace("</body>", f"{blocks}\n{code}\n</body>")


def _found(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.search(text)
    if match is None:
        raise ValueError(f"index.html has nothing like {pattern.pattern}")
    return match


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _block(name: str) -> str:
    """A file of the model as text in a script that does not run: gzip, then Base64."""
    text = base64.b64encode(assets.packed_model_file(name)).decode()
    return f'<script type="text/plain" data-file="{name}">{text}</script>'


def _picture(name: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    quoted = html.escape(json.dumps(as_text(name)), quote=True)
    return f'<script type="text/plain" data-picture="{quoted}">{text}</script>'
