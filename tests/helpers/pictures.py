"""What the tests of stage 1 do with pictures: save, read back, take all pixels."""

import io
from pathlib import Path
from typing import Any

from latentpress.image.cicp import DISPLAY_P3, PRIMARIES, SRGB_CURVE
from latentpress.image.picture import read_picture
from latentpress.image.profiles import make_gray_profile, make_profile

PROFILE = make_profile("Display P3", PRIMARIES[DISPLAY_P3], SRGB_CURVE)
GRAY_PROFILE = make_gray_profile("linear", (1.0, 1.0, 0.0, 0.0, 0.0))


def whole(picture: Any) -> Any:
    return picture.pixels(0, picture.height, 0, picture.width)


def saved(image: Any, form: Any, **options: Any) -> Any:
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def read(tmp_path: Path, data: Any, name: Any = "a.img", **options: Any) -> Any:
    (tmp_path / name).write_bytes(data)
    return read_picture(tmp_path / name, **options)
