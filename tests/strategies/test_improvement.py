"""Expected growth of the hypervolume: against draws, against the hypervolume itself, and in one dimension."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from archpredict.metrics.fronts import hypervolume, on_front
from archpredict.strategies.rounds.improvement import boxes_above, expected_improvement


def _front(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    points = rng.random((n, m))
    return points[on_front(points)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.integers(1, 4))
def test_what_is_known_adds_the_growth_of_the_hypervolume(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    front, reference, candidates = _front(rng, n, m), np.full(m, 0.1), rng.random((6, m))
    before = hypervolume(front, reference)
    grown = [hypervolume(np.vstack([front, c]), reference) - before for c in candidates]
    np.testing.assert_allclose(
        expected_improvement(candidates, np.zeros_like(candidates), front, reference), grown, atol=1e-12
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 3))
def test_boxes_are_disjoint_and_hold_what_is_above_and_not_dominated(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    front, reference, points = _front(rng, n, m), np.full(m, 0.2), 1.3 * rng.random((200, m))
    lower, upper = boxes_above(front, reference)
    holding = ((points[:, None] >= lower) & (points[:, None] < upper)).all(axis=2).sum(axis=1)
    dominated = (front[None] > points[:, None]).all(axis=2).any(axis=1)
    above = (points >= reference).all(axis=1)
    assert (holding == (above & ~dominated)).all()


@pytest.mark.parametrize("m", [2, 3])
def test_the_expectation_is_that_of_draws(m: int) -> None:
    rng = np.random.default_rng(3)
    front, reference = _front(rng, 12, m), np.zeros(m)
    mean, std = rng.uniform(0.3, 1.0, (3, m)), rng.uniform(0.05, 0.4, (3, m))
    before = hypervolume(front, reference)
    draws = mean + std * rng.standard_normal((2000, 3, m))
    grown = np.array([[hypervolume(np.vstack([front, y]), reference) - before for y in draw] for draw in draws])
    error = 4 * grown.std(axis=0) / np.sqrt(len(grown))  # four standard errors of the mean of the draws
    assert (np.abs(grown.mean(axis=0) - expected_improvement(mean, std, front, reference)) < error).all()


def test_with_one_objective_it_is_expected_improvement() -> None:
    mean, std, best = np.array([0.2, 0.9, 1.4]), np.array([0.5, 0.3, 0.2]), 1.0
    z = (mean - best) / std
    known = (mean - best) * norm.cdf(z) + std * norm.pdf(z)
    found = expected_improvement(mean[:, None], std[:, None], np.array([[best], [0.3]]), np.array([0.0]))
    np.testing.assert_allclose(found, known, rtol=1e-12)


def test_units_and_offsets_of_objectives_change_nothing_but_the_volume() -> None:
    rng = np.random.default_rng(5)
    front, reference = _front(rng, 9, 2), np.zeros(2)
    mean, std, scale, offset = rng.random((5, 2)), rng.uniform(0.1, 0.3, (5, 2)), np.array([100.0, 1e-6]), 7.0
    plain = expected_improvement(mean, std, front, reference)
    scaled = expected_improvement(
        scale * mean + offset, scale * std, scale * front + offset, scale * reference + offset
    )
    np.testing.assert_allclose(scaled, plain * scale.prod(), rtol=1e-4)
