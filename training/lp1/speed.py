"""What a step costs: floating-point operations, and the rate of a large matrix product."""

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from training.lp1.learner import Learner

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

    It runs such a step on the first size of crops, without an update; what the step counted is
    forgotten.
    """
    size = learner.variant.crops_at(0.0)
    learner._open(size)
    learner._send(size)
    with FlopCounterMode(display=False) as counter:
        learner._compute()
    learner.take_counters()
    learner.size = None
    return counter.get_total_flops() / (size[0] * size[1] ** 2)


def parts_of_a_step(learner: Learner, repeats: int = 5) -> dict[str, float]:
    """Milliseconds of the parts of a step, each alone and not captured, as the median of repeats.

    "step" is the whole as it runs in training.
    """
    from training.data.crops import cut

    size = learner.variant.crops_at(0.0)
    learner.step(0.0)
    x, text = cut(learner.pixels, *learner.plan, size[1])
    level = learner.plan[1][-1]
    x_hat = (x + 0.01).requires_grad_()
    distances = learner.distances

    def networks() -> None:
        from training.lp1.learner import bfloat16

        with bfloat16(learner.device):
            coded = learner.net(x * 2 - 1, level)
        (coded.x_hat.mean() + coded.bits.mean()).backward()

    def losses() -> None:
        parts = distances(x, x_hat, text)
        torch.stack(list(parts)).sum().backward()

    jobs = {
        "crops": lambda: cut(learner.pixels, *learner.plan, size[1]),
        "networks": networks,
        "losses": losses,
        "update": learner._update,
        "step": lambda: learner.step(0.0),
    }
    out = {}
    for name, job in jobs.items():
        for _ in range(4):  # the fourth step is captured
            job()
        times = []
        for _ in range(repeats):
            synchronize(learner.device)
            start = time.perf_counter()
            job()
            synchronize(learner.device)
            times.append(time.perf_counter() - start)
        out[name] = 1000 * sorted(times)[repeats // 2]
    return out
