"""`python -m latentpress.entropy.native`: build the C libraries in place, and say where."""

import sys

from latentpress.entropy.native.build import (
    CONVOLUTIONS,
    CONVOLUTIONS_NAME,
    FOLDER,
    NAME,
    build,
)


def main() -> None:
    """Build, or end with what the compilers said."""
    for folder, name in ((FOLDER, NAME), (CONVOLUTIONS, CONVOLUTIONS_NAME)):
        if said := build(folder / name, folder):
            sys.exit("no library was built, and others do its work:\n" + "\n".join(said))
        print(folder / name)


if __name__ == "__main__":
    main()
