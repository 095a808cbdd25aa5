"""Train a restoration.

    python -m training.sd_restoration.train sd15 PACKS WEIGHTS/taesd --minutes 40

Two phases on a budget of wall-clock time, one thread. First the latent's squared error alone, on
windows of the latent; then through the frozen tiny decoder, in bfloat16 where the processor has it:

    MSE / MSE_0 + LPIPS / LPIPS_0 + LATENT_SHARE x (latent MSE) / (latent MSE)_0

where ..._0 are what plain rounding has at that step, so that all steps count alike. Writes
runs/restoration/SPACE.pt (a mean over the updates) and SPACE.csv, a row a look and setting:
seconds, updates, loss, quality, error weight, and on the held-out photographs PSNR, LPIPS and
latent MSE.
"""

import argparse
import copy
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor, nn

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
WARM_UP = 20  # updates
# Of each phase: windows of a batch, and latent positions of a side.
BATCHES = ((16, 24), (3, 26))
EDGE = 16  # pixels about the second phase's windows that do not count
LATENT_SHARE = 0.25
MEAN_DECAY = 0.99
CLIP = 1.0
# (quality, error weight) of the looks
HELD = ((50, None), (30, None), (30, 20.0), (15, None), (15, 20.0), (0, None))
# What is looked at of a held-out photograph of 512 x 512: latent positions, and its pixels.
LOOKED_AT = slice(12, 52)
LOOKED_AT_PIXELS = slice(96, 416)

Restore = Callable[[Tensor, Tensor], Tensor]  # y_hat (N, C, h, w), step (N,) -> z


class Decoder:
    """The frozen tiny decoder of a folder of weights."""

    def __init__(self, folder: str) -> None:
        decoder = AutoencoderTiny.from_pretrained(folder).decoder.eval().requires_grad_(False)
        self.net = decoder.to(memory_format=torch.channels_last)

    def __call__(self, z: Tensor) -> Tensor:
        """Latents (N, C, h, w) -> pixels (N, 3, 8 h, 8 w), about [0, 1]."""
        with half_precision():
            return self.net(z.contiguous(memory_format=torch.channels_last)).float() / 2 + 0.5


class Held:
    """Held-out photographs, and their latents quantized at every setting of HELD.

    Args:
        space: Of the latents in runs/priors/SPACE-held.npy.
        packs: Where the photographs are.
        decoder: Of the space.
        alex: The feature extractor of LPIPS.

    Attributes:
        plain: What `look` gives for latents as they are decoded, without restoration.
    """

    def __init__(self, space: Space, packs: Path, decoder: Decoder, alex: Trunk) -> None:
        self.decoder = decoder
        self.alex = alex
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
    def look(self, restore: Restore) -> np.ndarray:
        """(settings, 3): means over the photographs of image MSE, LPIPS and latent MSE."""
        rows = []
        for y_hat, step in zip(self.y_hat, self.steps, strict=True):
            z = restore(y_hat, torch.full((len(y_hat),), step))
            found = [self.distances(*one) for one in zip(z, self.y, self.x, strict=True)]
            rows.append(np.mean(found, 0))
        return np.array(rows)

    def distances(self, z: Tensor, y: Tensor, x: Tensor) -> list[float]:
        """Image MSE, LPIPS and latent MSE of one restored latent z (C, h, w).

        y (C, h, w) is what was coded, x (3, 8 h, 8 w) in [0, 1] its photograph.
        """
        decoded = self.decoder(z[None, :, LOOKED_AT, LOOKED_AT])
        shown = (decoded.clamp(0, 1) * 255).round() / 255
        pixels = x[None, :, LOOKED_AT_PIXELS, LOOKED_AT_PIXELS]
        mse = float((shown - pixels).square().mean())
        return [mse, float(lpips(self.alex, pixels, shown)), float((z - y).square().mean())]

    def reference(self, step: Tensor) -> list[Tensor]:
        """Image MSE, LPIPS and latent MSE of plain rounding at steps (N,), (N,) each.

        They are interpolated between the settings without dead zones, logarithms linearly.
        """
        plain = sorted(
            (s, *row)
            for s, (_, weight), row in zip(self.steps, HELD, self.plain, strict=True)
            if weight is None
        )
        table = np.log(np.array(plain))
        x = step.log().numpy()
        at = lambda column: np.exp(np.interp(x, table[:, 0], column))
        return [torch.from_numpy(at(column)).float() for column in table.T[1:]]


