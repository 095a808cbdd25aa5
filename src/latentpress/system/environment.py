"""Numbers that the environment may set: how large a picture or a latent may be, how many threads
work.
"""

import os

from latentpress.errors import UsageError


def whole_number(name: str, default: int, least: int) -> int:
    """The environment variable as an integer, the default where it is not set. UsageError where it
    is none, or below `least`.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise UsageError(
            f"the environment variable {name} is a whole number from {least} on, as 1000 or "
            f"1_000, not {text[:40]!r}"
        )
    return number
