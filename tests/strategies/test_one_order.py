"""Several objectives as one label."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.evaluators.base import Result
from archpredict.metrics.fronts import front_ranks
from archpredict.strategies.base import Problem
from archpredict.strategies.rounds.one_order import Several, one_label
from archpredict.testing.toys import ToySpace

_SPACE = ToySpace()


def _results(values: np.ndarray) -> list[Result]:
    rows = _SPACE.enumerate()[: len(values)]
    return [
        Result(a, float(v[0]), values={"accuracy": float(v[0]), "latency": float(v[1])})
        for a, v in zip(_SPACE.architectures(rows), values, strict=True)
    ]


def _problem(**limits: float) -> Problem:
    return Problem(_SPACE, 20, limits, objectives=["accuracy", "latency:min"])


@pytest.mark.parametrize("how", ["scalarisation", "dominance"])
def test_what_dominates_has_the_larger_label(how: Several) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((30, 2))
    labels = one_label(_problem(), _results(values), how, rng)
    better = (values[:, None, 0] > values[None, :, 0]) & (values[:, None, 1] < values[None, :, 1])
    assert (labels[:, None] > labels[None])[better].all()


def test_dominance_orders_by_rank_first() -> None:
    values = np.random.default_rng(1).random((30, 2))
    labels = one_label(_problem(), _results(values), "dominance", np.random.default_rng(0))
    ranks = front_ranks(values * [1, -1])
    assert (np.ceil(labels - 1e-12) <= -ranks + 1).all()
    assert labels[ranks == 0].min() > labels[ranks == 1].max() - 1e-12


def test_weights_on_one_objective_order_by_it() -> None:
    class First:
        def dirichlet(self, alpha: np.ndarray) -> np.ndarray:
            return np.array([1.0, 0.0])

    values = np.random.default_rng(2).random((12, 2))
    labels = one_label(_problem(), _results(values), "scalarisation", First())  # type: ignore[arg-type]
    assert np.argsort(labels).tolist() == np.argsort(values[:, 0]).tolist()


@pytest.mark.parametrize("how", ["scalarisation", "dominance"])
def test_what_breaks_a_limit_comes_last(how: Several) -> None:
    values = np.random.default_rng(4).random((20, 2))
    labels = one_label(_problem(latency=0.5), _results(values), how, np.random.default_rng(0))
    assert labels[values[:, 1] > 0.5].max() < labels[values[:, 1] <= 0.5].min()


@pytest.mark.parametrize("how", ["scalarisation", "dominance"])
def test_an_objective_whose_values_are_all_equal_does_not_matter(how: Several) -> None:
    values = np.column_stack([np.linspace(0, 1, 8), np.full(8, 3.0)])
    labels = one_label(_problem(), _results(values), how, np.random.default_rng(7))
    assert np.argsort(labels).tolist() == list(range(8))
