"""Write the shipped priors of the Stable Diffusion spaces.

    python -m training.sd_priors.export sd15 sdxl sd3 flux1

runs/priors/SPACE.pt -> src/latentpress/models/SPACE/prior.npz, integers only, and model.json (its
SHA-256 beside those of other files). Checks that no sum can leave the integers that float32 holds.
"""

import argparse
import hashlib
import io
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from latentpress.entropy.multistage import FINE, GREATEST_STEP, LEAST_STEP, VALUE_MAX
from latentpress.entropy.multistage_network import ACT_MAX, FILE
from training.grids import ACT, SIGMA_MIN
from training.sd_priors.networks import LOG_UNIT, VALUE, PassNet, Prior

FOLDER = Path(__file__).parents[2] / "runs/priors"
OUT = Path(__file__).parents[2] / "src/latentpress/models"
SUM_LIMIT = 2**23 * 0.999
MAX_SHIFT = 20
INT8_MAX = 127
INT16_MAX = 32767
HEAD_UNIT = np.array([1 / 1024, LOG_UNIT])  # of mu, in the latent's unit, and of log sigma
ALONG_INPUTS = ("first", "linear")  # arrays whose rows are inputs, all passes one after the other


class Part(NamedTuple):
    """A real weight of a layer: (out, in), the unit of its inputs, the largest of their integers.

    `limit` is the largest magnitude that its own integers may have.
    """

    weight: np.ndarray
    unit: float
    largest: int
    limit: int


class IntegerLayer(NamedTuple):
    """weights: integers (in, out) of each part. bias, shift: (out,). All as float64.

    An output is round(2^-shift * (sum of weights * inputs + bias)).
    """

    weights: list[np.ndarray]
    bias: np.ndarray
    shift: np.ndarray


def integer_layer(parts: list[Part], bias: np.ndarray, unit: np.ndarray | float) -> IntegerLayer:
    """A layer that sums the products of its parts, as integers.

    Args:
        parts: Its weights.
        bias: Real, (out,).
        unit: Of the outputs, one for all or (out,).

    Raises:
        SystemExit: A sum could leave the integers that float32 adds exactly.
    """
    real = [part.weight * part.unit / np.reshape(unit, (-1, 1)) for part in parts]
    b = bias / unit
    sums = [np.abs(r).sum(1) * part.largest for r, part in zip(real, parts, strict=True)]
    reach = sum(sums) + np.abs(b)
    shift = np.log2(SUM_LIMIT / (reach + 1e-9))
    for r, part in zip(real, parts, strict=True):
        shift = np.minimum(shift, np.log2(part.limit / (np.abs(r).max(1) + 1e-9)))
    shift = np.clip(np.floor(shift), 0, MAX_SHIFT)
    weights = [np.round(r * 2 ** shift[:, None]).T for r in real]
    whole = np.round(b * 2**shift)
    sums = [np.abs(w).sum(0) * part.largest for w, part in zip(weights, parts, strict=True)]
    worst = sum(sums) + np.abs(whole)
    if worst.max() >= 2**23:
        raise SystemExit(f"sums of up to {worst.max()} are not exact in float32")
    return IntegerLayer(weights, whole, shift)


def layers(net: PassNet) -> dict[str, np.ndarray]:
    """The integers of a pass, by their names in prior.npz. Log sigma counts from SIGMA_MIN."""
    number = lambda t: t.detach().double().numpy()
    canvas = lambda t, limit: Part(number(t), 1 / VALUE, VALUE_MAX, limit)
    hidden = lambda t, limit: Part(number(t), 1 / ACT, ACT_MAX, limit)
    first = integer_layer([canvas(net.first.weight, INT8_MAX)], number(net.first.bias), 1 / ACT)
    second = integer_layer([hidden(net.second.weight, INT8_MAX)], number(net.second.bias), 1 / ACT)
    head = integer_layer(
        [hidden(net.head.weight, INT16_MAX), canvas(net.linear.weight, INT16_MAX)],
        number(net.linear.bias) - [0, math.log(SIGMA_MIN)],
        HEAD_UNIT,
    )
    return {
        "first": first.weights[0].astype(np.int8),
        "first_bias": first.bias.astype(np.int32),
        "first_shift": first.shift.astype(np.int8),
        "second": second.weights[0].astype(np.int8),
        "second_bias": second.bias.astype(np.int32),
        "second_shift": second.shift.astype(np.int8),
        "head": head.weights[0].astype(np.int16),
        "linear": head.weights[1].astype(np.int16),
        "head_bias": head.bias.astype(np.int32),
        "head_shift": head.shift.astype(np.int8),
    }


def log_steps() -> tuple[int, np.ndarray]:
    """How the decoder finds the logarithm of a step without floats.

    Returns:
        The least log step, in eighths of a scale, and int32, ascending: the steps in fine units
        from which on it is one more, two more, ...
    """
    eighths = lambda s: round(math.log(s / FINE) / LOG_UNIT)
    least = eighths(LEAST_STEP)
    between = np.arange(least + 1, eighths(GREATEST_STEP) + 1) - 0.5
    return least, np.ceil(FINE * np.exp(between * LOG_UNIT)).astype(np.int32)


def read_trained(path: Path) -> Prior:
    """A prior in torch, as `training.sd_priors.train` wrote it."""
    state = torch.load(path)
    prior = Prior(len(state["mean"]), len(state["nets.0.second.bias"]))
    prior.load_state_dict(state)
    return prior


def packed(prior: Prior) -> bytes:
    """The bytes of prior.npz."""
    each = [layers(net) for net in prior.nets]
    least, steps = log_steps()
    arrays = {}
    for name in each[0]:
        join = np.concatenate if name in ALONG_INPUTS else np.stack
        arrays[name] = join([e[name] for e in each])
    arrays["mean"] = np.round(16 * prior.mean.numpy()).astype(np.int16)
    arrays["log_steps"] = steps
    arrays["log_steps_from"] = np.int32(least)
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def main() -> None:
    """Export the spaces that are named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("spaces", nargs="+", metavar="SPACE")
    for space in parser.parse_args().spaces:
        prior = read_trained(FOLDER / f"{space}.pt")
        data = packed(prior)
        (OUT / space).mkdir(parents=True, exist_ok=True)
        (OUT / space / FILE).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        card = OUT / space / "model.json"
        others = json.loads(card.read_text(encoding="utf-8"))["sha256"] if card.exists() else {}
        contents = {"space": space, "model_hash": digest[:8], "sha256": others | {FILE: digest}}
        card.write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")
        parameters = sum(p.numel() for p in prior.parameters())
        print(space, digest[:8], len(data), "bytes,", parameters, "parameters")


if __name__ == "__main__":
    main()
