"""Inputs and outputs of the prior's networks, for other implementations to compare with."""

import json
from pathlib import Path

import numpy as np

from latentpress import models
from latentpress.entropy.quantizer import interpolate

# Name, height, width, quality, and whether all inputs are at their limits.
CASES = (("a", 16, 16, 3.21, False), ("b", 19, 11, 50, True), ("c", 1, 7, 100, False))


def dump_prior(folder: Path) -> None:
    """Write integers of 32 bits, a file for each array, and index.json beside them."""
    rng = np.random.default_rng(0)
    levels = models.arrays("lp1", "levels.npz")
    index = []
    for name, h, w, quality, extreme in CASES:
        hz, wz = -(-h // 4), -(-w // 4)
        z = rng.integers(-127, 128, (1, 64, hz, wz))
        white = rng.integers(-127, 128, (1, 320, h, w))
        given = rng.integers(0, 256, (1, 128, h, w))
        if extreme:
            z, white = np.where(z < 0, -127, 127), np.where(white < 0, -127, 127)
            given = np.where(given < 128, 0, 255)
        white[:, :, np.add.outer(np.arange(h), np.arange(w)) % 2 == 1] = 0
        bias = interpolate(levels["bias"], quality).reshape(1, -1, 1, 1)
        feeds = {"z": z.astype(np.float32), "bias": bias.astype(np.float32)}
        outputs = models.run("lp1", "features.onnx", **feeds)
        features, head1 = (a[:, :, :h, :w] for a in outputs)
        feeds = {"features": given.astype(np.float32), "white": white.astype(np.float32)}
        head2 = models.run("lp1", "context.onnx", **feeds)[0]
        arrays = {"z": z, "bias": bias, "features": features, "head1": head1}
        arrays |= {"given": given, "white": white, "head2": head2}
        for kind, array in arrays.items():
            stored = np.ascontiguousarray(array).astype("<i4")
            (folder / f"{name}.{kind}").write_bytes(stored.tobytes())
        index.append({"name": name, "hz": hz, "wz": wz, "h": h, "w": w})
    (folder / "index.json").write_text(json.dumps(index))
