"""The benchmark: data sets, rival codecs, resumable runs of real files, and what is derived from
their rows.

datasets.py   the pictures                     codecs.py, ours.py, external.py, pictures.py   what
compresses them run.py        every codec on every picture     rows.py
a run's folder, read back table.py      means, bytes at equal quality    bd_rate.py
Bjontegaard's measure sheets.py     tables as Excel files
"""