def windows(
    rng: np.random.Generator, arrays: dict[str, np.ndarray], count: int, side: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random windows of what `training.sd_restoration.data` wrote.

    Returns:
        Pixels (N, 3, 8 side, 8 side) in [0, 1], y and y_hat (N, C, side, side), step (N,).
    """
    x, y, y_hat, step = [], [], [], []
    for i in rng.integers(len(arrays["y"]), size=count):
        k = rng.integers(arrays["step"].shape[1])
        r, c = rng.integers(arrays["y"].shape[2] - side + 1, size=2)
        x.append(arrays["pixels"][i, 8 * r : 8 * (r + side), 8 * c : 8 * (c + side)])
        y.append(arrays["y"][i, :, r : r + side, c : c + side])
        y_hat.append(arrays["y_hat"][i, k, :, r : r + side, c : c + side])
        step.append(arrays["step"][i, k])
    as_floats = lambda parts: torch.from_numpy(np.stack(parts)).float()
    pixels = as_floats(x).permute(0, 3, 1, 2) / 255
    return pixels, as_floats(y), as_floats(y_hat), torch.tensor(np.array(step))


def latent_loss(held: Held, y: Tensor, z: Tensor, step: Tensor) -> Tensor:
    """The loss of the first phase, a number: see `shown_loss`."""
    return ((z - y).square().mean((1, 2, 3)) / held.reference(step)[2]).mean()


def shown_loss(held: Held, x: Tensor, y: Tensor, z: Tensor, step: Tensor) -> Tensor:
    """The loss of the second phase, a number.

    Args:
        held: Says what plain rounding has; has the decoder and LPIPS.
        x: (N, 3, 8 h, 8 w) in [0, 1], pixels.
        y: (N, C, h, w) their latents.
        z: (N, C, h, w) restored latents.
        step: (N,) of their quantization.
    """
    inner = (..., slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    x = x[inner]
    x_hat = held.decoder(z)[inner]
    distance = lpips(held.alex, *random_phase(x, x_hat))
    mse, distance_0, latent = held.reference(step)
    terms = (
        (x_hat - x).square().mean((1, 2, 3)) / mse
        + distance / distance_0
        + LATENT_SHARE * (z - y).square().mean((1, 2, 3)) / latent
    )
    return terms.mean()


def rate_at(phase: int, share: float, updates: int) -> float:
    """The learning rate at a share of a phase, after some updates of both."""
    cosine = 0.5 * (1 + math.cos(math.pi * share))
    return RATES[phase] * min(1, (updates + 1) / WARM_UP) * (0.01 + 0.99 * cosine)


class Report:
    """Writes how a restoration does, and its weights.

    Args:
        out: Path of what is written, without its suffix.
        plain: `Held.plain`.
        mean: The averaged network.

    Attributes:
        start: When training began, by time.monotonic.
    """

    def __init__(self, out: Path, plain: np.ndarray, mean: nn.Module) -> None:
        self.out = out
        self.plain = plain
        self.mean = mean
        self.start = time.monotonic()
        self.log = out.with_suffix(".csv").open("w", encoding="utf-8")
        print("seconds,updates,loss,quality,error_weight,psnr,lpips,latent_mse", file=self.log)

    def __call__(self, rows: np.ndarray, updates: int, losses: list[float]) -> None:
        """Enter what `Held.look` gave after some updates. losses: of those since the last time."""
        seconds = f"{time.monotonic() - self.start:.0f}"
        loss = f"{np.mean(losses) if losses else math.nan:.4f}"
        ratios = [f"{r:.4f}" for r in (rows / self.plain).mean(0)]
        print(f"{seconds} s, {updates} updates, loss {loss}; against plain:", *ratios, flush=True)
        for (quality, weight), (mse, distance, latent) in zip(HELD, rows, strict=True):
            numbers = f"{-10 * math.log10(mse):.3f},{distance:.4f},{latent:.5f}"
            row = f"{seconds},{updates},{loss},{quality},{weight or ''},{numbers}"
            print(row, file=self.log, flush=True)
        torch.save(self.mean.state_dict(), self.out.with_suffix(".pt"))


@torch.no_grad()
def follow(mean: nn.Module, net: nn.Module, updates: int) -> None:
    """Move the averaged network after an update: a plain mean at first, then a decaying one."""
    share = max(1 - MEAN_DECAY, 1 / (updates + 1))
    for m, p in zip(mean.parameters(), net.parameters(), strict=True):
        m.lerp_(p, share)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("space")
    parser.add_argument("packs", type=Path)
    parser.add_argument("decoder", help="folder of the tiny autoencoder's weights")
    parser.add_argument("--latent-minutes", type=float, default=4, help="of the first phase")
    parser.add_argument("--minutes", type=float, default=40, help="of both phases")
    parser.add_argument("--resume", action="store_true", help="go on from the shipped restoration")
    parser.add_argument(
        "--out", help="name of what is written, in runs/restoration; default: the space's"
    )
    parser.add_argument(
        "--every", type=float, default=240, help="seconds between looks at the held-out photographs"
    )
    return parser.parse_args()


def main() -> None:
    """Train until the time is over."""
    options = parse()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    space = space_of_codec(options.space)
    with np.load(OUT / f"{options.space}.npz") as f:
        arrays = dict(f)
    decoder = Decoder(options.decoder)
    alex = load_trunks(options.packs / LPIPS, "cpu", torch.float32)[0]
    held = Held(space, options.packs, decoder, alex)
    net = Restoration(space.channels).to(memory_format=torch.channels_last)
    if options.resume:
        load_shipped(net, space.name)
    mean = copy.deepcopy(net)
    report = Report(OUT / (options.out or options.space), held.plain, mean)
    optimizer = torch.optim.Adam(net.parameters(), RATES[0], betas=(0.9, 0.98))
    report(held.plain, 0, [])
    updates = 0
    losses: list[float] = []  # since the last look
    budget = 60 * options.minutes
    first = 60 * options.latent_minutes
    phase = 0
    looked = time.monotonic()
    report.start = time.monotonic()
    while (now := time.monotonic() - report.start) < budget:
        if phase == 0 and now >= first:
            phase = 1
            report(held.look(mean), updates, losses)
            losses = []
        share = now / first if phase == 0 else (now - first) / (budget - first)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(phase, share, updates)
        x, y, y_hat, step = windows(rng, arrays, *BATCHES[phase])
        z = net(y_hat, step)
        in_latent = phase == 0
        loss = latent_loss(held, y, z, step) if in_latent else shown_loss(held, x, y, z, step)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
        updates += 1
        losses.append(float(loss.detach()))
        follow(mean, net, updates)
        if time.monotonic() - looked > options.every:
            report(held.look(mean), updates, losses)
            losses = []
            looked = time.monotonic()
    report(held.look(mean), updates, losses)


if __name__ == "__main__":
    main()
