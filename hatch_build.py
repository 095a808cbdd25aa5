"""Builds the C libraries of latentpress.entropy.native and latentpress.runtimes.native into the
wheel, where a C compiler is there.

Without one the wheel is pure Python and does the same, more slowly. With one it fits every Python 3
of its platform, for ctypes loads the libraries. An editable install has them in the source tree.
"""

import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILDING = "latentpress/system/c_libraries.py"


class NativeHook(BuildHookInterface):
    """`[tool.hatch.build.targets.wheel.hooks.custom]` of pyproject.toml."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the wheel is made. version: "standard" or "editable"."""
        building = runpy.run_path(str(Path(self.root, "src", BUILDING)))
        self.scratch = Path(tempfile.mkdtemp())
        for within, name in building["LIBRARIES"].items():
            package = f"latentpress/{within}"
            folder = Path(self.root, "src", package)
            target = folder / name if version == "editable" else self.scratch / name
            said = building["build"](target, folder)
            if said:
                self.app.display_warning(
                    f"no C compiler made {name}, so others do its work, more slowly: "
                    + "; ".join(said)
                )
            elif version != "editable":
                build_data["force_include"][str(target)] = f"{package}/{name}"
                build_data["pure_python"] = False
                build_data["tag"] = f"py3-none-{building['platform_tag']()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """After the wheel is made."""
        shutil.rmtree(self.scratch, ignore_errors=True)
