"""The priors of the Stable Diffusion spaces, and the linear predictors of their latents."""
