"""Regression of statistics: what is told of each graph."""

from __future__ import annotations

import numpy as np
import torch

from archpredict.graph.network_statistics import network_statistics
from archpredict.predict.pretraining.objectives.statistics import RegressedStatistics
from archpredict.testing.graphs import random_computational_graph

GRAPHS = [random_computational_graph(20 + n, np.random.default_rng(n)) for n in range(12)]


def test_targets_are_standardised_statistics_that_vary() -> None:
    targets = RegressedStatistics().targets(GRAPHS)
    assert targets.shape[0] == 12
    assert np.abs(targets).max() <= 4
    assert (targets.std(axis=0) > 0.3).all()
    raw = np.array([network_statistics(graph) for graph in GRAPHS])
    column = raw[:, raw.std(axis=0) > 0][:, 0]
    expected = np.clip((column - column.mean()) / column.std(), -4, 4)
    np.testing.assert_allclose(targets[:, 0], expected)


def test_the_loss_is_the_mean_squared_error() -> None:
    read, targets = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    assert RegressedStatistics().loss(read, targets).item() == 2.5
