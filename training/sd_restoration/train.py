"""Train a restoration: python -m training.sd_restoration.train sd15 PACKS WEIGHTS/taesd --minutes 40

Two phases on a wall-clock budget, one thread. First the latent's squared error alone, on windows of the latent; then through the frozen
tiny decoder, in bfloat16 where the processor has it:

    MSE / MSE_0 + LPIPS / LPIPS_0 + LATENT_SHARE x (latent MSE) / (latent MSE)_0

where ..._0 are what plain rounding has at that step, so that all steps count alike. Writes runs/restoration/SPACE.pt (a mean over the
updates) and SPACE.csv: a row a look and setting, on held-out photographs: seconds, quality, error weight, then PSNR, LPIPS and latent MSE.
"""

import argparse
import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor

from latentpress.entropy.multistage import FINE, MultistageCoder
from latentpress.optimize.loss import half_precision
from latentpress.spaces import Space, space_of_codec
from training.data.packs import LPIPS
from training.data.store import load_held_out
from training.losses.lpips import lpips, random_phase
from training.losses.trunks import Trunk, load_trunks
from training.sd_priors.latents import OUT as LATENTS
from training.sd_restoration.data import OUT, restored_from
from training.sd_restoration.network import Restoration, load_shipped

RATES = (1e-3, 5e-4)  # of Adam, in the two phases; each goes down to a hundredth
BATCH, WINDOW = 16, 24  # of the first phase
CROPS, SIDE, EDGE = (
    3,
    26,
    16,
)  # of the second: latent positions a side, and pixels about the crop that do not count
LATENT_SHARE = 0.25
MEAN_DECAY, CLIP = 0.99, 1.0
HELD = (
    (50, None),
    (30, None),
    (30, 20.0),
    (15, None),
    (15, 20.0),
    (0, None),
)  # (quality, error weight)


class Decoder:
    """The frozen tiny decoder: latents (N, C, h, w) -> pixels (N, 3, 8 h, 8 w) about [0, 1]."""

    def __init__(self, folder: str) -> None:
        self.net = (
            AutoencoderTiny.from_pretrained(folder)
            .decoder.eval()
            .requires_grad_(False)
            .to(memory_format=torch.channels_last)
        )

    def __call__(self, z: Tensor) -> Tensor:
        with half_precision():
            return self.net(z.contiguous(memory_format=torch.channels_last)).float() / 2 + 0.5


class Held:
    """Held-out photographs, their latents at every setting of HELD, and what plain rounding shows."""

    def __init__(self, space: Space, packs: Path, decoder: Decoder, alex: Trunk) -> None:
        self.decoder, self.alex = decoder, alex
        y = np.load(LATENTS / f"{space.name}-held.npy")
        self.y = torch.from_numpy(y).float()
        self.x = torch.cat([x for x in load_held_out(packs) if min(x.shape[2:]) == 512][::2])
        coders = [MultistageCoder(space, *setting) for setting in HELD]
        self.steps = [coder.step / FINE for coder in coders]
        self.y_hat = [
            torch.from_numpy(np.stack([restored_from(coder, one) for one in y])).float()
            for coder in coders
        ]
        self.plain = self.look(lambda y_hat, step: y_hat)

    @torch.no_grad()
    def look(self, restore) -> np.ndarray:
        """(settings, 3): image MSE, LPIPS and latent MSE."""
        rows = []
        for y_hat, step in zip(self.y_hat, self.steps, strict=True):
            z, found = restore(y_hat, torch.full((len(y_hat),), step)), []
            for one, y, x in zip(z, self.y, self.x, strict=True):
                shown = (self.decoder(one[None, :, 12:52, 12:52]).clamp(0, 1) * 255).round() / 255
                pixels = x[None, :, 96:416, 96:416]
                found.append(
                    [
                        float((shown - pixels).square().mean()),
                        float(lpips(self.alex, pixels, shown)),
                        float((one - y).square().mean()),
                    ]
                )
            rows.append(np.mean(found, 0))
        return np.array(rows)

    def reference(self, step: Tensor) -> list[Tensor]:
        """Image MSE, LPIPS and latent MSE of plain rounding at steps (N,), between the settings without dead zones."""
        plain = sorted(
            (s, *row)
            for s, (_, weight), row in zip(self.steps, HELD, self.plain, strict=True)
            if weight is None
        )
        table = np.log(np.array(plain))
        return [
            torch.from_numpy(np.exp(np.interp(step.log().numpy(), table[:, 0], column))).float()
            for column in table.T[1:]
        ]


