"""`python -m latentpress` and the `latentpress` command."""

from latentpress.cli.app import main

if __name__ == "__main__":
    main()
