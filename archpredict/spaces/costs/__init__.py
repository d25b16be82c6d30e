"""Costs of architectures that a search space computes without building a network."""
