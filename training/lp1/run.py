"""A run: one variant or several, in turn, on one device, until the time is over.

Time is the budget. It counts from the start of the process; the learning rate follows it, and the
last evaluation lies inside it.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from training import STARTED
from training.data.crops import cut
from training.data.packs import FONTS, LPIPS, check_packs
from training.data.pages import Pages
from training.data.plan import FLOATS, Planner
from training.data.store import load_held_out, load_store
from training.losses.parts import Distances
from training.losses.trunks import load_trunks
from training.lp1.capture import CaptureError, Pool, mend, reason
from training.lp1.centers import begin_centers, has_centers
from training.lp1.device_time import TOLD, as_lines, spent, together
from training.lp1.int8 import begin_int8
from training.lp1.keeper import Copy, Keeper
from training.lp1.kernels import choose_kernels
from training.lp1.learner import COUNTERS, Learner
from training.lp1.linear_start import begin_linear
from training.lp1.panel import Panel, Point, as_line
from training.lp1.rehearsal import memory, rehearse
from training.lp1.shape import LEVELS
from training.lp1.speed import (
    choose_layout,
    jobs_of_a_step,
    operations_per_pixel,
    parts_of_a_step,
    product_rate,
)
from training.lp1.table import Row, table_of
from training.lp1.variant import BEFORE, Variant, as_table

TURN = 10.0  # seconds that a variant has the device before the next one
LARGER_BATCHES = (2,)  # times the crops of the first variant: do larger ones pay?
START_CROPS = 256  # whose principal components a fresh model begins with
CENTER_CROPS = 64  # that give the means of what convolutions read
INT8_CROPS = 64  # that limits of int8 begin with
KEEP_EVERY = 60.0  # seconds between checkpoints
LOG_EVERY = 50  # steps
HELD_OUT_SIDE = 480  # pixels: what every held-out picture has
AGREE_EVERY = 10  # steps after which data-parallel processes agree on the time
TABLE = "table.md"


@dataclass
class Settings:
    """What a run is told beside its variants.

    Attributes:
        packs: Folder of packs.
        out: Folder for what comes back.
        minutes: Of the whole process; None where steps are given.
        steps: Of each variant, instead of minutes.
        painters: Processes that paint pages.
        pages: Painted pages in the store.
        seed: Of everything random.
        no_graphs: Why steps are not captured on CUDA; None where they are.
        profile: Whether the parts of a step are timed first, and their kernels told at the end.
        keep_every: Seconds between checkpoints.
        turn: Seconds of a variant's turn.
    """

    packs: Path
    out: Path
    minutes: float | None = None
    steps: int | None = None
    painters: int = 0
    pages: int = 256
    seed: int = 0
    no_graphs: str | None = None
    profile: bool = False
    keep_every: float = KEEP_EVERY
    turn: float = TURN


@dataclass
class Turn:
    """A learner and what is known of its time.

    Attributes:
        used: Seconds on the device.
        pending: Counters on their way to the host, with the learner's steps and time then.
        operations: Floating-point operations a pixel.
    """

    name: str
    learner: Learner
    used: float = 0.0
    pending: list[tuple[int, float, Copy]] = field(default_factory=list)
    operations: float = 0.0
    points: list[Point] = field(default_factory=list)
    logged: tuple[float, int] = (0.0, 0)  # seconds and pixels at the last line

    def speed(self) -> float:
        """Millions of pixels a second of its own time."""
        return self.learner.pixels_seen / 1e6 / max(self.used, 1e-9)


class Run:
    """See the module.

    Args:
        variants: By name.
        settings: See there.
        start: Weights and momenta to begin with, if any: called with each learner.
        device: "cuda" or "cpu".
    """

    def __init__(
        self,
        variants: dict[str, Variant],
        settings: Settings,
        start: Callable[[Learner], str] | None = None,
        device: str = "cpu",
    ) -> None:
        self.settings, self.device = settings, device
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        check_packs(settings.packs)  # before the log of a run before is gone
        self.keeper = Keeper(settings.out, quiet=self.rank > 0)
        if self.rank == 0:
            (settings.out / TABLE).unlink(missing_ok=True)  # of a run before, in the same folder
        self.keeper.log(
            "command",
            f"{len(variants)} variants: {', '.join(variants)}",
            arguments=sys.argv[1:],
            torch=torch.__version__,
            processes=dist.get_world_size() if dist.is_initialized() else 1,
            variants={name: as_table(variant) for name, variant in variants.items()},
        )
        packs = settings.packs
        self.store = load_store(packs, device, settings.pages)
        fonts = packs / FONTS if (packs / FONTS).exists() else None
        self.pages = Pages(self.store, fonts, settings.painters, settings.seed + 7919 * self.rank)
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        alex, vgg = load_trunks(packs / LPIPS, device, dtype)
        held = load_held_out(packs, HELD_OUT_SIDE)
        self.panel = Panel(held, alex, vgg, device)
        photographs = [x.to(device) for x in held[:4]]
        pool = Pool()
        self.turns: list[Turn] = []
        self.alone = len(variants) == 1
        self.started = start is not None
        for name, variant in variants.items():
            torch.manual_seed(settings.seed)  # variants of one shape begin alike
            distances = Distances(variant.loss, alex, vgg, photographs)
            planner = Planner(
                self.store, LEVELS, variant.painted, settings.seed + 104729 * self.rank
            )
            pixels = self.store.pixels
            learner = Learner(variant, device, pixels, planner, distances, pool)
            note = start(learner) if start else self.start_fresh(learner)
            if variant.shape.centered and not has_centers(learner.net):
                note += self.start_centers(learner)
            if variant.shape.int8 and any(".bytes" in part for part in learner.fresh):
                note += self.start_int8(learner)
            self.turns.append(Turn(name, learner))
            self.say(f"{name}: {note}", "start", variant=name)
        torch.manual_seed(settings.seed + 15485863 * self.rank)
        millions = self.store.first_page / 1e6
        self.say(
            f"{len(self.store.kinds)} pictures, {millions:.0f} Mpx, {len(held)} held out, "
            f"{self.store.pages} pages, {len(self.pages.processes)} painters, {self.now():.0f} s",
            "data",
            pictures=len(self.store.kinds),
            megapixels=round(millions),
            held_out=len(held),
        )

    def start_fresh(self, learner: Learner) -> str:
        """Begin without weights of before. Returns what was done, for the log."""
        variant = learner.variant
        if not variant.linear_start:
            return "fresh weights"
        begin_linear(learner.net, variant.loss, self.some_crops(learner, START_CROPS)[0])
        learner.average.copy_(learner.flat.values)
        return "fresh weights, linear paths from principal components"

    def start_centers(self, learner: Learner) -> str:
        """Measure what convolutions take off their inputs. Returns what was done, for the log."""
        begin_centers(learner.net, *self.some_crops(learner, CENTER_CROPS))
        learner.average.copy_(learner.flat.values)
        return f", means of inputs from {CENTER_CROPS} crops"

    def start_int8(self, learner: Learner) -> str:
        """Measure the limits that int8 begins with. Returns what was done, for the log."""
        begin_int8(learner.net, *self.some_crops(learner, INT8_CROPS))
        learner.average.copy_(learner.flat.values)
        return f", limits of int8 from {INT8_CROPS} crops"

    def some_crops(self, learner: Learner, count: int) -> tuple[list[Tensor], list[Tensor]]:
        """Batches of at least so many crops of photographs, and their levels."""
        planner = Planner(self.store, LEVELS, 0.0, self.settings.seed)
        n, side = learner.variant.crops_at(0.0)
        pictures, levels = [], []
        for _ in range(-(-count // n)):
            plan = planner.draw(n, side)
            numbers = [torch.from_numpy(a).to(self.device) for a in (plan.integers, plan.floats)]
            pictures.append(cut(self.store.pixels, *numbers, side)[0])
            levels.append(numbers[1][FLOATS.index("level")])
        return pictures, levels

    def now(self) -> float:
        """Seconds since the process began; the first process's everywhere."""
        seconds = time.monotonic() - STARTED
        if not dist.is_initialized():
            return seconds
        message = [seconds]
        dist.broadcast_object_list(message, device=torch.device("cpu"))
        return message[0]

    def say(self, line: str, kind: str, **values: object) -> None:
        """A line for the reader and the log."""
        self.keeper.log(kind, line, seconds=round(time.monotonic() - STARTED, 2), **values)

    def train(self) -> None:
        """The whole run: a first evaluation, turns, a last evaluation, the table."""
        self.look_at_device()
        if self.device == "cuda":
            # The host computes little; waiting threads of torch would take cores of the painters.
            torch.set_num_threads(1)
            self.rehearse()
        for turn in self.turns:
            if self.settings.steps is None:
                turn.operations = operations_per_pixel(turn.learner)
        if self.settings.profile:
            for turn in self.turns:
                self.profile(turn)
            for factor in LARGER_BATCHES:
                self.profile(self.turns[0], factor)
        begun = self.now()
        for turn in self.turns:
            self.judge(turn)
        before = (BEFORE, 0, 0.0, 0.0, self.turns[0].points)
        judging = self.now() - begun
        begun = self.now()
        budget = None
        if self.settings.minutes is not None:
            # The last evaluation takes as long as the first, which also had to warm up.
            budget = (60 * self.settings.minutes - begun - judging - 2.0) / len(self.turns)
            if budget <= 0:
                raise SystemExit(f"{self.settings.minutes} minutes end before training begins")
        self.kept = self.now()
        while any(self.open(turn, budget) for turn in self.turns):
            for turn in self.turns:
                self.take_turn(turn, budget)
        for turn in self.turns:
            self.flush(turn, wait=True)
            self.keep(turn)
        for turn in self.turns:
            self.judge(turn)
        self.finish([before] if self.started else [])

    def look_at_device(self) -> None:
        """Tell what computes, and how fast at best."""
        self.rate_of_product = product_rate(self.device)
        kind = torch.cuda.get_device_name() if self.device == "cuda" else "CPU"
        tera = self.rate_of_product / 1e12
        self.say(f"{kind}: matrix product {tera:.1f} TFLOP/s", "device", name=kind, tera=tera)
        if self.device == "cuda":
            self.say(choose_layout(self.device), "layout")
            self.say(choose_kernels(self.device), "kernels")
        if self.settings.no_graphs:
            told = self.settings.no_graphs
            self.say(f"steps are not captured: {told}", "graphs", told=told)

    def rehearse(self, go_on: bool = False) -> int:
        """Some steps of every variant, taken back. What cannot learn is left out and told.

        Args:
            go_on: Whether a capture that fails is told only. The process is of no use then.

        Returns:
            How many variants failed.

        Raises:
            CaptureError: Steps could not be captured; the process must not go on.
            RuntimeError: No variant is left.
        """
        failed = []
        graphs = self.device == "cuda" and self.settings.no_graphs is None
        for turn in self.turns:
            try:
                found = rehearse(turn.learner, graphs)
            except CaptureError as error:
                if not go_on:
                    raise
                mend()
                failed.append((turn, error))
            except Exception as error:  # of whatever library
                failed.append((turn, error))
            else:
                for row in found:
                    line = f"{turn.name}: {row.line()}{memory()}, {self.now():.0f} s"
                    self.say(line, "rehearsal", variant=turn.name, **row._asdict())
        for turn, error in failed:
            told = reason(error)
            line = f"{turn.name}: FAILED: {told}"
            self.say(line, "failure", variant=turn.name, told=told)
            self.turns.remove(turn)
        if not self.turns and not go_on:
            raise RuntimeError("no variant can learn") from failed[-1][1]
        return len(failed)

    def profile(self, turn: Turn, factor: int = 1) -> None:
        """Tell what the parts of a step take, with `factor` times as many crops."""
        learner = turn.learner
        variant = learner.variant
        n, side = variant.crops_at(0.0)
        n *= factor
        learner.variant = replace(variant, crops=((0.0, n, side),))
        try:
            if self.device == "cuda" and factor > 1 and self.settings.no_graphs is None:
                rehearse(learner, graphs=True)
            parts = parts_of_a_step(learner)
        except torch.OutOfMemoryError:
            self.say(f"{turn.name}: {n} crops of {side} need more memory than there is", "profile")
            return
        finally:
            learner.variant = variant
            if factor > 1:
                learner.prepared.pop((n, side), None)
                learner.size = None
        shown = ", ".join(f"{name} {value:.1f} ms" for name, value in parts.items())
        speed = n * side**2 / 1000 / parts["step"]
        line = f"{turn.name}: {n} crops of {side}: {shown}; {speed:.1f} Mpx/s"
        self.say(line, "profile", variant=turn.name, batch=[n, side], milliseconds=parts)

    def look_into(self, turn: Turn) -> None:
        """Tell which kernels a step is made of; where that cannot be, why."""
        learner = turn.learner
        try:
            with learner.trial():
                jobs = jobs_of_a_step(learner)
                rows = {name: spent(job, learner.device) for name, job in jobs.items()}
        except Exception as error:  # of the profiler
            self.say(f"{turn.name}: no kernels: {reason(error)}", "device_time", variant=turn.name)
            return
        parts = {name: together(row) for name, row in rows.items()}
        line = f"{turn.name}: {as_lines(parts, rows['step'])}"
        longest = [row._asdict() for row in rows["step"][:TOLD]]
        self.say(line, "device_time", variant=turn.name, parts=parts, kernels=longest)

    def open(self, turn: Turn, budget: float | None) -> bool:
        """Whether a learner has time or steps left."""
        if self.settings.steps is not None:
            return turn.learner.steps < self.settings.steps
        return budget is not None and turn.used < budget

    def take_turn(self, turn: Turn, budget: float | None) -> None:
        """Let one learner train until its turn is over."""
        learner, before = turn.learner, turn.used
        begun = self.now()
        end = before + self.settings.turn if len(self.turns) > 1 else float("inf")
        while self.open(turn, budget) and turn.used < end:
            if self.settings.steps is not None:
                share = learner.steps / self.settings.steps
            else:
                share = turn.used / (budget or 1.0)
            self.pages.refresh()
            learner.step(share)
            if learner.steps % AGREE_EVERY == 0 or not dist.is_initialized():
                turn.used = before + self.now() - begun
            if learner.steps % LOG_EVERY == 0:
                turn.pending.append((learner.steps, turn.used, Copy(learner.take_counters())))
            self.flush(turn)
            if turn.used and self.now_is_late():
                for other in self.turns:
                    self.keep(other)
        learner.finish()
        turn.used = before + self.now() - begun

    def now_is_late(self) -> bool:
        """Whether the last checkpoint is long enough ago. Each process answers for itself."""
        seconds = time.monotonic() - STARTED
        if seconds - self.kept < self.settings.keep_every:
            return False
        self.kept = seconds
        return True

    def keep(self, turn: Turn) -> None:
        """Hand a learner's weights to the keeper; its momenta too where it is the only one.

        What is left of several keeps its name: by that a session goes on from it.
        """
        if not turn.learner.variant.keep:
            return
        name = "weights" if self.alone else turn.name
        self.keeper.keep(turn.learner, name, momenta=self.alone)

    def flush(self, turn: Turn, wait: bool = False) -> None:
        """Print the counters that have come from the device."""
        while turn.pending and (wait or turn.pending[0][2].arrived()):
            steps, used, copy = turn.pending.pop(0)
            row = dict(zip(COUNTERS, copy.get().tolist(), strict=True))
            count = max(row.pop("steps"), 1.0)
            skipped = row.pop("skipped")
            mean = {name: value / count for name, value in row.items()}
            self.print_row(turn, steps, used, mean, int(skipped))
            if skipped > count / 2:
                turn.learner.recover()
                line = f"{turn.name}: most steps were skipped: back to the average, half the rate"
                self.say(line, "recovery", variant=turn.name, steps=steps)

    def print_row(
        self, turn: Turn, steps: int, used: float, mean: dict[str, float], skipped: int
    ) -> None:
        """A line of the log: where training stands, and how fast it goes."""
        speed = turn.speed()
        tera = speed * 1e6 * turn.operations / 1e12
        share = 1e12 * tera / self.rate_of_product
        shown = " ".join(f"{name} {value:.4f}" for name, value in mean.items() if value)
        rate = float(turn.learner.variant.rate)
        line = f"{turn.name} {used:6.1f} s step {steps} {shown} | {speed:.2f} Mpx/s"
        if tera:
            line += f" {tera:.1f} TFLOP/s ({share:.0%} of a product)"
        line += f" skipped {skipped}" if skipped else ""
        values = {"variant": turn.name, "steps": steps, "used": used, "rate": rate}
        self.say(line, "train", **values, **mean, skipped=skipped, mpx=speed, tera=tera)

    def judge(self, turn: Turn) -> None:
        """Evaluate averaged weights on the held-out pictures."""
        learner = turn.learner
        learner.finish()
        with learner.averaged() as net:
            turn.points = self.panel.judge(net)
        rows = [point._asdict() for point in turn.points]
        line = f"{turn.name} {turn.used:6.1f} s step {learner.steps} {as_line(turn.points)}"
        self.say(line, "panel", variant=turn.name, steps=learner.steps, used=turn.used, rows=rows)

    def finish(self, before: list[Row]) -> None:
        """Write the table, wait for the files, end the painters; then tell the kernels of a step.

        A profiler of the device may slow what comes after it, or end the process.

        Args:
            before: What a run goes on from, which all is then compared with.
        """
        rows = before + [(t.name, t.learner.steps, t.used, t.speed(), t.points) for t in self.turns]
        table = table_of(rows)
        if self.rank == 0:
            (self.settings.out / TABLE).write_text(table, encoding="utf-8")
            print(table)
        self.close()
        if self.settings.profile:
            for turn in self.turns:
                self.look_into(turn)
        self.say(f"done, {self.pages.painted} pages painted meanwhile", "done")

    def close(self) -> None:
        """Wait for the files, end the painters."""
        self.pages.close()
        self.keeper.close()
