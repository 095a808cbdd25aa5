"""Time exported transforms on a processor:  python -m training.lp1.transform_speed FILE [NAME ...]

For each variant of a TOML file (or those named) fresh transforms are exported and run on ONNX
Runtime on a picture of 768 x 512, in turns, beside the shipped ones. Prints the least of RUNS
times of analysis and synthesis in milliseconds, their ratio to the shipped ones' in the same run,
and thousand multiplications a pixel. Values do not change the time: no training is needed.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from torch.utils.flop_counter import FlopCounterMode

from training.lp1.codec import Codec
from training.lp1.export import OUT, export_transforms
from training.lp1.halo import halo
from training.lp1.transforms import FACTOR
from training.lp1.variant import read_variants

HEIGHT, WIDTH = 512, 768
RUNS = 10
SHIPPED = "shipped"


def kilo_operations(net: Codec) -> tuple[float, float]:
    """Thousand multiplications a pixel of analysis and synthesis."""
    x = torch.zeros(1, 3, 256, 256)
    y = torch.zeros(1, net.shape.latent, 256 // FACTOR, 256 // FACTOR)
    out = []
    for part, value in ((net.ga, x), (net.gs, y)):
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            part(value)
        out.append(counter.get_total_flops() / 2 / 256**2 / 1000)
    return out[0], out[1]


def sessions(folder: Path) -> list[ort.InferenceSession]:
    """Analysis and synthesis of a folder, with as many threads as the machine has cores."""
    names = ("analysis.onnx", "synthesis.onnx")
    return [
        ort.InferenceSession(folder / name, providers=["CPUExecutionProvider"]) for name in names
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="TOML with variants")
    parser.add_argument("names", nargs="*", help="of those that are timed; all by default")
    args = parser.parse_args()
    variants = read_variants(args.file)
    wanted = args.names or list(variants)
    described: dict[str, str] = {SHIPPED: "||"}
    running = {SHIPPED: sessions(OUT)}
    with tempfile.TemporaryDirectory() as scratch:
        for name in wanted:
            net = Codec(variants[name].shape).eval()
            folder = Path(scratch) / name
            folder.mkdir()
            export_transforms(net, folder)
            running[name] = sessions(folder)
            analysis, synthesis = kilo_operations(net)
            described[name] = f"{analysis:.0f}, {synthesis:.0f} | {halo(net)} |"
    least = time_in_turns(running)
    print(f"| variant | analysis, synthesis ms, least of {RUNS} | of shipped | kMAC/px | halo |")
    print("|---|---|---|---|---|")
    for name, (analysis, synthesis) in least.items():
        ratios = [1000 * t for t in (analysis, synthesis)]
        a, s = (t / u for t, u in zip((analysis, synthesis), least[SHIPPED], strict=True))
        print(f"| {name} | {ratios[0]:.0f}, {ratios[1]:.0f} | {a:.2f}, {s:.2f} | {described[name]}")


def time_in_turns(running: dict[str, list[ort.InferenceSession]]) -> dict[str, list[float]]:
    """Seconds of analysis and synthesis, least of RUNS, all variants taking turns."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
    least: dict[str, list[float]] = {name: [float("inf")] * 2 for name in running}
    for _ in range(RUNS):
        for name, (analysis, synthesis) in running.items():
            begun = time.perf_counter()
            y = analysis.run(None, {"pixels": pixels})[0]
            middle = time.perf_counter()
            synthesis.run(None, {"y": y})
            end = time.perf_counter()
            taken = (middle - begun, end - middle)
            least[name] = [min(a, b) for a, b in zip(least[name], taken, strict=True)]
    return least


if __name__ == "__main__":
    main()