def windows(
    rng: np.random.Generator, arrays: dict[str, np.ndarray], count: int, side: int, channels: int
) -> tuple[Tensor, ...]:
    """Pixels (N, 3, 8 side, 8 side) in [0, 1], y, y_hat (N, C, side, side), step (N,): random windows, mirrored at random."""
    x, y, y_hat, step = [], [], [], []
    for i in rng.integers(len(arrays["y"]), size=count):
        k, (r, c) = (
            rng.integers(arrays["step"].shape[1]),
            rng.integers(arrays["y"].shape[2] - side + 1, size=2),
        )
        x.append(arrays["pixels"][i, 8 * r : 8 * (r + side), 8 * c : 8 * (c + side)])
        y.append(arrays["y"][i, :, r : r + side, c : c + side])
        y_hat.append(arrays["y_hat"][i, k, :, r : r + side, c : c + side])
        step.append(arrays["step"][i, k])
    as_floats = lambda parts: torch.from_numpy(np.stack(parts)).float()
    return (
        as_floats(x).permute(0, 3, 1, 2) / 255,
        as_floats(y),
        as_floats(y_hat),
        torch.tensor(np.array(step)),
    )


def shown_loss(
    decoder: Decoder, alex: Trunk, held: Held, x: Tensor, y: Tensor, z: Tensor, step: Tensor
) -> Tensor:
    inner = (..., slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    x, x_hat = x[inner], decoder(z)[inner]
    distance = lpips(alex, *random_phase(x, x_hat))
    mse, distance_0, latent = held.reference(step)
    terms = (
        (x_hat - x).square().mean((1, 2, 3)) / mse
        + distance / distance_0
        + LATENT_SHARE * (z - y).square().mean((1, 2, 3)) / latent
    )
    return terms.mean()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("space")
    parser.add_argument("packs", type=Path)
    parser.add_argument("decoder")
    parser.add_argument("--latent-minutes", type=float, default=4)
    parser.add_argument("--minutes", type=float, default=40, help="of both phases")
    parser.add_argument("--resume", action="store_true", help="go on from the shipped restoration")
    parser.add_argument(
        "--out", help="name of what is written, in runs/restoration; default: the space's"
    )
    parser.add_argument(
        "--every", type=float, default=240, help="seconds between looks at the held-out photographs"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rng, space, out = (
        np.random.default_rng(1),
        space_of_codec(options.space),
        OUT / (options.out or options.space),
    )
    with np.load(OUT / f"{options.space}.npz") as f:
        arrays = dict(f)
    decoder = Decoder(options.decoder)
    alex = load_trunks(options.packs / LPIPS, "cpu", torch.float32)[0]
    held = Held(space, options.packs, decoder, alex)
    net = Restoration(space.channels).to(memory_format=torch.channels_last)
    if options.resume:
        load_shipped(net, space.name)
    mean = copy.deepcopy(net)
    log = out.with_suffix(".csv").open("w")
    print("seconds,updates,loss,quality,error_weight,psnr,lpips,latent_mse", file=log)
    start, updates, losses = time.monotonic(), 0, list[float]()
    optimizer = torch.optim.Adam(net.parameters(), RATES[0], betas=(0.9, 0.98))

    def look(rows: np.ndarray) -> None:
        ratios = (rows / held.plain).mean(0)
        print(
            f"{time.monotonic() - start:.0f} s, {updates} updates, loss {np.mean(losses) if losses else math.nan:.4f}; against plain:",
            " ".join(f"{r:.4f}" for r in ratios),
            flush=True,
        )
        for (quality, weight), (mse, distance, latent) in zip(HELD, rows, strict=True):
            numbers = f"{-10 * math.log10(mse):.3f},{distance:.4f},{latent:.5f}"
            head = f"{time.monotonic() - start:.0f},{updates},{np.mean(losses) if losses else math.nan:.4f}"
            print(f"{head},{quality},{weight or ''},{numbers}", file=log, flush=True)
        torch.save(mean.state_dict(), out.with_suffix(".pt"))
        losses.clear()

    look(held.plain)
    looked, budget, first = time.monotonic(), 60 * options.minutes, 60 * options.latent_minutes
    start = time.monotonic()
    phase = 0
    while (now := time.monotonic() - start) < budget:
        if phase == 0 and now >= first:
            phase = 1
            look(held.look(mean))
        share = now / first if phase == 0 else (now - first) / (budget - first)
        for group in optimizer.param_groups:
            group["lr"] = (
                RATES[phase]
                * min(1, (updates + 1) / 20)
                * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
            )
        count, side = ((BATCH, WINDOW), (CROPS, SIDE))[phase]
        x, y, y_hat, step = windows(rng, arrays, count, side, space.channels)
        z = net(y_hat, step)
        if phase == 0:
            loss = ((z - y).square().mean((1, 2, 3)) / held.reference(step)[2]).mean()
        else:
            loss = shown_loss(decoder, alex, held, x, y, z, step)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
        updates += 1
        losses.append(float(loss.detach()))
        with torch.no_grad():
            for m, p in zip(mean.parameters(), net.parameters(), strict=True):
                m.lerp_(p, max(1 - MEAN_DECAY, 1 / (updates + 1)))
        if time.monotonic() - looked > options.every:
            look(held.look(mean))
            looked = time.monotonic()
    look(held.look(mean))


if __name__ == "__main__":
    main()
