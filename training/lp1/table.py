"""The table of a run: each variant's points on the held-out pictures, and at equal rate."""

import math
from collections.abc import Sequence

import numpy as np

from training.lp1.panel import Point

Row = tuple[str, int, float, float, list[Point]]  # name, steps, seconds, Mpx/s, points
HEAD = "| variant | steps | s | Mpx/s | level | bpp | PSNR | LPIPS | LPIPS-VGG | texture | WD |"


def at_rate(points: Sequence[Point], bpp: float) -> dict[str, float]:
    """A curve at a rate: PSNR, and the logarithms of the distances, linear in log bpp."""
    x = [math.log(p.bpp) for p in points]
    order = np.argsort(x)
    x = [x[i] for i in order]
    of = lambda name: [getattr(points[i], name) for i in order]
    out = {"psnr": float(np.interp(math.log(bpp), x, of("psnr")))}
    for name in ("lpips", "lpips_vgg", "texture", "wasserstein"):
        logs = [math.log(max(v, 1e-9)) for v in of(name)]
        out[name] = float(np.interp(math.log(bpp), x, logs))
    return out


def against(first: Sequence[Point], other: Sequence[Point]) -> dict[str, float]:
    """How another curve lies to the first, over the rates that both have.

    Returns:
        psnr: Mean difference in dB. The others: mean ratio less 1.
    """
    low = max(min(p.bpp for p in first), min(p.bpp for p in other))
    high = min(max(p.bpp for p in first), max(p.bpp for p in other))
    if not low < high:
        return {}
    rates = np.exp(np.linspace(math.log(low), math.log(high), 9))
    pairs = [(at_rate(first, r), at_rate(other, r)) for r in rates.tolist()]
    means = {name: float(np.mean([b[name] - a[name] for a, b in pairs])) for name in pairs[0][0]}
    return {n: v if n == "psnr" else math.expm1(v) for n, v in means.items()}


def overall(found: dict[str, float]) -> float:
    """One number for what `against` found: the mean logarithm of the distances' ratios, that of
    the MSE among them. Lower is better.
    """
    logs = [-found["psnr"] * math.log(10) / 10]
    logs += [math.log1p(value) for name, value in found.items() if name != "psnr"]
    return sum(logs) / len(logs)


def table_of(rows: Sequence[Row]) -> str:
    """Markdown: a row a variant and level; then each variant against the first at equal rate."""
    lines = [HEAD, "|" + "---|" * 11]
    for name, steps, seconds, speed, points in rows:
        for p in points:
            begin = f"| {name} | {steps} | {seconds:.0f} | {speed:.1f} | {p.level} | {p.bpp:.3f} "
            lines.append(
                f"{begin}| {p.psnr:.2f} | {p.lpips:.3f} | {p.lpips_vgg:.3f} | {p.texture:.3f} "
                f"| {p.wasserstein:.3f} |"
            )
    if len(rows) > 1:
        head = f"| against {rows[0][0]}, at equal rate | PSNR | LPIPS | LPIPS-VGG | texture | WD "
        lines += ["", f"{head}| overall |", "|" + "---|" * 7]
        for name, *_, points in rows[1:]:
            found = against(rows[0][4], points)
            if not found:
                lines.append(f"| {name} | no rate in common | | | | | |")
                continue
            shares = [f"{found[k]:+.1%}" for k in list(found)[1:]]
            shares.append(f"{math.expm1(overall(found)):+.1%}")
            lines.append(f"| {name} | {found['psnr']:+.2f} dB | " + " | ".join(shares) + " |")
    return "\n".join(lines) + "\n"
