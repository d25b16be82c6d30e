"""The largest and the smallest network of a space, found by changing one choice at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archpredict.graph.operators import total
from archpredict.networks.form import Form
from archpredict.spaces.base import Choices, SearchSpace

_STARTS = 32
_MAX_SWEEPS = 10


def largest(space: SearchSpace, form: Form) -> Choices:
    """The architecture with the most multiply-adds that coordinate search finds, by parameters where these are equal.

    From the largest of 32 random ones on, each choice in turn takes the option that makes the network largest, later
    choices kept as far as they stay legal, until a sweep over all choices changes nothing. That is the largest one
    where choices add up, as in elastic spaces; where they interact it is a large one.

    Example:
        >>> from archpredict.spaces import load_space
        >>> form = Form(image_size=8, image_channels=1, options={"channels": 4, "cells": 1})
        >>> largest(load_space("nasbench201"), form)
        (3, 3, 3, 3, 3, 3)
    """
    return _extreme(space, form, 1)


def smallest(space: SearchSpace, form: Form) -> Choices:
    """The architecture with the fewest multiply-adds; see :func:`largest`."""
    return _extreme(space, form, -1)


def _extreme(space: SearchSpace, form: Form, sign: int) -> Choices:
    measured: dict[Choices, tuple[float, float]] = {}

    def size(choices: Choices) -> tuple[float, float]:
        if choices not in measured:
            graph = form.graph(space, choices)
            measured[choices] = (sign * total(graph, "macs"), sign * total(graph, "params"))
        return measured[choices]

    drawn = space.sample(_STARTS, np.random.default_rng(0)).tolist()
    best = max(map(tuple, drawn), key=size)
    for _ in range(_MAX_SWEEPS):
        before = best
        for i, options in enumerate(space.num_choices):
            legal = space.mask(np.array([best[:i]], dtype=np.int64).reshape(1, i))[0]
            candidates = [changed(space, best, i, option) for option in range(options) if legal[option]]
            best = max([best, *candidates], key=size)
        if best == before:
            break
    return best


def changed(space: SearchSpace, choices: Sequence[int], place: int, option: int) -> Choices:
    """The choices with one of them changed, and later ones that this forbids set to the first legal option."""
    row: list[int] = []
    for i, choice in enumerate(choices):
        legal = space.mask(np.array([row], dtype=np.int64).reshape(1, i))[0]
        wanted = option if i == place else choice
        row.append(wanted if legal[wanted] else int(np.flatnonzero(legal)[0]))
    return tuple(row)
