"""What dependent quantization gains at each length of its chains.

    python -m benchmarks.sweeps.chain_length

Uniform numbers under quantizers whose symbols all cost the same bits, which is the limit of fine
steps: the squared error of the best path against that of rounding at the same rate, which is a
twelfth of a step squared. No quantizer gains more than 1.53 dB. The values' span has to be wide:
about 0 the odd quantizer has a point more, which is no gain where symbols cost bits. Prints a row a
length.
"""

import argparse
import math

import numpy as np

from latentpress.entropy import trellis

BOUND = 10 * math.log10(2 * math.pi * math.e / 12)  # of any quantizer against rounding, in dB


def gain(values: trellis.Floats, length: int) -> float:
    """How far the squared error of chains lies below that of rounding at the same rate, in dB."""
    # bits of a symbol: no symbol costs more than another
    free = np.zeros(trellis.REACH + 1, np.float32)
    table = np.zeros(values.size, np.intp)
    costs, symbols = trellis.candidates(values, table, 1.0, (free, free))
    lanes = -(-values.size // length)
    kinds = trellis.cheapest(costs, lanes)
    path = trellis.Path(symbols[kinds, np.arange(values.size)], (kinds >> 1).astype(np.uint8))
    error = np.square(values - path.half_steps() / 2, dtype=np.float64).mean()
    return 10 * math.log10(1 / 12 / error)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", default="16,32,64,128,256,512", help="symbols in a chain")
    parser.add_argument("--chains", type=int, default=4096, help="of each length")
    parser.add_argument(
        "--span", type=float, default=1000, help="values lie between minus and plus this many steps"
    )
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    random = np.random.default_rng(args.seed)
    print(f"| symbols in a chain | gain over rounding, dB of {BOUND:.2f} |\n|---|---|")
    for length in map(int, args.lengths.split(",")):
        values = random.uniform(-args.span, args.span, args.chains * length).astype(np.float32)
        print(f"| {length} | {gain(values, length):.2f} |")


if __name__ == "__main__":
    main()
