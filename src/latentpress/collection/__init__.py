"""Many pictures: trees of folders, archives, tables and object stores, on one machine or many.

    find        what there is to do: one Unit for each file that is read
    tasks       what is done with a unit: read, press (or open, or grade), write; a Row for each
                picture
    engine      who does it: threads of this process, or the workers of a cluster
    manifest    what was done: a line of JSON for each picture, by which a run is resumed
    run         the four together

A task is all that a worker needs. It can be pickled, opens its stores itself, and gives the same
bytes wherever it runs, so work may be done twice without harm: what counts is the file that it
writes whole or not at all, and the row that the driver records.
"""
