"""What a step costs: operations, the time of its parts, and a matrix product to compare with."""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from training.data.crops import cut
from training.data.plan import FLOATS
from training.losses.layer_distance import Kernels, LayerDistance
from training.lp1.blocks import Layout
from training.lp1.capture import reason
from training.lp1.learner import EAGER_STEPS, Learner
from training.precision import bfloat16

PRODUCT = {"cuda": (8192, torch.bfloat16), "cpu": (1024, torch.float32)}  # side, type
REPEATS = 10
KERNELS_OFF = 0.01  # largest relative difference of Triton's kernels; bfloat16 rounds by less
WIDTHS = (64, 128, 192, 256, 384, 512)  # channels of maps of AlexNet and VGG16
LARGEST_MAP = (20, 64, 256)  # pictures, channels, side: what kernels are timed on


def synchronize(device: str) -> None:
    """Wait for the device."""
    if device == "cuda":
        torch.cuda.synchronize()


def product_rate(device: str) -> float:
    """Floating-point operations a second of a square matrix product on random numbers."""
    side, dtype = PRODUCT[device]
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    for _ in range(3):
        a @ b
    synchronize(device)
    start = time.perf_counter()
    for _ in range(REPEATS):
        a @ b
    synchronize(device)
    return 2 * side**3 * REPEATS / (time.perf_counter() - start)


def operations_per_pixel(learner: Learner) -> float:
    """Of convolutions and matrix products in one step's losses and gradients.

    It computes the gradients of one batch of the first size, which also lets libraries choose
    their algorithms before the clock starts. Nothing is updated.
    """
    n, side = size = learner.variant.crops_at(0.0)
    with learner.trial():
        learner.prepare(size)
        learner.send(size)
        with FlopCounterMode(display=False) as counter:
            learner.compute()
    return counter.get_total_flops() / (n * side**2)


def parts_of_a_step(learner: Learner, repeats: int = 5) -> dict[str, float]:
    """Milliseconds of the parts of a step, each alone and not captured, medians of some repeats.

    "gradients" is crops, networks and losses together; "step" the whole as it runs in training,
    captured where it is. The learner is as before, but for its plans.
    """
    with learner.trial():
        out = {}
        for name, job in jobs_of_a_step(learner).items():
            for _ in range(EAGER_STEPS + 1):
                job()
            out[name] = 1000 * median_seconds(job, learner.device, repeats)
        return out


def jobs_of_a_step(learner: Learner) -> dict[str, Callable[[], object]]:
    """The parts of a step, by name, see `parts_of_a_step`. They are run in a learner's trial."""
    size = learner.variant.crops_at(0.0)
    learner.step(0.0)
    x, text = cut(learner.pixels, *learner.plan, size[1])
    level = learner.plan[1][FLOATS.index("level")]
    x_hat = (x + 0.01).requires_grad_()

    def networks() -> None:
        with bfloat16(learner.device):
            coded = learner.net(x * 2 - 1, level)
        (coded.x_hat.mean() + coded.bits.mean()).backward()

    def losses() -> None:
        parts = learner.distances(x, x_hat, text)
        torch.stack(list(parts)).sum().backward()

    return {
        "crops": lambda: cut(learner.pixels, *learner.plan, size[1]),
        "networks": networks,
        "losses": losses,
        "gradients": learner.compute,
        "update": learner.update,
        "step": lambda: learner.step(0.0),
    }


def choose_layout(device: str, channels: int = 192, side: int = 32, n: int = 20) -> str:
    """Measure which kernel depthwise convolutions take, and let them take the faster one.

    Returns:
        What was found, for the log.
    """
    weight = torch.randn(channels, 1, 3, 3, device=device, requires_grad=True)
    x = torch.randn(n, channels, side, side, device=device)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    times = {}

    def both_ways() -> None:
        with bfloat16(device):
            filters, maps = weight * 1, x * 1
            if Layout.plain:
                filters, maps = filters.contiguous(), maps.contiguous()
            else:
                filters = filters.contiguous(memory_format=torch.channels_last)
            y = torch.nn.functional.conv2d(maps, filters, None, 1, 1, groups=channels)
            y = y.contiguous(memory_format=torch.channels_last)
        y.float().square().mean().backward()

    for plain in (True, False):
        Layout.plain = plain
        for _ in range(EAGER_STEPS):
            both_ways()
        times[plain] = 1000 * median_seconds(both_ways, device, REPEATS)
    Layout.plain = times[True] < times[False]
    chosen = "planes" if Layout.plain else "channels last"
    return f"depthwise: planes {times[True]:.2f} ms, channels last {times[False]:.2f}: {chosen}"


def choose_kernels(device: str) -> str:
    """Hold Triton's kernels of layer distances against torch's, on maps of every width that AlexNet
    and VGG16 have, and let the loss take them where they give the same in less time.

    Returns:
        What was found, for the log.
    """
    try:
        for channels in WIDTHS:
            maps = _maps(device, 3, channels, 13)
            own, plain = (_distances(fused, *maps) for fused in (True, False))
            for a, b in zip(own, plain, strict=True):
                off = float((a.float() - b.float()).norm() / b.float().norm())
                if not off < KERNELS_OFF:
                    raise FloatingPointError(f"off by {off:.2g} at {channels} channels")
        maps = _maps(device, *LARGEST_MAP)
        times = {}
        for fused in (True, False):
            _distances(fused, *maps)
            job = partial(_distances, fused, *maps)
            times[fused] = 1000 * median_seconds(job, device, REPEATS)
    except Exception as error:  # of Triton, its compiler, the driver
        Kernels.fused = False
        return f"layer distances: torch ({reason(error)})"
    Kernels.fused = times[True] < times[False]
    chosen = "kernels" if Kernels.fused else "torch"
    shown = f"kernels {times[True]:.2f} ms, torch {times[False]:.2f}"
    return f"layer distances: {shown}: {chosen}"


def _maps(device: str, n: int, channels: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Two random maps, and LPIPS's weights."""
    shape = (n, side, side, channels)
    f, g = (torch.randn(shape, device=device).relu_().permute(0, 3, 1, 2) for _ in range(2))
    return f.bfloat16(), g.bfloat16(), torch.rand(channels, device=device)


def _distances(fused: bool, f: Tensor, g: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """The distances of two maps, and the gradient of their sum."""
    Kernels.fused = fused
    g = g.detach().requires_grad_()
    found = LayerDistance.apply(g, f, w)
    (gradient,) = torch.autograd.grad(found.sum(), g)
    return found.detach(), gradient


def median_seconds(job: Callable[[], object], device: str, repeats: int) -> float:
    """Of some runs, each waited for."""
    times = []
    for _ in range(repeats):
        synchronize(device)
        start = time.perf_counter()
        job()
        synchronize(device)
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]
