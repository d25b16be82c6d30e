"""Processes that label architectures side by side."""
