"""An extension of Griffe: a docstring's `Example:` is shown as code, as `Examples:` is.

Griffe knows the plural alone as a section; the singular would become a box of prose.
"""

import re
from typing import Any

import griffe


class ExampleSections(griffe.Extension):
    """Renames the section in the docstrings that are read, not in the source."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Griffe calls it with every object it has read."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)
