"""Gaussian processes with known kernels, many at once: distances, evidence, and the weights of what they say."""
