"""Graphs as trainable networks: the interpreter, training, the weight-sharing supernet, zero-cost proxies."""
