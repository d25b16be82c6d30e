"""Adapters for other people's tools; nothing in the package imports them."""
