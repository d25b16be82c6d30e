"""Search spaces: one file each."""

from archpredict.spaces._check import check_space
from archpredict.spaces.base import Architecture, SearchSpace, load_space

__all__ = ["Architecture", "SearchSpace", "check_space", "load_space"]
