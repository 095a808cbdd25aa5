"""What the tests of stage 1 do with pictures: save, read back, take all pixels."""

import io

from latentpress.image.picture import read_picture


def whole(picture):
    return picture.pixels(0, picture.height, 0, picture.width)


def saved(image, form, **options):
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def read(tmp_path, data, name="a.img", **options):
    (tmp_path / name).write_bytes(data)
    return read_picture(tmp_path / name, **options)
