"""How the shipped weights were made. Run the modules from the repository's root with `python -m`."""
