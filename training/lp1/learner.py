"""One variant that learns: its network, its optimizer, and a step that never waits for the host.

A step has three parts: the host puts a plan of crops and three numbers on the device; `compute`
makes the gradients; `update` moves the parameters. On CUDA the last two are captured (`capture`,
for each size of crops) and replayed.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from training.data.crops import cut
from training.data.plan import FLOATS, INTEGERS, Planner
from training.losses.discriminator import BETAS, Discriminator, deceiving, telling_apart
from training.losses.parts import Distances, Parts, weighted
from training.lp1.capture import CaptureError, Pool
from training.lp1.codec import Codec, rate_of
from training.lp1.shape import LEVELS
from training.lp1.variant import Variant
from training.optimizers.adam import Adam
from training.optimizers.flat import FlatParameters
from training.optimizers.together import Together, averaging_weight, learning_rate
from training.precision import bfloat16

SPIKE = 4.0  # times the usual loss: such a step is skipped
USUAL = 0.02  # weight of a loss in the usual one
EAGER_STEPS = 3  # before a size is captured
AHEAD = 2  # steps that the host may be ahead of the device
RING = 8  # plans on their way to the device; more than AHEAD
COUNTERS = ("loss", *Parts._fields, "bpp", "adversarial", "skipped", "steps")


def learns(name: str, parts: tuple[str, ...]) -> bool:
    """Whether a parameter is one of the parts, or lies in one: "gs" or "gs.trunk"."""
    return any(name == part or name.startswith(f"{part}.") for part in parts)


@dataclass
class Prepared:
    """What steps with one size of crops need.

    Attributes:
        plan: On the device.
        ring: Plans on their way there.
        compute: The first part of a step, captured or not.
    """

    plan: list[Tensor]
    ring: list[list[Tensor]]
    compute: Callable[[], None]


class Learner:
    """Trains one variant.

    Args:
        variant: What it is.
        device: "cuda" or "cpu".
        pixels: int32 (P,), the store's.
        planner: Of the crops.
        distances: Parts of its loss.
        pool: Of the graphs, where several learners share it.

    Raises:
        ValueError: A part that shall learn, or begin fresh, is none of the codec's.
    """

    def __init__(
        self,
        variant: Variant,
        device: str,
        pixels: Tensor,
        planner: Planner,
        distances: Distances,
        pool: Pool | None = None,
    ) -> None:
        self.variant, self.device, self.pixels = variant, device, pixels
        self.planner, self.distances = planner, distances
        self.pool = pool or Pool()
        self.net = Codec(variant.shape).to(device)
        for part in (*variant.learn, *variant.fresh):
            if not any(learns(name, (part,)) for name, _ in self.net.named_parameters()):
                raise ValueError(f"{part!r} is no part of the codec that could learn or be fresh")
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(learns(name, variant.learn))
        self.flat = FlatParameters(self.net)
        self.optimizer = Together(variant.optimizer, self.flat)
        self.average = self.flat.values.clone()
        number = lambda value=0.0: torch.full((), value, device=device)
        self.rate, self.averaging, self.adversarial = number(), number(), number()
        self.usual = number(float("inf"))
        self.counters = torch.zeros(len(COUNTERS), device=device)
        self.discriminator: Discriminator | None = None
        if variant.loss.adversarial:
            width = variant.discriminator_width
            self.discriminator = Discriminator(variant.shape.latent, width).to(device)
            self.flat_discriminator = FlatParameters(self.discriminator)
            self.discriminator_optimizer = Adam(self.flat_discriminator, betas=BETAS)
        self.fresh: list[str] = []  # modules whose weights no source had
        self.steps = 0
        self.pixels_seen = 0
        self.size: tuple[int, int] | None = None
        self.prepared: dict[tuple[int, int], Prepared] = {}
        self.run_update: Callable[[], None] = self.update
        self.caution = 1.0  # of the learning rate, see `recover`
        self.waiting: list[Any] = []

    def start_from(self, state: dict[str, Tensor]) -> None:
        """Take over weights. Those that are missing stay fresh, and so do the parts that the
        variant wants fresh.

        Raises:
            ValueError: One is unknown, or of another shape.
        """
        taken = {n: t for n, t in state.items() if not learns(n, self.variant.fresh)}
        own = self.net.state_dict()
        for name, t in taken.items():
            if name in own and own[name].shape != t.shape:
                shapes = f"{tuple(t.shape)}, the network's {tuple(own[name].shape)}"
                raise ValueError(f"{name} has the shape {shapes}")
        missing, unknown = self.net.load_state_dict(taken, strict=False)
        if unknown:
            raise ValueError(f"no such parameter: {unknown[0]}")
        learned = dict(self.net.named_parameters())
        self.fresh = sorted({name.rsplit(".", 1)[0] for name in missing if name in learned})
        self.average.copy_(self.flat.values)

    def start_discriminator(self, state: dict[str, Tensor]) -> bool:
        """Take over a discriminator's weights. Returns whether they are of its shape; else it stays
        fresh.
        """
        assert self.discriminator is not None
        own = self.discriminator.state_dict()
        if {n: t.shape for n, t in own.items()} != {n: t.shape for n, t in state.items()}:
            return False
        self.discriminator.load_state_dict({name: t.float() for name, t in state.items()})
        return True

    def step(self, share: float) -> None:
        """One step at a share of the budget, 0 to 1."""
        variant = self.variant
        size = variant.crops_at(share)
        if size != self.size:
            self.prepare(size)
        self.send(size)
        of_highest = learning_rate(self.steps, share, variant.warm_up)
        self.rate.fill_(self.caution * variant.rate * of_highest)
        self.averaging.fill_(averaging_weight(self.steps + 1, variant.averaging))
        start = variant.loss.adversarial_from
        grown = min(1.0, max(0.0, (share - start) / start)) if start else 1.0
        self.adversarial.fill_(variant.loss.adversarial * grown)
        self.run_compute()
        self._exchange()
        self.run_update()
        self.steps += 1
        self.pixels_seen += size[0] * size[1] ** 2
        self.optimizer.refresh(self.steps)
        self._throttle()

    def prepare(self, size: tuple[int, int]) -> None:
        """Be ready for crops of a size (n, side)."""
        self.size = size
        if size not in self.prepared:
            self.prepared[size] = self._place(size[0])
        self.plan, self.ring = self.prepared[size].plan, self.prepared[size].ring

    def _place(self, n: int) -> Prepared:
        """Places for plans of n crops."""
        pinned = self.device == "cuda"
        shapes = ((len(INTEGERS), n, torch.int64), (len(FLOATS), n, torch.float32))
        plan = [torch.zeros(a, b, dtype=t, device=self.device) for a, b, t in shapes]
        ring = [
            [torch.zeros(a, b, dtype=t, pin_memory=pinned) for a, b, t in shapes]
            for _ in range(RING)
        ]
        return Prepared(plan, ring, self.compute)

    def run_compute(self) -> None:
        """`compute`, captured or not."""
        assert self.size is not None
        self.prepared[self.size].compute()

    def send(self, size: tuple[int, int]) -> None:
        """Draw a plan and put it on the device."""
        plan = self.planner.draw(*size)
        staged = self.ring[self.steps % RING]
        for host, here, there in zip((plan.integers, plan.floats), staged, self.plan, strict=True):
            here.copy_(torch.from_numpy(host))
            there.copy_(here, non_blocking=True)

    def compute(self) -> None:
        """Gradients of the loss of one batch, and its parts into the counters."""
        loss_shape = self.variant.loss
        self.flat.gradients.zero_()
        side = self.size[1] if self.size else 0
        x, text = cut(self.pixels, *self.plan, side)
        level = self.plan[1][FLOATS.index("level")]
        with bfloat16(self.device):
            coded = self.net(x * 2 - 1, level, self.variant.hard)
        x_hat = coded.x_hat / 2 + 0.5
        parts = self.distances(x, x_hat, text)
        bpp = coded.bits / side**2
        rate = rate_of(level, loss_shape)
        loss = weighted(loss_shape, parts, bpp, rate).mean()
        adversarial = torch.zeros((), device=self.device)
        if self.discriminator is not None:
            with bfloat16(self.device):
                logits = self.discriminator(x_hat, coded.y_hat, level / (LEVELS - 1))
            adversarial = deceiving(logits, text, x).mean()
            loss = loss + self.adversarial * adversarial
        loss.backward()
        loss = loss.detach()
        if self.discriminator is not None:
            y_hat = coded.y_hat.detach()
            self._teach(self.discriminator, x, x_hat.detach(), y_hat, level / (LEVELS - 1))
        self.flat.loss.copy_(loss)
        means = [loss, *(part.detach().mean() for part in parts), bpp.detach().mean()]
        row = torch.stack([*means, adversarial.detach(), loss * 0, loss * 0 + 1])
        self.counters += torch.nan_to_num(row, posinf=0.0)

    def _teach(
        self, discriminator: Discriminator, x: Tensor, x_hat: Tensor, y_hat: Tensor, level: Tensor
    ) -> None:
        """The gradients of the discriminator. level: (N,) in [0, 1]."""
        self.flat_discriminator.gradients.zero_()
        with bfloat16(self.device):
            real = discriminator(x, y_hat, level)
            made = discriminator(x_hat, y_hat, level)
        telling_apart(real, made).backward()

    def _exchange(self) -> None:
        """Average gradients and losses over the processes, where there are several."""
        if not dist.is_initialized():
            return
        tensors = [self.flat.exchanged]
        if self.discriminator is not None:
            tensors.append(self.flat_discriminator.exchanged)
        for tensor in tensors:
            dist.all_reduce(tensor)
            tensor.div_(dist.get_world_size())

    @torch.no_grad()
    def update(self) -> None:
        """Clip, or skip a spike; move the parameters and their average."""
        gradients, loss = self.flat.gradients, self.flat.loss[0]
        norm = gradients.norm()
        fine = norm.isfinite() & (loss < SPIKE * self.usual)
        factor = (self.variant.clip / (norm + 1e-6)).clamp(max=1.0)
        gradients.copy_(torch.where(fine, gradients * factor, 0.0))
        begun = torch.where(self.usual.isinf(), loss, self.usual)
        # A level that stays higher becomes the usual one after a while.
        usual = torch.where(fine, begun.lerp(loss, USUAL), begun * (1 + USUAL))
        self.usual.copy_(torch.where(usual.isfinite(), usual, self.usual))
        self.counters[COUNTERS.index("skipped")] += 1 - fine.float()
        self.optimizer.step(gradients, self.rate)
        self.average.lerp_(self.flat.values, self.averaging)
        if self.discriminator is not None:
            gradients = self.flat_discriminator.gradients
            gradients.copy_(torch.nan_to_num(gradients))
            share = self.rate / self.variant.rate  # both rates follow one schedule
            self.discriminator_optimizer.step(gradients, share * self.variant.discriminator_rate)

    def capture(self, size: tuple[int, int]) -> None:
        """Capture steps with crops of a size. Some must have run before, on the same stream.

        Raises:
            CaptureError: That failed.
        """
        self.prepare(size)
        self.prepared[size].compute = self.pool.capture(self.compute)
        if self.run_update == self.update:
            self.run_update = self.pool.capture(self.update)

    def tensors(self) -> dict[str, Tensor]:
        """All that a step changes. They stay the same tensors: graphs write to their places."""
        found = {
            "values": self.flat.values,
            "gradients": self.flat.exchanged,
            "average": self.average,
            "usual": self.usual,
            "counters": self.counters,
            **self.optimizer.tensors,
        }
        if self.discriminator is not None:
            found["discriminator.values"] = self.flat_discriminator.values
            found["discriminator.gradients"] = self.flat_discriminator.exchanged
            moments = self.discriminator_optimizer.tensors
            found |= {f"discriminator.{name}": t for name, t in moments.items()}
            found |= {f"discriminator.{n}": t for n, t in self.discriminator.named_buffers()}
        return found

    @contextlib.contextmanager
    def trial(self) -> Iterator[None]:
        """What a learner learns in a `with` is forgotten; what it has captured stays."""
        kept = {name: t.clone() for name, t in self.tensors().items()}
        random = copy.deepcopy(self.planner.random.bit_generator.state)
        counts = self.steps, self.pixels_seen
        usable = True
        try:
            yield
        except CaptureError:
            usable = False  # the device may refuse to be waited for, and nobody goes on
            raise
        finally:
            if usable:
                self.finish()
                for name, t in self.tensors().items():
                    t.copy_(kept[name])
                self.planner.random.bit_generator.state = random
                self.steps, self.pixels_seen = counts

    @torch.no_grad()
    def recover(self) -> None:
        """After many skipped steps: back to the averaged weights, no momenta, half the rate."""
        self.flat.values.copy_(self.average)
        for t in self.optimizer.state.values():
            t.zero_()
        self.usual.fill_(float("inf"))
        self.caution /= 2

    def _throttle(self) -> None:
        """Let the host be at most AHEAD steps ahead."""
        if self.device != "cuda":
            return
        event = torch.cuda.Event()
        event.record()
        self.waiting.append(event)
        if len(self.waiting) > AHEAD:
            self.waiting.pop(0).synchronize()

    def finish(self) -> None:
        """Wait for the device."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.waiting.clear()

    def take_counters(self) -> Tensor:
        """The counters since the last call, on the device; they begin anew."""
        taken = self.counters.clone()
        self.counters.zero_()
        return taken

    @contextlib.contextmanager
    def averaged(self) -> Any:
        """The network with its averaged weights, for the time of a `with`."""
        kept = self.flat.values.clone()
        self.flat.values.copy_(self.average)
        try:
            yield self.net
        finally:
            self.flat.values.copy_(kept)
