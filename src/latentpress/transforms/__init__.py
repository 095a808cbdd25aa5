"""Transforms, stage 2 of 5: pixels <-> latents."""
