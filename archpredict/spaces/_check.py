"""A quick look at a space before a search in it, which finds the mistakes in a user's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from archpredict.errors import UsageError, described
from archpredict.graph.arch_graph import ArchGraph
from archpredict.spaces.base import SearchSpace

_SAMPLES = 16


def check_space(space: SearchSpace) -> None:
    """Check a space by using all that it defines on a few random architectures.

    Raises:
        UsageError: Something is missing, fails, or gives what it must not; the message says what and where.

    Example:
        >>> from archpredict.spaces import load_space
        >>> check_space(load_space("nasbench201"))
    """
    try:
        wrong = _wrong(space)
    except Exception as error:
        raise UsageError(f"the space {type(space).__name__} cannot be searched: {described(error)}") from error
    if wrong is not None:
        raise UsageError(f"the space {type(space).__name__} cannot be searched: {wrong}")


def _wrong(space: SearchSpace) -> str | None:
    name: Any = getattr(space, "name", None)
    if not isinstance(name, str) or not name:
        return 'it has no name; give the class one, e.g. name = "mine"'
    options: Any = getattr(space, "num_choices", None)
    if not isinstance(options, tuple) or not options or not all(type(n) is int and n > 0 for n in options):
        return f"num_choices is {options!r}; expected a tuple of numbers of options, each at least 1, e.g. (3, 3, 5)"
    if wrong := _wrong_mask(space):
        return wrong
    for row in space.sample(_SAMPLES, np.random.default_rng(0)).tolist():
        if wrong := _wrong_architecture(space, row):
            return f"of the choices {row}, {wrong}"
    return None


def _wrong_mask(space: SearchSpace) -> str | None:
    prefixes = np.zeros((2, 0), dtype=np.int64)
    for i, n in enumerate(space.num_choices):
        legal: Any = space.mask(prefixes)
        if not isinstance(legal, np.ndarray) or legal.shape != (2, n) or legal.dtype != np.bool_:
            return f"mask() of 2 prefixes of {i} choices is not a boolean array of shape (2, {n})"
        if not legal.any(axis=1).all():
            return f"mask() leaves no option after the choices {prefixes[0].tolist()}"
        prefixes = np.concatenate([prefixes, legal.argmax(axis=1)[:, None]], axis=1)
    return None


def _wrong_architecture(space: SearchSpace, row: list[int]) -> str | None:
    graph: Any = space.decode(row)
    if not isinstance(graph, ArchGraph):
        return f"decode() gives {type(graph).__name__}; expected an archpredict.ArchGraph"
    text: Any = space.format(row)
    if not isinstance(text, str):
        return f"format() gives {type(text).__name__}; expected a text"
    if space.decode(space.parse(text)).key != graph.key:
        return f"format() gives {text!r}, which parse() reads as another architecture"
    cost: Any = space.cost(row)
    for name, value in cost.items():
        if not math.isfinite(value):
            return f"the cost {name!r} is {value}; expected a finite number"
    return None
