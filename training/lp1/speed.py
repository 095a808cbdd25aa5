"""What a step costs: operations, the time of its parts, and a matrix product to compare with."""

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from training.data.crops import cut
from training.data.plan import FLOATS
from training.lp1.blocks import Layout
from training.lp1.learner import EAGER_STEPS, Learner
from training.precision import bfloat16

PRODUCT = {"cuda": (8192, torch.bfloat16), "cpu": (1024, torch.float32)}  # side, type
REPEATS = 10


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
