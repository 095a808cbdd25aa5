"""The restorations of the Stable Diffusion spaces: what corrects a decoded latent."""
