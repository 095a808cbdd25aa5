"""A variant: everything that one run may do differently from another, read from TOML."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomllib

from training.data.painter import PAGE
from training.losses.parts import LossShape
from training.lp1.shape import Shape

LEAST_SIDE, FACTOR = 64, 16  # of a crop, in pixels: what losses and a latent's position need


@dataclass(frozen=True)
class Variant:
    """One model and how it is trained.

    Attributes:
        shape: Of the networks.
        loss: Its weights.
        linear_start: Whether a fresh model's linear paths begin as principal components.
        optimizer: adam, muon or soap.
        rate: Highest learning rate.
        warm_up: Steps.
        crops: Rows (from, n, side): from that share of the budget on a step sees n crops of side
            pixels. The first row begins at 0.
        painted: Share of the crops that are painted pages.
        averaging: Exponent of the averaged weights, see `averaging_weight`.
        clip: Largest norm of the gradient.
        learn: Parts that learn, as names of modules or parameters of the codec.
        fresh: Parts that begin fresh though a source has weights of them, likewise.
        revive: Whether channels that the shipped model was exported without learn again, where a
            run goes on from it. Else they stay silent, and the next export leaves them out too.
        hard: Whether symbols are rounded as the coder rounds them, where nothing before the
            synthesis learns. Else noise takes the place of rounding in the rate, which has a
            gradient.
        discriminator_rate, discriminator_width: Learning rate of the discriminator, and channels of
            its first layer.
        keep: Whether its weights are written. Of many variants not all fit into what comes back.
    """

    shape: Shape = field(default_factory=Shape)
    loss: LossShape = field(default_factory=LossShape)
    linear_start: bool = True
    optimizer: str = "muon"
    rate: float = 5e-4
    warm_up: int = 300
    crops: tuple[tuple[float, int, int], ...] = ((0.0, 32, 192), (0.3, 24, 256), (0.9, 6, 512))
    painted: float = 0.1
    averaging: float = 16.0
    clip: float = 2.0
    learn: tuple[str, ...] = ("ga", "gs", "prior", "gain", "inverse")
    fresh: tuple[str, ...] = ()
    revive: bool = True
    hard: bool = False
    discriminator_rate: float = 4e-4
    discriminator_width: int = 64
    keep: bool = True

    def crops_at(self, share: float) -> tuple[int, int]:
        """Crops and their side at a share of the budget."""
        _, n, side = [row for row in self.crops if row[0] <= share][-1]
        return n, side


TOLD = {tuple: "a list", bool: "true or false", int: "a whole number", str: "a string"}


def _filled(base: Any, values: dict[str, Any], name: str) -> Any:
    """A frozen dataclass with some fields replaced. ValueError where it has no such field, or the
    value is of another type.
    """
    known = {f.name: getattr(base, f.name) for f in dataclasses.fields(base)}
    out: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"{name}: {key!r} is not one of {', '.join(known)}")
        if dataclasses.is_dataclass(known[key]):
            value = _filled(known[key], value, f"{name}.{key}")
        elif isinstance(value, list):
            value = tuple(tuple(row) if isinstance(row, list) else row for row in value)
        elif isinstance(known[key], float):
            value = float(value)
        if type(value) is not type(known[key]):
            kind = TOLD.get(type(known[key]), type(known[key]).__name__)
            raise ValueError(f"{name}.{key} is {value!r} and must be {kind}")
        out[key] = value
    return dataclasses.replace(base, **out)


def _check_crops(variant: Variant, name: str) -> Variant:
    """The variant itself.

    Raises:
        ValueError: Its rows of crops are not as a step needs them.
    """
    last = -1.0
    for row in variant.crops:
        if not isinstance(row, tuple) or len(row) != 3:
            raise ValueError(f"{name}: {row!r} of crops is no row [from, crops, side]")
        share, n, side = row
        if not last < share < 1 or n < 1 or side % FACTOR or not LEAST_SIDE <= side <= PAGE:
            raise ValueError(
                f"{name}: {list(row)} of crops: rows begin later and later, below 1, and sides are "
                f"multiples of {FACTOR} from {LEAST_SIDE} to {PAGE}"
            )
        last = share
    if not variant.crops or variant.crops[0][0]:
        raise ValueError(f"{name}: the first row of crops must begin at 0")
    return variant


BEFORE = "before"  # in a table: what a run goes on from


def read_variants(path: Path) -> dict[str, Variant]:
    """The variants of a TOML file.

    Its table [base] is what they share; each table below [variants] is one of them, with what it
    does differently. Without [variants] the base is the only one and is called "base".

    Raises:
        ValueError: A table or a field is unknown, a value cannot be, a name is that of another row
            of a table, or there is no variant.
    """
    with path.open("rb") as file:
        table = tomllib.load(file)
    for name in table.keys() - {"base", "variants"}:
        raise ValueError(f"{path}: {name!r} stands in neither [base] nor [variants.NAME]")
    base = _filled(Variant(), table.get("base", {}), "base")
    rows = table.get("variants", {"base": {}})
    if not rows:
        raise ValueError(f"{path} has no variant below [variants]")
    if BEFORE in rows:
        raise ValueError(f"{BEFORE!r} is the name of what a run goes on from")
    filled = {name: _filled(base, values, name) for name, values in rows.items()}
    return {name: _check_crops(variant, name) for name, variant in filled.items()}


def as_table(variant: Variant) -> dict[str, Any]:
    """A variant as plain values, for JSON."""
    return dataclasses.asdict(variant)


def from_table(values: dict[str, Any]) -> Variant:
    """What `as_table` made, after JSON."""
    return _filled(Variant(), values, "variant")
