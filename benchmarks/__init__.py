"""The commands behind every number and picture: `python -m benchmarks.tables.speed --help`, from the root of the checkout.

rows.py             what the scripts share: where the data lie, the rows of a CSV file that are kept
provenance.py       the sidecar of a file of results/: command, commit, model, machine; every script that writes a file writes it
results_index.py    results/README.md, from the sidecars
without_avx512.py   runs a command as on a processor without AVX-512, VNNI and AMX
sources.py          the markers by which the documents name the file behind a table
tables/             measurements that a table of the documents or a file of results/ holds
sweeps/             measurements over a parameter
figures/            pictures
"""
