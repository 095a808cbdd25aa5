"""What `latentpress compress` was asked for: a quality, or a target."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from latentpress.cli.units import parse_size, parse_target
from latentpress.collection.faults import naming
from latentpress.collection.request import Request
from latentpress.errors import TargetError, UsageError
from latentpress.options import EncodeOptions, check_quality
from latentpress.system.malloc import make_room

if TYPE_CHECKING:
    from latentpress.image.picture import Outline

DEFAULT_QUALITY = 50.0


class Result(NamedTuple):
    """What is known of a picture, its file, and what the user should know."""

    outline: "Outline"
    data: bytes
    notices: list[str]


@dataclass(frozen=True)
class Asked:
    """What each file is asked to be, or total_size: the bytes of all together."""

    each: Request
    total_size: int | None

    @classmethod
    def of(
        cls,
        quality: float | None,
        size: str | None,
        bpp: float | None,
        metric: str | None,
        total_size: str | None,
        best_effort: bool,
    ) -> "Asked":
        """The options as they were typed; UsageError where two contradict, or one is no number."""
        options = {
            "-q": quality,
            "--target-size": size,
            "--target-bpp": bpp,
            "--target": metric,
            "--total-size": total_size,
        }
        given = [name for name, value in options.items() if value is not None]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} ask for different files: give one of them")
        if best_effort and given in ([], ["-q"]):
            targets = ", ".join(name for name in options if name != "-q")
            raise UsageError(f"--best-effort is for a target that is out of reach: {targets}")
        if bpp is not None and not 0 < bpp < float("inf"):
            raise UsageError(f"--target-bpp is a number of bits a pixel above 0, not {bpp}")
        return cls(
            Request(
                check_quality(DEFAULT_QUALITY if quality is None else quality),
                parse_size(size) if size is not None else None,
                bpp,
                parse_target(metric) if metric is not None else None,
                best_effort,
            ),
            parse_size(total_size) if total_size is not None else None,
        )

    def one(self, source: Path, options: EncodeOptions) -> Result:
        """The picture and the file of one image, and notices. options: their quality is not looked
        at.
        """
        from latentpress.image.picture import read_picture

        # its errors name the file themselves
        picture = read_picture(source, strict=options.strict, strip=options.strip)
        make_room(picture.width * picture.height)
        with naming(source):
            data, notices = self.each.file(picture, options)
        return Result(picture.outline, data, notices)

    def together(self, sources: Sequence[Path], options: EncodeOptions) -> dict[Path, Result]:
        """With --total-size the pictures and files of all images, else nothing. Any image that
        fails ends the command.
        """
        if self.total_size is None:
            return {}
        from latentpress import targets
        from latentpress.image.picture import read_picture

        analyzed = []
        for source in sources:
            picture = read_picture(source, strict=options.strict, strip=options.strip)
            make_room(picture.width * picture.height)
            with naming(source):
                analyzed.append(targets.Analyzed(picture, options, keep_pixels=False))
            del picture  # before the next one is read
        notices: list[str] = []
        try:
            files: Sequence[bytes] = targets.to_total(analyzed, self.total_size)
        except TargetError as error:
            if not self.each.best_effort:
                raise
            files = error.nearest
            notices = [str(error)]
        return {
            source: Result(a.outline, data, notices)
            for source, a, data in zip(sources, analyzed, files, strict=True)
        }
