"""Processes that answer questions side by side."""
