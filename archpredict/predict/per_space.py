"""One object for each search space: where a process keeps what it found out about architectures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from copy import copy
from typing import Generic, TypeVar

from archpredict.spaces.base import SearchSpace

_T = TypeVar("_T")
_MOST_SPACES = 64


class PerSpace(Generic[_T]):
    """An object for each search space, the same one for spaces that are equal; those of the last 64 spaces are kept.

    Args:
        make: Makes the object of a space that was not asked for before.

    Example:
        >>> from archpredict.spaces.nasbench201 import NASBench201
        >>> scores = PerSpace(dict)
        >>> scores[NASBench201()]["|..."] = 0.5
        >>> scores[NASBench201()]
        {'|...': 0.5}
    """

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._known: deque[tuple[SearchSpace, _T]] = deque(maxlen=_MOST_SPACES)

    def __getitem__(self, space: SearchSpace) -> _T:
        for known, found in tuple(self._known):
            if type(known) is type(space) and known == space:
                return found
        made = self._make()
        self._known.append((copy(space), made))  # a copy, as the space may change
        return made
