"""What the panel measures and what is asked of the next model."""

from dataclasses import dataclass
from typing import Literal

Side = Literal["at most", "at least", ""]


@dataclass(frozen=True)
class Goal:
    """A row of the panel.

    key: names it in results/panel.csv. what: in words. unit: of its value. goal: what is asked of
    the next model, None where nothing is. side: on which side of the goal a value reaches it.
    """

    key: str
    what: str
    unit: str
    goal: float | None = None
    side: Side = ""

    def reached(self, value: float) -> bool | None:
        """Whether a value reaches the goal; None where there is none."""
        if self.goal is None:
            return None
        return value <= self.goal if self.side == "at most" else value >= self.goal


METRIC_NAMES = {
    "psnr": "PSNR",
    "ms-ssim": "MS-SSIM",
    "ssimulacra2": "SSIMULACRA 2",
    "lpips": "LPIPS",
    "lpips-vgg": "LPIPS-VGG",
    "dists": "DISTS",
}
RIVALS = {"avif": "AVIF", "avif-ssim": "AVIF tune=ssim", "webp": "WebP", "jxl": "JPEG XL"}
RATES = (0.15, 0.27, 0.5)  # bpp
KODAK_GOALS = {"psnr": -8.0, "ssimulacra2": -5.0, "lpips": -74.0}
CID22_GOALS = {"lpips": -58.0, "lpips-vgg": -35.0, "ssimulacra2": -8.0, "psnr": -15.0}
EQUAL_BYTES_GOALS = {"lpips-vgg": -33.0, "dists": -40.0}
PICO_GOALS = {"lpips": 0.045, "lpips-vgg": 0.165, "dists": 0.050, "psnr": 33.5}


def bd_rates(dataset: str, goals: dict[str, float]) -> list[Goal]:
    """BD-rates against every rival; goals are of AVIF at its default, which is tune=iq."""
    return [
        Goal(
            f"{dataset} bd-rate {rival} {metric}",
            f"{dataset}, bytes at equal {METRIC_NAMES[metric]} against {name}",
            "%",
            goals.get(metric) if rival == "avif" else None,
            "at most",
        )
        for metric in METRIC_NAMES
        for rival, name in RIVALS.items()
    ]


GOALS = (
    *bd_rates("Kodak", KODAK_GOALS),
    Goal("Kodak lpips 0.15", "Kodak, LPIPS at .15 bpp", "", 0.105, "at most"),
    *(
        Goal(
            f"Kodak {metric} {rate}",
            f"Kodak, {METRIC_NAMES[metric]} at {rate:g} bpp against AVIF",
            "%",
            goal,
            "at most",
        )
        for metric, goal in EQUAL_BYTES_GOALS.items()
        for rate in RATES
    ),
    *(
        Goal(
            f"PICO {metric}",
            f"kodim04, 15, 23 at PICO's bytes, {METRIC_NAMES[metric]}",
            "dB" if metric == "psnr" else "",
            goal,
            "at least" if metric == "psnr" else "at most",
        )
        for metric, goal in PICO_GOALS.items()
    ),
    *bd_rates("CID22", CID22_GOALS),
    Goal(
        "screens",
        "24 screens, documents, drawings: bytes at equal SSIMULACRA 2 against AVIF",
        "times",
        1.5,
        "at most",
    ),
    Goal("color", "a single color, quality 50, the dearest of 12 hues", "bytes", 250, "at most"),
    Goal(
        "patterns psnr", "patterns of single pixels, quality 100, the worst", "dB", 25, "at least"
    ),
    Goal("patterns color", "the same, how far the mean color moves", "levels", 2, "at most"),
    Goal("sky", "step where segments meet in a sky, quality 15", "levels", 0.5, "at most"),
    Goal("lowest rate", "Kodak, rate at quality 0", "bpp", 0.03, "at most"),
    Goal("highest rate", "Kodak, rate at quality 100", "bpp", 1.5, "at least"),
    Goal("megabytes", "the model in the package", "MB", 20, "at most"),
)
