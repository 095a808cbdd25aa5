"""Train the lp1 model:  python training/train.py --hours 2 [--resume] [--data DIR] [--out runs/lp1]

Loss a level:  lambda * 65025 * MSE + beta * P + bpp, balanced over the levels by their rate, where P is a weighted sum of
LPIPS(AlexNet), LPIPS(VGG16) and the texture distance of VGG16's features, the latter two on a cut of one crop a step, for they cost much.
Every 10 minutes a checkpoint (EMA weights, float32) in OUT/last.safetensors; every 15 a line of R-D points of the
held-out images in OUT/log.txt. The learning rate ends with the budget. CUDA is used when present; on CPUs, a process a
core, gradients averaged.
"""
import argparse
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

import workers
from data import Crops, validation
from latentpress.optimize.loss import half_precision
from layer_distance import LayerDistance
from networks import LEVELS, RATES, Codec
from optimizers import Optimizers, learning_rate
from perceptual import Lpips
from quantised import Quantised

LAMBDA = lambda rate: 0.058 * rate**1.85 / (1 + 0.45 * rate**1.2)   # share of squared error; the quotient bends the top down
BETA = lambda rate: 20.0 * rate**1.7 / (1 + 0.68 * rate**1.2)       # share of the perceptual distance
ALEX_SHARE, VGG_SHARE, TEXTURE_SHARE = 0.65, 0.4, 0.24              # of LPIPS (AlexNet), LPIPS (VGG16) and the texture distance in it
CLIP = 2.0
PRIOR_FIRST = 0.02                          # share of the budget that trains a fresh prior against fixed transforms
CROPS, LARGE_CROPS = (4, 192), (3, 256)     # crops a process and step, pixels a side; large ones towards the end
SYNTHESIS_CROPS = (2, 256)                  # where it alone learns: VGG16, half of such a step's time, sees one of them
LPIPS_STRIDE = 4                            # of AlexNet's first layer
VGG_CUT = 160                               # pixels a side
CHECKPOINT_SECONDS, EVALUATE_SECONDS = 600, 900


def vgg_distance(vgg: Lpips, x: Tensor, x_hat: Tensor) -> Tensor:
    """Weighted LPIPS(VGG16) and texture distance (N,): those of the first image, times N, 0 for the others: right on average."""
    top, left = torch.randint(x.shape[2] - VGG_CUT + 1, (2,)).tolist()
    f, g = (vgg.features(t[:1, :, top:top + VGG_CUT, left:left + VGG_CUT]) for t in (x, x_hat))
    layers = torch.stack([LayerDistance.apply(b, a, w) for a, b, w in zip(f, g, vgg.linear, strict=True)])
    return F.pad((VGG_SHARE * layers[:, :1].sum(0) + TEXTURE_SHARE * layers[:, 1:].mean(0)) * len(x), (0, len(x) - 1))


