"""Numbers of bytes as people read them."""


def change(before: int, after: int) -> str:
    """The bytes before and after, and how they compare where there were some."""
    words = f"{size_words(before)} to {size_words(after)}"
    if not before:
        return words
    if after > before:
        return f"{words}, {after / before:.1f} times larger"
    return f"{words}, {before / max(1, after):.1f} times smaller"


def larger_words(before: int, after: int, *, is_written: bool) -> str:
    """What is told of a file that is larger than its source."""
    left_out = "" if is_written else "; not written"
    return f"{after:,} bytes are more than the input's {before:,}{left_out}"


def size_words(size: int) -> str:
    """Bytes as people read them: kB is 1000 of them."""
    for unit, bytes_of in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= 0.99995 * bytes_of:  # 1000.0 of the unit below are 1.0 of this one
            return f"{size / bytes_of:.1f} {unit}"
    return f"{size} bytes"
