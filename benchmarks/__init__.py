"""The commands behind every number and picture: `python -m benchmarks.tables.speed --help`, from the root of the checkout.

rows.py: what the scripts share: where the checkout lies, the rows of a CSV file that are kept.
"""
