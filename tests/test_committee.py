"""Committee: how much each member counts, and what it knows of its uncertainty (the rest is tested by Predictor)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from archpredict.committee import Committee
from archpredict.encoders.gcn import GCN
from archpredict.graph import ArchGraph
from archpredict.heads.base import ScoreHead
from archpredict.heads.regression import Regression
from archpredict.inputs import Inputs, InputSpec
from archpredict.regressors.base import Regressor
from archpredict.training import Model, seeded

FloatArray = npt.NDArray[np.float64]

CPU = torch.device("cpu")
CHAINS = [ArchGraph(("a",) * n, tuple((i, i + 1) for i in range(n - 1))) for n in range(1, 13)]
LABELS = np.arange(12.0)
SPEC, INPUTS = InputSpec.fit(CHAINS, form="nodes", features={"x": LABELS})


class Linear(Regressor):
    """The first number, times ``slope``, with a constant standard deviation."""

    def __init__(self, seed: int = 0, *, slope: float = 1.0, deviation: float = 0.0) -> None:
        self.slope, self.deviation = slope, deviation

    def fit(self, x: FloatArray, y: FloatArray, found: dict[str, Any] | None = None) -> None:
        pass

    def predict(self, x: FloatArray) -> FloatArray:
        return self.slope * x[:, 0]

    def std(self, x: FloatArray) -> FloatArray:
        return np.full(len(x), self.deviation)


def make(*regressors: Linear, networks: int = 0) -> Committee:
    """Regressors of equal weight, beside networks; fitted to the labels."""
    with seeded(0):
        models = [Model(GCN(1, dim=4), Regression(8)) for _ in range(networks)]
    named = {str(i): regressor for i, regressor in enumerate(regressors)}
    committee = Committee(SPEC, models, named, [1.0] * len(named), CPU)
    committee.fit_scale(committee.remember(INPUTS), LABELS)
    return committee


def test_networks_weigh_one_together_and_regressors_their_shares() -> None:
    assert make(Linear(), Linear(), networks=2).weights.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 3])


@pytest.mark.parametrize("networks", [0, 1])
def test_a_regressor_that_learnt_next_to_nothing_hardly_counts(networks: int) -> None:
    informed, uninformed = Linear(slope=0.9), Linear(slope=-1e-3)
    latent = make(informed, uninformed, networks=networks).latent(INPUTS)
    alone = make(informed, Linear(slope=0.0), networks=networks).latent(INPUTS)
    np.testing.assert_allclose(latent, alone, atol=0.02)


@pytest.mark.parametrize("slope", [1e-1, 1e-3, 1e-6, 0.0])
def test_its_own_deviation_does_not_explode(slope: float) -> None:
    informed, uninformed = Linear(slope=0.9, deviation=0.4), Linear(slope=slope, deviation=1.0)
    std = make(informed, uninformed).predict_std(INPUTS)
    # Two labels drawn at random differ by 1.4 standard deviations; the rest is what calibration stretches.
    assert std.max() < 4 * LABELS.std()
    if slope:
        assert make(uninformed).predict_std(INPUTS).max() < 4 * LABELS.std()


@pytest.mark.parametrize("slope", [1e-6, 0.05, 2.0])
def test_regressors_that_have_learnt_as_much_as_each_other_count_alike(slope: float) -> None:
    committee = make(Linear(slope=slope), Linear(slope=slope / 2))
    np.testing.assert_allclose(committee.scale, [slope, slope / 2], rtol=1e-6)
    np.testing.assert_allclose(committee.predict(INPUTS), LABELS, atol=1e-6)


def test_the_scale_of_networks_is_their_spread_however_small() -> None:
    committee = make(Linear(), networks=1)
    head = committee.models[0].head
    assert isinstance(head, ScoreHead)
    before = committee.latent(INPUTS)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(1e-4)
    committee.fit_scale(committee.remember(INPUTS), LABELS)
    assert committee.scale[0] < 1e-3
    np.testing.assert_allclose(committee.latent(INPUTS), before, atol=1e-3)


def test_nothing_is_scored_to_nothing() -> None:
    nothing: Inputs = INPUTS[:0]
    committee = make(Linear(), networks=1)
    assert committee.predict(nothing).shape == committee.predict_std(nothing).shape == (0,)


def test_predictions_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archpredict.committee.CHUNK", 1)
    committee = make(Linear(), networks=2)
    alone, before = committee.predict(INPUTS), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert np.array_equal(committee.predict(INPUTS), alone)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
