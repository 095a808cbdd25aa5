"""Draw a training log:  python training/plot.py runs/lp1/log.txt results/training/lp1-run1.png"""
import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt

STEP = re.compile(r"\s*(\d+) s step (\d+) lr (\S+) loss (\S+) psnr (\S+) lpips (\S+) (?:vgg \S+ )?bpp (\S+)")
POINT = re.compile(r"q(\d) (\S+) (\S+) (\S+)")


def main() -> None:
    log = Path(sys.argv[1]).read_text().splitlines()
    steps = [[float(v) for v in m.groups()] for m in map(STEP.match, log) if m]
    points = [(float(line.split()[0]) / 60, POINT.findall(line)) for line in log if "VAL" in line]
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.5))
    minutes = [s[0] / 60 for s in steps]
    axes[0].plot(minutes, [s[3] for s in steps])
    axes[0].set(xlabel="minutes", ylabel="balanced loss (training crops, median of 250 steps)")
    for i, (minute, found) in enumerate(points):
        colour = plt.get_cmap("viridis")(i / max(1, len(points) - 1))
        rate = [float(p[1]) for p in found]
        axes[1].plot(rate, [float(p[2]) for p in found], "o-", color=colour, label=f"{minute:.0f} min")
        axes[2].plot(rate, [float(p[3]) for p in found], "o-", color=colour, label=f"{minute:.0f} min")
    axes[1].set(xscale="log", xlabel="bpp (estimated, held-out images)", ylabel="PSNR, dB")
    axes[2].set(xscale="log", xlabel="bpp (estimated, held-out images)", ylabel="LPIPS (AlexNet)")
    axes[2].legend(fontsize=7)
    figure.tight_layout()
    Path(sys.argv[2]).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(sys.argv[2], dpi=90)


if __name__ == "__main__":
    main()
