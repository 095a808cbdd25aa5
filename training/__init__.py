"""How the shipped weights were made. Run its modules from the repository root: `python -m ...`."""
