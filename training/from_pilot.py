"""Start an lp1 run from the pilot's transforms: python training/from_pilot.py PILOT.safetensors OUT.safetensors

Maps the pilot's analysis and synthesis onto networks.Codec; the prior, the gains' spread and the half-resolution
branch start fresh. Used once, for the first run.
"""
import sys

import torch
from safetensors.torch import load_file, save_file

from networks import RATES

TRUNK_END = 11  # pilot gs.0..gs.10 are the trunk, gs.11 the last convolution


def convert(pilot: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    out = {}
    for name, value in pilot.items():
        part, _, rest = name.partition(".")
        if part == "ga":
            out[name] = value.float()
        elif part == "gs":
            index, _, tail = rest.partition(".")
            out[f"gs.trunk.{rest}" if int(index) < TRUNK_END else f"gs.coarse.0.{tail}"] = value.float()
    middle = 3  # the pilot's level at .25 bpp: its gain is every level's starting shape
    spread = 0.9 * (torch.tensor(RATES) / 0.25).log()[:, None]
    out["gain"] = pilot["g"].float()[middle] + spread
    out["inverse"] = pilot["gi"].float()[middle] - spread
    return out


if __name__ == "__main__":
    save_file(convert(load_file(sys.argv[1])), sys.argv[2])
