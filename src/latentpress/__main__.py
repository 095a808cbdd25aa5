"""`python -m latentpress` and the `latentpress` command."""

import gc
import sys

GARBAGE = 100_000  # objects between two collections: imports alone make 700 many times over


def main() -> None:
    """Run the command line; Ctrl-C while it loads ends it quietly too."""
    gc.set_threshold(GARBAGE)
    try:
        from latentpress.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
