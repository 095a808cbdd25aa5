"""Entropy coding, stage 4 of 5: symbols <-> bytes."""