def loss_terms(net: Codec | Quantised, alex: Lpips, vgg: Lpips, x: Tensor, level: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Mean balanced loss of a batch x (N, 3, H, W) in [0, 1], and its parts for the log."""
    with half_precision(x.device.type):
        x_hat, bits = net(x * 2 - 1, level)
        x_hat = x_hat / 2 + 0.5
        top, left = torch.randint(LPIPS_STRIDE, (2,)).tolist()  # else synthesis hides a grid where the stride does not look
        lpips = alex(x[:, :, top:, left:], x_hat[:, :, top:, left:]).float()
        deep = vgg_distance(vgg, x, x_hat)
    inside = x_hat.clamp(-0.3, 1.3)
    mse = ((inside - x) ** 2).mean((1, 2, 3)) + 0.01 * (x_hat - inside).abs().clamp(max=5).mean((1, 2, 3))
    bpp = bits / (x.shape[2] * x.shape[3])
    rate = RATES[0] * (RATES[-1] / RATES[0]) ** (level / (LEVELS - 1))
    loss = (LAMBDA(rate) * 65025 * mse + BETA(rate) * (ALEX_SHARE * lpips + deep) + bpp) / rate**0.9
    parts = {"loss": loss, "mse": mse, "lpips": lpips, "vgg": deep, "bpp": bpp}
    return loss.mean(), {name: t.mean().item() for name, t in parts.items()}


@torch.inference_mode()
def evaluate(net: Codec | Quantised, alex: Lpips, vgg: Lpips, images: list[Tensor], device: str) -> str:
    """Bits, PSNR and LPIPS (AlexNet) of whole images and LPIPS (VGG16) of their middles at every other level, with true rounding."""
    out = []
    for q in range(0, LEVELS, 2):
        rows = []
        for x in images[workers.rank()::workers.count()]:
            x = x.to(device)
            x_hat, bits = net(x.contiguous(memory_format=torch.channels_last) * 2 - 1, torch.tensor([float(q)], device=device), hard=True)
            x_hat = ((x_hat / 2 + 0.5).clamp(0, 1) * 255).round() / 255
            (top, left), (h, w) = (x.shape[2] // 4, x.shape[3] // 4), (x.shape[2] // 2, x.shape[3] // 2)
            middle = [t[:, :, top:top + h, left:left + w] for t in (x, x_hat)]
            psnr = -10 * math.log10(float(((x_hat - x) ** 2).mean()))
            rows.append((float(bits) / x[0, 0].numel(), psnr, float(alex(x, x_hat)), float(vgg(*middle))))
        bpp, psnr, distance, deep = workers.mean(list(np.sum(rows, 0) * workers.count() / len(images)))
        out.append(f"q{q} {bpp:.3f} {psnr:.2f} {distance:.3f} {deep:.3f}")
    return "VAL level bpp PSNR LPIPS VGG16's | " + " | ".join(out)


def train(args: argparse.Namespace) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    first, seed, out = workers.rank() == 0, args.seed + workers.rank(), Path(args.out)
    torch.manual_seed(seed)
    crops, held, alex, vgg = Crops(args.data, seed), validation(args.data), Lpips("alex", device), Lpips("vgg", device)
    net, fresh = Codec(), list[str]()
    if args.resume:
        from shipped import load_shipped
        load_shipped(net)
    elif args.init:
        fresh = net.load_state_dict(load_file(args.init), strict=False).missing_keys
        if first:
            print("fresh:", sorted({".".join(k.split(".")[:2]) for k in fresh}), flush=True)
    net = net.to(device=device, memory_format=torch.channels_last)
    codec = Quantised(net) if args.synthesis_only else net
    prior_first, frozen, since = (PRIOR_FIRST if fresh else 0.0), bool(fresh), 0
    if frozen:
        for part in (net.ga, net.gs):
            part.requires_grad_(False)
    optimizers = Optimizers(net, args.lr, args.optimizer == "muon")
    ema = {k: v.clone() for k, v in net.state_dict().items()}
    start, now, budget, step, skipped = time.time(), 0.0, args.hours * 3600, 0, 0
    recent: list[float] = []
    rows: list[dict[str, float]] = []
    next_checkpoint, next_evaluation = CHECKPOINT_SECONDS, EVALUATE_SECONDS

    def log(line: str) -> None:
        if first:
            print(line, flush=True)
            with (out / "log.txt").open("a") as f:
                f.write(line + "\n")

    def save() -> None:
        if first:
            save_file({k: v.contiguous() for k, v in ema.items()}, out / "partial.safetensors")
            (out / "partial.safetensors").replace(out / "last.safetensors")

    def evaluate_ema() -> None:
        kept = {k: v.clone() for k, v in net.state_dict().items()}
        net.load_state_dict(ema)
        log(f"{now:5.0f} s step {step} {evaluate(codec, alex, vgg, held, device)}")
        net.load_state_dict(kept)

    evaluate_ema()
    while now < budget:
        share = now / budget
        if frozen and share >= prior_first:  # the transforms join, with a warm-up of their own: Adam's first steps are all full size
            frozen, since = False, step
            net.requires_grad_(True)
        n, size = SYNTHESIS_CROPS if args.synthesis_only else LARGE_CROPS if share >= args.large_from else CROPS
        loss, terms = loss_terms(codec, alex, vgg, crops.batch(n, size).to(device), torch.rand(n, device=device) * (LEVELS - 1))
        step += 1
        net.zero_grad(set_to_none=True)
        loss.backward()
        now, *values = workers.mean([time.time() - start, *terms.values()])     # the same clock and the same losses everywhere
        terms = dict(zip(terms, values, strict=True))
        recent = [*recent[-199:], terms["loss"]]
        if not terms["loss"] < 4 * np.median(recent):  # a spike, or not a number: skip it
            skipped += 1
            continue
        workers.average_gradients(list(net.parameters()))
        torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        rate = args.lr * learning_rate(step - since, share, args.warm_up)
        optimizers.step(rate)
        with torch.no_grad():
            decay = 0.002 if step > 4000 else 0.005 if step > 1500 else 0.05
            for k, v in net.state_dict().items():
                ema[k].lerp_(v, decay)
        rows = [*rows[-249:], terms]
        if step % 250 == 0:
            m = {k: np.median([r[k] for r in rows]) for k in terms}
            log(f"{now:5.0f} s step {step} lr {rate:.1e} loss {m['loss']:.4f} psnr {-10 * math.log10(m['mse']):.2f} "
                f"lpips {m['lpips']:.4f} vgg {m['vgg']:.4f} bpp {m['bpp']:.3f} skipped {skipped}")
        if now > next_checkpoint:
            next_checkpoint += CHECKPOINT_SECONDS
            save()
        if now > next_evaluation:
            next_evaluation += EVALUATE_SECONDS
            evaluate_ema()
    save()
    evaluate_ema()


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--hours", type=float, required=True)
    ap.add_argument("--data", default=str(Path(__file__).parents[2] / "shared/data/train"))
    ap.add_argument("--out", default=str(Path(__file__).parents[1] / "runs/lp1"))
    ap.add_argument("--init", help="a .safetensors file of Codec weights to start from")
    ap.add_argument("--resume", action="store_true", help="start from the shipped model")
    ap.add_argument("--synthesis-only", action="store_true", help="a last run on what the shipped coder's symbols stand for; with --resume")
    ap.add_argument("--optimizer", choices=("adam", "muon"), default="adam")
    ap.add_argument("--lr", type=float, default=4e-4, help="highest learning rate")
    ap.add_argument("--warm-up", type=int, default=500, help="steps")
    ap.add_argument("--large-from", type=float, default=0.6, help="share of the budget after which crops are larger (borders weigh less)")
    ap.add_argument("--processes", type=int, default=1 if torch.cuda.is_available() else min(2, os.cpu_count() or 1))
    ap.add_argument("--seed", type=int, default=int(time.time()))
    args = ap.parse_args()
    if args.synthesis_only and not args.resume:
        ap.error("--synthesis-only learns on the shipped coder's symbols: it needs --resume")
    Path(args.out).mkdir(parents=True, exist_ok=True)
    workers.run(train, args.processes, args)


if __name__ == "__main__":
    main()
