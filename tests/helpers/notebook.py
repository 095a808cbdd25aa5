"""What an entry of the notebook must have."""

import re

NO_SCRIPT = "**Cannot be repeated**: the script of this trial was not kept."
HEADS = (
    r"\*\*Question\*\*: \S",
    rf"\*\*Command\*\*: \S|{re.escape(NO_SCRIPT)}$",
    r"\*\*Model and data\*\*: \S",
    r"\*\*Verdict\*\*: (taken|given up|open)\b",
)
TABLE = re.compile(r"^\|.+\|\n\|(---\|)+\n\|.+\|$", re.MULTILINE)


def complaints(page: str) -> list[str]:
    """What an entry lacks, a sentence each; nothing where it is complete."""
    found = []
    if not re.match(r"# \S", page):
        found.append("It does not begin with a title.")
    head, _, body = page.partition("\n## Table\n")
    at = 0
    for pattern in HEADS:
        match = re.compile(f"^(?:{pattern})", re.MULTILINE).search(head, at)
        if match is None:
            found.append(f"Its head lacks {pattern}, or has it in another place.")
        else:
            at = match.end()
    if not TABLE.search(body):
        found.append("No table follows a heading Table.")
    for line in page.splitlines():
        if "Cannot be repeated" in line and line != NO_SCRIPT:
            found.append(f"This is not the fixed sentence: {line}")
    return found
