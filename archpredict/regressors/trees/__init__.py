"""Fitted trees as plain arrays, which can be saved."""
