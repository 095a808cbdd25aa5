"""The panel that a model of lp1 is judged by: the same pictures, rivals and metrics every time.

    python -m benchmarks.panel DATA

`goals` says what is asked, `from_runs` reads runs of `latentpress bench`, `from_files` makes files
of its own.
"""
