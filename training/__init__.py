"""How every shipped weight was made. Run the modules from the repository's root: `python -m training.lp1.train`."""
