"""A small run of the benchmark as its folder looks on disk, made without `latentpress bench`: two
pictures, real files.
"""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

import latentpress
from latentpress.bench.checksums import sha256_of_pixels
from latentpress.bench.image_codecs import find_codec
from latentpress.metrics import METRICS

METRIC_NAMES = ("mse", "psnr", "ssim")
LADDERS = {
    "builtin": (5, 30, 60, 95),
    "jpeg": (5, 25, 60, 90),
    "webp": (1, 25, 60, 90),
    "png": (0,),
}
# windows of the photograph; the second has odd sides
SIZES = {"left": (0, 0, 200, 150), "right": (150, 120, 347, 261)}


def make_run(
    folder: Path,
    photo: np.ndarray,
    *,
    skip: tuple[str, str] | None = None,
    page: np.ndarray | None = None,
) -> Path:
    """Write a run of LADDERS on SIZES. skip: (codec, setting) that the second picture has not been
    through, as if interrupted. page: a third picture.
    """
    codecs = {name: find_codec(name) for name in LADDERS}
    images, rows = [], []
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {name: Image.fromarray(photo).crop(box) for name, box in SIZES.items()}
    if page is not None:
        pictures["page"] = Image.fromarray(page)
    for name, picture in pictures.items():
        path = folder / f"{name}.png"
        picture.save(path)
        images.append(
            {
                "name": name,
                "file": path.name,
                "width": picture.width,
                "height": picture.height,
                "sha256": sha256_of_pixels(np.asarray(Image.open(path))),
            }
        )
    for name, codec in codecs.items():
        for quality in LADDERS[name]:
            for image in images:
                setting = codec.setting(quality)
                if (name, setting) == skip and image["name"] == "right":
                    continue
                pixels = np.asarray(Image.open(folder / image["file"]))
                data = codec.encode(pixels, quality)
                path = folder / "files" / name / setting / f"{image['name']}{codec.suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                decoded, area = codec.decode(data), image["width"] * image["height"]
                rows.append(
                    {
                        "codec": name,
                        "setting": setting,
                        "image": image["name"],
                        "width": image["width"],
                        "height": image["height"],
                        "bytes": len(data),
                        "bpp": 8 * len(data) / area,
                        "encode_s": 0.25,
                        "decode_s": 0.125,
                        "screen_share": codec.screen_share(data),
                    }
                    | {m: METRICS[m].function(pixels, decoded) for m in METRIC_NAMES}
                )
    with (folder / "rows.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    info = {
        "latentpress": latentpress.__version__,
        "command": "latentpress bench pictures",
        "created": "2026-01-02T03:04:05+00:00",
        "machine": {
            "cpu": "a <test> CPU",
            "cores": 2,
            "threads": 1,
            "python": "3",
            "platform": "any",
        },
        "versions": {"pillow": "1"},
        "dataset": "pictures",
        "images": images,
        "metrics": list(METRIC_NAMES),
        "grey": False,
        "codecs": [
            codec.entry() | {"peak_encode_mb": 100.0, "peak_decode_mb": 50.0}
            for codec in codecs.values()
        ],
    }
    (folder / "run.json").write_text(json.dumps(info))
    return folder
