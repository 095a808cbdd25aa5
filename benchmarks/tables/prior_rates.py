"""The learned priors of the Stable Diffusion spaces on Kodak.

    python -m benchmarks.tables.prior_rates PICTURES --weights DIR

DIR holds taesd, taesdxl, taesd3, taef1; with --latents FOLDER the latents are kept there as
SPACE.npz and found again. For each latent and step: bytes of the latent chunk under the learned
prior and under the static tables, the order-0 entropy (a distribution a channel, itself free of
charge) of the integers that plain rounding gives, and the root mean square error of both; then the
bytes of an .ltps record of the rmse that the static tables have, coded by dependent quantization
where the space has 16 channels. Rows go to results/priors.csv; the summary, totals over all
pictures, is printed, with CPU seconds a latent of 64 x 64.
"""

import csv
import math
import time

import numpy as np

from benchmarks import provenance
from benchmarks.sweeps.factorized_tables import entropy_bits
from benchmarks.tables.latent_files import latents, read_options
from latentpress.entropy.factorized import FactorizedCoder
from latentpress.entropy.multistage import MultistageCoder
from latentpress.latents import record
from latentpress.latents.dtypes import FLOAT32
from latentpress.latents.precision import Precision
from latentpress.spaces import COARSEST, FINEST, Space, space_of_codec

STEPS = (0.1, 0.25, 0.5, 1.0)
SIZES = ("numbers", "prior_bytes", "static_bytes", "order0_bytes", "record_bytes")
ERRORS = ("prior_rmse", "static_rmse")
COLUMNS = ("space", "picture", "step", *SIZES, *ERRORS)


def quality_of(step: float) -> float:
    return round(100 * math.log(step / COARSEST) / math.log(FINEST / COARSEST), 2)


def measure(space: Space, name: str, y: np.ndarray, step: float) -> dict[str, object]:
    row: dict[str, object] = {"space": space.name, "picture": name, "step": step, "numbers": y.size}
    for label, coder in (
        ("prior", MultistageCoder(space, quality_of(step))),
        ("static", FactorizedCoder(space, quality_of(step))),
    ):
        body = coder.encode([y])
        y_hat = np.concatenate(list(coder.decode(body, *y.shape[1:])), axis=1)
        row |= {
            f"{label}_bytes": len(body),
            f"{label}_rmse": f"{np.sqrt(np.square(y_hat - y).mean()):.5f}",
        }
    # the integers of the static tables, but for an offset
    symbols = np.rint((y_hat - y_hat[:, :1, :1]) / coder.step).astype(int)
    whole = Precision(rmse=float(np.sqrt(np.square(y_hat.astype(np.float64) - y).mean())))
    record_bytes = len(record.pack(y, FLOAT32, space.id, whole, "", None))
    return row | {
        "order0_bytes": math.ceil(entropy_bits(symbols) / 8),
        "record_bytes": record_bytes,
    }


def seconds(space: Space, y: np.ndarray) -> tuple[float, float]:
    """CPU seconds to encode and to decode a latent of 64 x 64 at step 0.25."""
    coder, y, times = MultistageCoder(space, quality_of(0.25)), y[:, :64, :64], []
    for _ in range(5):
        start = time.process_time()
        body = coder.encode([y])
        middle = time.process_time()
        list(coder.decode(body, *y.shape[1:]))
        times.append((middle - start, time.process_time() - middle))
    return min(t[0] for t in times), min(t[1] for t in times)


def main() -> None:
    options = read_options(__doc__, "results/priors.csv")
    rows = []
    for space in map(space_of_codec, options.spaces):
        y_of = latents(
            space.name, options.pictures, options.weights, options.latents, options.every
        )
        rows += [measure(space, name, y, step) for name, y in y_of.items() for step in STEPS]
        for step in STEPS:
            part = [r for r in rows if (r["space"], r["step"]) == (space.name, step)]
            total = {k: sum(int(r[k]) for r in part) for k in SIZES}
            error = [math.sqrt(np.mean([float(r[k]) ** 2 for r in part])) for k in ERRORS]
            bits = 8 * total["prior_bytes"] / total["numbers"]
            more = lambda a, b, t=total: f"{100 * (t[f'{a}_bytes'] / t[f'{b}_bytes'] - 1):+.1f} %"
            print(
                f"{space.name:6} step {step:4}: {bits:.3f} bits a number, "
                f"{more('prior', 'order0')} against order 0, "
                f"{more('prior', 'static')} against the static tables, "
                f"rmse {error[0]:.4f} against {error[1]:.4f}; a record of that rmse "
                f"{more('record', 'order0')} against order 0; {len(part)} pictures",
                flush=True,
            )
        encode, decode = seconds(space, next(iter(y_of.values())))
        print(
            f"{space.name:6} {1000 * encode:.0f} ms encoded, {1000 * decode:.0f} ms decoded, "
            "CPU, a latent of 64 x 64"
        )
    with options.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    provenance.record(
        options.output,
        "bytes of the priors of the Stable Diffusion spaces against order-0 entropy",
        options.spaces,
    )


if __name__ == "__main__":
    main()
