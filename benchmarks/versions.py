"""What a results file says on top: the command, the versions, the processors."""
import os
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version

from PIL import features

PACKAGES = ("latentpress", "numpy", "pillow", "onnxruntime", "torch", "diffusers")


def heading() -> list[str]:
    """Two lines: the command that made the file; versions and threads."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    codecs = [f"{name} {features.version(name)}" for name in ("avif", "webp") if features.check(name)]
    turbo = features.check_feature("libjpeg_turbo")
    codecs.append(f"libjpeg-turbo {features.version('libjpeg_turbo')}" if turbo else f"libjpeg {features.version('jpg')}")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = [a if not os.path.isabs(a) else os.path.basename(a) for a in sys.argv[1:]]
    command = shlex.join(["python", f"benchmarks/{os.path.basename(sys.argv[0])}", *names])
    return [
        f"Made by `{command}`.",
        f"Python {platform.python_version()}, {', '.join(found + codecs)}; "
        f"{platform.machine()}, {os.cpu_count()} processors, {usable} usable",
    ]
