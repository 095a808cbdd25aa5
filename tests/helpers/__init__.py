"""What several tests use: files to attack, runs of the benchmark, slow references, paths."""
