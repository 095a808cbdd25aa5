"""A hook of MkDocs: the reference of the command line, written from the command's own help.

In a page the line `<!-- commands -->` gives way to a section for every subcommand: usage, text,
arguments and options, as `latentpress COMMAND --help` prints them.
"""

import re
from collections.abc import Iterator
from typing import Any

import typer

MARK = "<!-- commands -->"
NAME = "latentpress"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs calls it with the text of each page."""
    return markdown.replace(MARK, reference()) if MARK in markdown else markdown


def reference() -> str:
    """The sections of all commands, as Markdown."""
    from latentpress.cli.app import app

    root = typer.main.get_command(app)
    context = root.make_context(NAME, [], resilient_parsing=True)
    return "\n".join(_sections(root, context, 2))


def _sections(group: Any, context: Any, level: int) -> Iterator[str]:
    """The sections of what is below a group, those of a group's commands one level deeper."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = command.make_context(name, [], parent=context, resilient_parsing=True)
        yield f"{'#' * level} {inner.command_path}\n"
        yield _fenced([f"{inner.command_path} {' '.join(command.collect_usage_pieces(inner))}"])
        yield from _text(command.help or "")
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            yield from _list(title, kind, command, inner)
        if hasattr(command, "list_commands"):
            yield from _sections(command, inner, level + 1)


def _text(text: str) -> Iterator[str]:
    """The paragraphs of a help text; its examples become one block of code."""
    words, mark, examples = re.sub(r"(?m)^Examples?:\s*", "\0", text, count=1).partition("\0")
    yield f"{_escaped(words.strip())}\n"
    if mark:
        paragraphs = re.split(r"\n\s*\n", examples.strip())
        yield _fenced([" ".join(lines.split()) for lines in paragraphs])


def _list(title: str, kind: str, command: Any, context: Any) -> Iterator[str]:
    """The parameters of a kind as a list of definitions; nothing where there are none to show."""
    records = [
        parameter.get_help_record(context)
        for parameter in command.get_params(context)
        if parameter.param_type_name == kind
    ]
    shown = [record for record in records if record]  # the others are hidden
    if shown:
        yield f"**{title}**\n"
    for name, about in shown:
        yield f"`{name}`\n:   {_escaped(about)}\n"


def _fenced(lines: list[str]) -> str:
    return "\n".join(["```console", *(f"$ {line}" for line in lines), "```", ""])


def _escaped(text: str) -> str:
    """Help text in which nothing is taken for Markdown; defaults are sentences of their own."""
    text = re.sub(r"\s*\[default: \(?(.*?)\)?(; .*?)?\]$", r" Default: \1.", text)
    text = re.sub(r"\s*\[required\]$", " Required.", text)
    return re.sub(r"([*_<>|\[\]`])", r"\\\1", text).strip()
