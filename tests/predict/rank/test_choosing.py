"""Limits on ranked models, and the front of those that none beats."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archpredict.predict.rank.choosing import on_front

POINTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12)


@given(points=POINTS)
def test_the_front_is_what_no_point_dominates(points: list[tuple[int, int]]) -> None:
    expected = [not any(a >= x and b >= y and (a, b) != (x, y) for a, b in points) for x, y in points]
    assert on_front(np.array(points, dtype=float)).tolist() == expected


@given(points=POINTS)
def test_every_point_is_on_the_front_or_beaten_by_one_that_is(points: list[tuple[int, int]]) -> None:
    values = np.array(points, dtype=float)
    front = values[on_front(values)]
    assert all((front >= value).all(axis=1).any() for value in values)
