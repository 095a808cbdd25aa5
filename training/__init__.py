"""How every shipped weight was made. Modules are run from the repository's root with `python -m`."""
