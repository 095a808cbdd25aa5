"""Differentiable torch twins of the shipped ONNX graphs, for the encoder-side latent search; torch is needed here only.

onnx_file.py reads a graph, interpreter.py runs it on tensors.
"""
