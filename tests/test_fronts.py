"""Fronts, ranks, hypervolumes and knees against their definitions, evaluated slowly."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.metrics.fronts import (
    contributions,
    crowding_distance,
    front_ranks,
    hypervolume,
    knee,
    on_front,
    running_hypervolume,
)


@st.composite
def points(draw: st.DrawFn, least: int = 0) -> np.ndarray:
    """A few points of whole numbers, so that ties and equal points are frequent."""
    n, m = draw(st.integers(least, 9)), draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(st.integers(0, 4), min_size=m, max_size=m), min_size=n, max_size=n))
    return np.array(rows, dtype=float).reshape(n, m)


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a >= b).all() and (a > b).any())


def brute_front(values: np.ndarray) -> list[bool]:
    return [not any(dominates(other, point) for other in values) for point in values]


def volume_by_inclusion_and_exclusion(values: np.ndarray, reference: np.ndarray) -> float:
    """The measure of a union of boxes from those of all their intersections."""
    sides = np.maximum(values - reference, 0.0)
    return sum(
        (-1) ** (k + 1) * float(np.prod(sides[list(chosen)].min(axis=0)))
        for k in range(1, len(sides) + 1)
        for chosen in combinations(range(len(sides)), k)
    )


@given(points())
def test_the_front_is_what_no_point_dominates_and_equal_points_stay(values: np.ndarray) -> None:
    assert on_front(values).tolist() == brute_front(values)


@given(points())
def test_ranks_are_fronts_peeled_off_one_after_the_other(values: np.ndarray) -> None:
    ranks, left, rank = np.full(len(values), -1), np.arange(len(values)), 0
    while len(left):
        front = np.array(brute_front(values[left]))
        ranks[left[front]] = rank
        left, rank = left[~front], rank + 1
    assert front_ranks(values).tolist() == ranks.tolist()


@given(points(), st.integers(-1, 2))
def test_the_hypervolume_is_the_measure_of_the_union_of_boxes(values: np.ndarray, at: int) -> None:
    reference = np.full(values.shape[1], float(at))
    expected = volume_by_inclusion_and_exclusion(values, reference)
    assert hypervolume(values, reference) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(points(least=1), st.integers(-1, 2))
def test_a_contribution_is_what_is_lost_without_the_point(values: np.ndarray, at: int) -> None:
    reference = np.full(values.shape[1], float(at))
    whole = hypervolume(values, reference)
    lost = [whole - hypervolume(np.delete(values, i, axis=0), reference) for i in range(len(values))]
    np.testing.assert_allclose(contributions(values, reference), lost, rtol=1e-12, atol=1e-12)


@given(points(), st.lists(st.booleans(), min_size=9, max_size=9))
def test_the_running_hypervolume_is_that_of_each_beginning_and_failures_add_nothing(
    values: np.ndarray, failed: list[bool]
) -> None:
    values = np.where(np.array(failed[: len(values)], dtype=bool)[:, None], np.nan, values)
    reference = np.full(values.shape[1], 0.5)
    known = [values[: i + 1][np.isfinite(values[: i + 1]).all(axis=1)] for i in range(len(values))]
    expected = [hypervolume(rows, reference) for rows in known]
    np.testing.assert_allclose(running_hypervolume(values, reference), expected, rtol=1e-12, atol=1e-12)


def test_a_hypervolume_of_random_points_is_the_share_of_random_darts_that_something_dominates() -> None:
    rng = np.random.default_rng(0)
    values, darts = rng.random((40, 3)), rng.random((20_000, 3))
    hit = (values[None] >= darts[:, None]).all(axis=2).any(axis=1).mean()
    assert hypervolume(values, np.zeros(3)) == pytest.approx(hit, abs=0.015)  # 4 standard deviations of the share


@given(points(least=1))
def test_the_knee_is_on_the_front_of_a_front_and_scales_do_not_move_it(values: np.ndarray) -> None:
    front = np.unique(values[on_front(values)], axis=0)
    assert 0 <= knee(front) < len(front)
    assert knee(front * 1024.0 - 3.0) == knee(front)


@given(points())
def test_crowding_is_the_gap_between_neighbours_whatever_the_order_and_the_scale(values: np.ndarray) -> None:
    values = np.unique(values, axis=0)
    distance = crowding_distance(values)
    order = np.random.default_rng(0).permutation(len(values))
    np.testing.assert_array_equal(crowding_distance(values[order]), distance[order])
    np.testing.assert_allclose(crowding_distance(values * 8.0 + 1.0), distance, rtol=1e-12)


def test_crowding_of_a_hand_computed_case() -> None:
    front = [[0.0, 8.0], [1.0, 6.0], [4.0, 5.0], [8.0, 0.0], [1.0, 6.0]]
    np.testing.assert_allclose(crowding_distance(front), [np.inf, 4 / 8 + 3 / 8, 7 / 8 + 6 / 8, np.inf, 0.0])
    assert crowding_distance([[1.0, 2.0], [1.0, 2.0]]).tolist() == [0.0, 0.0]  # nothing tells them apart
    assert crowding_distance(np.empty((0, 2))).tolist() == []


@pytest.mark.parametrize("function", [on_front, front_ranks, knee, crowding_distance])
def test_a_list_of_numbers_is_no_points(function) -> None:
    with pytest.raises(ValueError, match=r"points are rows of numbers, an array of shape \(2,\) was given"):
        function([1.0, 2.0])
