"""`python -m latentpress` and the `latentpress` command."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it loads ends it quietly too."""
    try:
        from latentpress.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
