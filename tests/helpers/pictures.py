"""What the tests of stage 1 do with pictures: save, read back, take all pixels."""

import io
from pathlib import Path
from typing import Any

from latentpress.image.picture import read_picture


def whole(picture: Any) -> Any:
    return picture.pixels(0, picture.height, 0, picture.width)


def saved(image: Any, form: Any, **options: Any) -> Any:
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def read(tmp_path: Path, data: Any, name: Any = "a.img", **options: Any) -> Any:
    (tmp_path / name).write_bytes(data)
    return read_picture(tmp_path / name, **options)
