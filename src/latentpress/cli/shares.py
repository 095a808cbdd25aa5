"""Metadata's share of a file, in words."""

from latentpress.container import Header

NAMED_SHARE = 0.25  # of a file's bytes; above it a line of `compress` names the metadata


def metadata_words(header: Header) -> str:
    """How many bytes of a file its metadata take, and which: "5,100 bytes, 20.2 % of the file (exif
    5,000, icc 100)".
    """
    total = sum(header.metadata.values())
    parts = ", ".join(f"{name} {size:,}" for name, size in header.metadata.items())
    return f"{total:,} bytes, {100 * total / header.size:.1f} % of the file" + (
        f" ({parts})" if parts else ""
    )


def large_metadata_words(header: Header) -> str:
    """What a line about a file says of metadata that take more than NAMED_SHARE of it, else
    nothing.
    """
    if sum(header.metadata.values()) <= NAMED_SHARE * header.size:
        return ""
    return (
        f", metadata {metadata_words(header)}: --strip {','.join(header.metadata)} leaves them out"
    )
