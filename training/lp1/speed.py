"""What a step costs: operations, the time of its parts, and a matrix product to compare with."""

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from training.data.crops import cut
from training.data.plan import FLOATS
from training.lp1.learner import EAGER_STEPS, Learner, bfloat16
from training.optimizers.together import Together

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
    learner.prepare(size)
    learner.send(size)
    with FlopCounterMode(display=False) as counter:
        learner.compute()
    learner.take_counters()
    learner.size = None
    return counter.get_total_flops() / (n * side**2)


def parts_of_a_step(learner: Learner, repeats: int = 5) -> dict[str, float]:
    """Milliseconds of the parts of a step, each alone and not captured, medians of some repeats.

    "gradients" is crops, networks and losses together; "step" the whole as it runs in training,
    captured where it is. The learner is as before, but for its plans.
    """
    before = learner.flat.values.clone(), learner.average.clone(), learner.usual.clone()
    momenta = {name: t.clone() for name, t in learner.optimizer.state.items()}
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

    jobs: dict[str, Callable[[], object]] = {
        "crops": lambda: cut(learner.pixels, *learner.plan, size[1]),
        "networks": networks,
        "losses": losses,
        "gradients": learner.compute,
        "update": learner.update,
        "step": lambda: learner.step(0.0),
    }
    out = {}
    for name, job in jobs.items():
        for _ in range(EAGER_STEPS + 1):
            job()
        out[name] = 1000 * median_seconds(job, learner.device, repeats)
    kept = (learner.flat.values, learner.average, learner.usual)
    for tensor, value in zip(kept, before, strict=True):
        tensor.copy_(value)
    learner.optimizer = Together(learner.variant.optimizer, learner.flat)
    for name, state in learner.optimizer.state.items():
        state.copy_(momenta[name])
    learner.take_counters()
    learner.steps = learner.pixels_seen = 0
    learner.size = None
    return out


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
