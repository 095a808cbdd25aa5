"""Write the shipped priors of the Stable Diffusion spaces: python -m training.sd_priors.export sd15 sdxl sd3 flux1

runs/priors/SPACE.pt -> src/latentpress/models/SPACE/prior.npz, integers only, and model.json (its SHA-256 beside those of
other files). Checks that no sum can leave the integers that float32 holds.
"""

import hashlib
import io
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch

from latentpress.entropy.multistage import FINE, GREATEST_STEP, LEAST_STEP, VALUE_MAX
from latentpress.entropy.multistage_network import ACT_MAX, FILE
from training.grids import ACT, SIGMA_MIN
from training.sd_priors.networks import LOG_UNIT, VALUE, PassNet, Prior

FOLDER = Path(__file__).parents[2] / "runs/priors"
OUT = Path(__file__).parents[2] / "src/latentpress/models"
SUM_LIMIT, MAX_SHIFT = 2**23 * 0.999, 20
HEAD_UNIT = np.array([1 / 1024, LOG_UNIT])


Weights = list[tuple[np.ndarray, float, int]]  # (out, in), the unit of the inputs, the largest


def integers(
    weights: Weights, bias: np.ndarray, unit: np.ndarray | float, limits: list[int]
) -> list[np.ndarray]:
    """Real weights -> integers (in, out) each, within the limits, then bias and shift (out,). unit: of the output."""
    real = [w * unit_in / np.reshape(unit, (-1, 1)) for w, unit_in, _ in weights]
    b = bias / unit
    reach = sum(
        np.abs(r).sum(1) * largest for r, (_, _, largest) in zip(real, weights, strict=True)
    ) + np.abs(b)
    shift = np.log2(SUM_LIMIT / (reach + 1e-9))
    for r, limit in zip(real, limits, strict=True):
        shift = np.minimum(shift, np.log2(limit / (np.abs(r).max(1) + 1e-9)))
    shift = np.clip(np.floor(shift), 0, MAX_SHIFT)
    out = [np.round(r * 2 ** shift[:, None]).T for r in real]
    whole = np.round(b * 2**shift)
    worst = sum(
        np.abs(o).sum(0) * largest for o, (_, _, largest) in zip(out, weights, strict=True)
    ) + np.abs(whole)
    if worst.max() >= 2**23:
        raise SystemExit(f"sums of up to {worst.max()} are not exact in float32")
    return [*out, whole, shift]


def layers(net: PassNet) -> dict[str, np.ndarray]:
    number = lambda t: t.detach().double().numpy()
    first, first_bias, first_shift = integers(
        [(number(net.first.weight), 1 / VALUE, VALUE_MAX)], number(net.first.bias), 1 / ACT, [127]
    )
    second, second_bias, second_shift = integers(
        [(number(net.second.weight), 1 / ACT, ACT_MAX)], number(net.second.bias), 1 / ACT, [127]
    )
    bias = number(net.linear.bias) - [0, math.log(SIGMA_MIN)]
    inner = [
        (number(net.head.weight), 1 / ACT, ACT_MAX),
        (number(net.linear.weight), 1 / VALUE, VALUE_MAX),
    ]
    head, linear, head_bias, head_shift = integers(inner, bias, HEAD_UNIT, [32767, 32767])
    small, middle, large = np.int8, np.int16, np.int32
    return {
        "first": first.astype(small),
        "first_bias": first_bias.astype(large),
        "first_shift": first_shift.astype(small),
        "second": second.astype(small),
        "second_bias": second_bias.astype(large),
        "second_shift": second_shift.astype(small),
        "head": head.astype(middle),
        "linear": linear.astype(middle),
        "head_bias": head_bias.astype(large),
        "head_shift": head_shift.astype(small),
    }


def log_steps() -> tuple[int, np.ndarray]:
    """The least log step in eighths of a scale, and the steps in fine units from which on it is one more, two more, ..."""
    of = lambda s: round(math.log(s / FINE) / LOG_UNIT)
    least = of(LEAST_STEP)
    return least, np.ceil(
        FINE * np.exp((np.arange(least + 1, of(GREATEST_STEP) + 1) - 0.5) * LOG_UNIT)
    ).astype(np.int32)


def main() -> None:
    for space in sys.argv[1:]:
        state = torch.load(FOLDER / f"{space}.pt")
        prior = Prior(len(state["mean"]), len(state["nets.0.second.bias"]))
        prior.load_state_dict(state)
        each = [layers(net) for net in prior.nets]
        least, steps = log_steps()
        arrays = {
            k: (np.concatenate if k in ("first", "linear") else np.stack)([e[k] for e in each])
            for k in each[0]
        }
        arrays |= {
            "mean": np.round(16 * state["mean"].numpy()).astype(np.int16),
            "log_steps": steps,
            "log_steps_from": np.int32(least),
        }
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)
        data = packed.getvalue()
        (OUT / space).mkdir(parents=True, exist_ok=True)
        (OUT / space / FILE).write_bytes(data)
        digest, card = hashlib.sha256(data).hexdigest(), OUT / space / "model.json"
        others = json.loads(card.read_text())["sha256"] if card.exists() else {}
        contents = {"space": space, "model_hash": digest[:8], "sha256": others | {FILE: digest}}
        card.write_text(json.dumps(contents, indent=1) + "\n")
        print(
            space,
            digest[:8],
            len(data),
            "bytes,",
            sum(p.numel() for p in prior.parameters()),
            "parameters",
        )


if __name__ == "__main__":
    main()
