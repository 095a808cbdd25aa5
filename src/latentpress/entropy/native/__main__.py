"""`python -m latentpress.entropy.native`: build the C library in place, and say where it is."""

import sys

from latentpress.entropy.native.build import FOLDER, NAME, build


def main() -> None:
    """Build, or end with what the compilers said."""
    said = build(FOLDER / NAME)
    if said:
        sys.exit("no library was built, and Python does the work:\n" + "\n".join(said))
    print(FOLDER / NAME)


if __name__ == "__main__":
    main()
