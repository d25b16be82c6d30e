"""Search spaces: one file each."""

from archpredict.spaces.base import Architecture, SearchSpace, load_space

__all__ = ["Architecture", "SearchSpace", "load_space"]
