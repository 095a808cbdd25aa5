"""ES modules joined into one classic script, which needs no server: pages opened from a disk may
not import.

It knows the statements that web/ uses and refuses others: `import { a, b as c } from "./x.js"`,
`import * as x from`, `import "./x.js"`, `export` before a function, class or const, `export { a }`,
`export { a } from` and `import("./x.js")` with a text.
"""

import json
import posixpath
import re
from collections.abc import Mapping

NAMES = r"\{([^}]*)\}"
FROM = r'\s*from\s*"(\.[^"]+)"\s*;'
IMPORT_NAMES = re.compile(rf"^import\s*{NAMES}{FROM}", re.M)
IMPORT_ALL = re.compile(rf"^import\s*\*\s*as\s+(\w+){FROM}", re.M)
IMPORT_BARE = re.compile(r'^import\s*"(\.[^"]+)"\s*;', re.M)
EXPORT_FROM = re.compile(rf"^export\s*{NAMES}{FROM}", re.M)
EXPORT_NAMES = re.compile(rf"^export\s*{NAMES}\s*;", re.M)
EXPORT_HERE = re.compile(r"^export\s+((?:async\s+)?function\*?|class|const)\s+([\w$]+)", re.M)
LATE = re.compile(r'\bimport\(\s*"(\.[^"]+)"\s*\)')
LEFT = re.compile(r"^(?:import|export)\b.*", re.M)
HEAD = """(() => {
"use strict";
const modules = {}, loaded = {};
const $load = (name) => {
  if (!(name in loaded)) modules[name](loaded[name] = {});
  return loaded[name];
};
"""


def bundle(files: Mapping[str, bytes], page: str, workers: Mapping[str, str]) -> str:
    """One script of all modules that a page and its workers need.

    files: path -> bytes, as assets.page_files gives them.
    page: the path of the module that runs where there is a document.
    workers: the paths of the modules that run where there is none, by the name of the worker.
    """
    parts: dict[str, str] = {}
    _add(files, page, parts, ())
    for path in workers.values():
        _add(files, path, parts, ())
    named = json.dumps(dict(workers))
    end = f'$load(typeof document === "undefined" ? {named}[self.name] : "{page}");\n}})();\n'
    return HEAD + "".join(parts.values()) + end


def _add(
    files: Mapping[str, bytes], path: str, parts: dict[str, str], above: tuple[str, ...]
) -> None:
    """Add a module and what it imports. above: the modules that wait for it."""
    if path in above:
        raise ValueError(f"{path} imports itself, by way of {', '.join(above)}")
    if path in parts:
        return
    text, needed, late = module(path, files[path].decode())
    for other in needed:
        _add(files, other, parts, (*above, path))
    parts[path] = text
    for other in late:
        _add(files, other, parts, ())


def module(path: str, text: str) -> tuple[str, list[str], list[str]]:
    """A module as a function of the bundle, what it imports, and what it imports late."""
    needed: list[str] = []
    late: list[str] = []
    exported: list[str] = []

    def resolved(relative: str, into: list[str]) -> str:
        other = posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))
        into.append(other)
        return f'$load("{other}")'

    def export(names: str) -> str:
        exported.extend(_renamed(names, "{1}: {0}"))
        return ""

    def export_from(match: re.Match[str]) -> str:
        source = resolved(match[2], needed)
        exported.extend(_renamed(match[1], f"{{1}}: {source}.{{0}}"))
        return ""

    def export_here(match: re.Match[str]) -> str:
        exported.append(match[2])
        return f"{match[1]} {match[2]}"

    def import_names(match: re.Match[str]) -> str:
        names = ", ".join(_renamed(match[1], "{0}: {1}"))
        return f"const {{ {names} }} = {resolved(match[2], needed)};"

    text = IMPORT_NAMES.sub(import_names, text)
    text = IMPORT_ALL.sub(lambda m: f"const {m[1]} = {resolved(m[2], needed)};", text)
    text = IMPORT_BARE.sub(lambda m: resolved(m[1], needed) + ";", text)
    text = EXPORT_FROM.sub(export_from, text)
    text = EXPORT_NAMES.sub(lambda m: export(m[1]), text)
    text = EXPORT_HERE.sub(export_here, text)
    text = LATE.sub(lambda m: f"Promise.resolve().then(() => {resolved(m[1], late)})", text)
    text = text.replace("import.meta.url", "undefined")
    if left := LEFT.search(text):
        raise ValueError(f"{path}: the bundle does not know `{left[0]}`")
    out = f"Object.assign($exports, {{ {', '.join(exported)} }});\n" if exported else ""
    return f'modules["{path}"] = ($exports) => {{\n{text.rstrip()}\n{out}}};\n', needed, late


def _renamed(names: str, form: str) -> list[str]:
    """`a, b as c` -> each name in a form of (old, new)."""
    pairs = [part.split(" as ") for part in re.sub(r"\s+", " ", names).split(",") if part.strip()]
    return [form.format(pair[0].strip(), pair[-1].strip()) for pair in pairs]
