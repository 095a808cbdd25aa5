"""Every exception that latentpress raises on purpose.

    LatentpressError
    ├── ImageError          the picture cannot be read, written or compressed
    │   └── ConversionError   a lossy conversion was needed and strict was asked for
    ├── FormatError         the bytes are no valid file (cut off, altered, too large, ...)
    │   ├── VersionError      written by a newer version of the format
    │   └── SpaceError        names a latent space that this version does not know
    ├── WeightsError        weights are missing, altered, or not those the file needs
    ├── OutputError         an output exists already, or cannot be written
    │   └── DiskFullError     no room is left for it
    ├── TargetError         no quality of the codec reaches the size, rate or metric asked for
    └── UsageError          an argument is outside its range, or arguments contradict each other

All of them are found in `latentpress` itself.
"""

from collections.abc import Sequence

from latentpress.names import as_text


class LatentpressError(Exception):
    """Base of all; str() is one sentence for a person."""

    def __str__(self) -> str:
        """The sentence, which every stream takes, whatever the names of files in it."""
        return as_text(super().__str__())


class ImageError(LatentpressError):
    """The picture cannot be read, written or compressed."""


class ConversionError(ImageError):
    """A lossy conversion was needed and strict was asked for."""


class FormatError(LatentpressError):
    """The bytes are no valid .ltp file."""


class VersionError(FormatError):
    """The file was written by a newer version of the format."""


class SpaceError(FormatError):
    """The file names a latent space that this version does not know."""


class WeightsError(LatentpressError):
    """Weights are missing, altered, or not those the file needs."""


class OutputError(LatentpressError):
    """An output exists already, or cannot be written."""


class DiskFullError(OutputError):
    """No room is left for an output."""


class TargetError(LatentpressError):
    """No quality of the codec reaches the size, rate or metric that was asked for; the message
    names the nearest that does.

    Attributes:
        nearest: the bytes of that file, of each picture.
    """

    def __init__(self, message: str, nearest: Sequence[bytes] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class UsageError(LatentpressError, ValueError):
    """An argument is outside its range, or arguments contradict each other."""


def first_line(error: BaseException) -> str:
    """What an exception says, in one line; its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def prefixed(name: object, error: LatentpressError) -> LatentpressError:
    """An error of the same class whose message begins with a name, as of a file."""
    message = f"{name}: {error}"
    if isinstance(error, TargetError):
        return TargetError(message, error.nearest)
    return type(error)(message)
