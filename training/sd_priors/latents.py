"""Make the latents that the priors are trained on.

    python -m training.sd_priors.latents PACKS WEIGHTS --minutes 15

WEIGHTS holds the tiny autoencoders taesd, taesdxl, taesd3 and taef1. Crops of 320 x 320
(`training.data.batches`) go through the encoder of each space, in bfloat16 where the processor has
it: its rounding stands a hundredth of a deviation below the latent. Writes runs/priors/SPACE.npy,
(N, C, 40, 40) float16, and SPACE-held.npy, (N, C, 64, 64) float16, of the held-out photographs.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor

from latentpress.optimize.loss import native_bfloat16
from training.data.batches import Crops
from training.data.store import load_held_out

TINY = {"sd15": "taesd", "sdxl": "taesdxl", "sd3": "taesd3", "flux1": "taef1"}
OUT = Path(__file__).parents[2] / "runs/priors"
SIDE = 320
BETWEEN = 16  # crops from one look at the clock to the next
DTYPE = torch.bfloat16 if native_bfloat16() else torch.float32


def encoder(folder: Path) -> torch.nn.Sequential:
    """The layers of a tiny autoencoder's encoder.

    The first is in float32, since it sees pixels, the others are in DTYPE.
    """
    net = AutoencoderTiny.from_pretrained(folder).encoder.eval()
    layers = net.layers.to(memory_format=torch.channels_last)
    layers[1:].to(DTYPE)
    return layers


def encode(layers: torch.nn.Sequential, x: Tensor) -> np.ndarray:
    """Pictures x (N, 3, H, W) in [0, 1] -> latents (N, C, H / 8, W / 8) float16."""
    with torch.inference_mode():
        h = layers[0](x.contiguous(memory_format=torch.channels_last))
        y = layers[1:](h.to(DTYPE))
        return y.to(torch.float16).contiguous().numpy()


def save(found: dict[str, list[np.ndarray]], suffix: str = "") -> None:
    """Write the latents of each space as runs/priors/SPACE followed by the suffix."""
    for space, latents in found.items():
        np.save(OUT / f"{space}{suffix}.npy", np.concatenate(latents))


def main() -> None:
    """Encode the held-out photographs, then crops until the time is over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--spaces", default=",".join(TINY), help="names, with commas between them")
    options = parser.parse_args()
    spaces = options.spaces.split(",")
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    models = {space: encoder(options.weights / TINY[space]) for space in spaces}
    held = [x for x in load_held_out(options.packs) if min(x.shape[2:]) == 512]
    save({space: [encode(model, x) for x in held[::2]] for space, model in models.items()}, "-held")
    crops = Crops(options.packs, seed=4)
    found: dict[str, list[np.ndarray]] = {space: [] for space in spaces}
    start = time.monotonic()
    while time.monotonic() - start < 60 * options.minutes:
        for _ in range(BETWEEN):
            x = crops.batch(1, SIDE)
            for space, model in models.items():
                found[space].append(encode(model, x))
        save(found)
        print(len(found[spaces[0]]), f"{time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
