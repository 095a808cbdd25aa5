"""Optimizers that never wait for the host, on parameters that lie in one tensor."""
