"""Pictures of the benchmarks that are no photographs, made by the scripts beside them."""
