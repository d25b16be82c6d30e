"""Ensemble: how much each member counts, and what it knows of its uncertainty (the rest is tested by Predictor)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from archpredict.encoders.gcn import GCN
from archpredict.errors import DataError, NotFittedError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.heads.base import ScoreHead
from archpredict.heads.regression import Regression
from archpredict.predict.calibration import fit_deviation
from archpredict.predict.ensemble.ensemble import Ensemble
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.predictor import Predictor
from archpredict.predict.training.model import Model
from archpredict.predict.training.training import Training
from archpredict.regressors.base import Arrays, Regressor, Values
from archpredict.runtime import seeded

FloatArray = npt.NDArray[np.float64]

CPU = torch.device("cpu")
CHAINS = [ArchGraph(("a",) * n, tuple((i, i + 1) for i in range(n - 1))) for n in range(1, 13)]
LABELS = np.arange(12.0)
SPEC, INPUTS = InputSpec.fit(CHAINS, form="nodes", features={"x": LABELS})


class Linear(Regressor):
    """The first number, times ``slope``, with a constant standard deviation."""

    def __init__(self, seed: int = 0, *, slope: float = 1.0, deviation: float = 0.0) -> None:
        self.slope, self.deviation = slope, deviation

    def fit(self, x: FloatArray, y: FloatArray) -> None:
        pass

    def predict(self, x: FloatArray) -> FloatArray:
        return self.slope * x[:, 0]

    def std(self, x: FloatArray) -> FloatArray:
        return np.full(len(x), self.deviation)

    def state(self) -> tuple[Values, Arrays]:
        return {"slope": self.slope}, {}

    def restore(self, values: Values, arrays: Arrays, columns: int) -> None:
        self.slope = values["slope"]


def make(*regressors: Linear, networks: int = 0) -> Ensemble:
    """Regressors of equal weight, beside networks; fitted to the labels."""
    with seeded(0):
        models = [Model(GCN(1, dim=4), Regression(8)) for _ in range(networks)]
    named = {str(i): regressor for i, regressor in enumerate(regressors)}
    ensemble = Ensemble(SPEC, models, named, [1.0] * len(named), CPU)
    ensemble.fit_scale(ensemble.after_fit(INPUTS), LABELS)
    return ensemble


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
    std = make(informed, uninformed).predict_both(INPUTS)[1]
    # Two labels drawn at random differ by 1.4 standard deviations; the rest is what calibration stretches.
    assert std.max() < 4 * LABELS.std()
    if slope:
        assert make(uninformed).predict_both(INPUTS)[1].max() < 4 * LABELS.std()


@pytest.mark.parametrize("slope", [1e-6, 0.05, 2.0])
def test_regressors_that_have_learnt_as_much_as_each_other_count_alike(slope: float) -> None:
    ensemble = make(Linear(slope=slope), Linear(slope=slope / 2))
    np.testing.assert_allclose(ensemble.scale, [slope, slope / 2], rtol=1e-6)
    np.testing.assert_allclose(ensemble.predict(INPUTS), LABELS, atol=1e-6)


def test_the_scale_of_networks_is_their_spread_however_small() -> None:
    ensemble = make(Linear(), networks=1)
    head = ensemble.models[0].head
    assert isinstance(head, ScoreHead)
    before = ensemble.latent(INPUTS)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(1e-4)
    ensemble.fit_scale(ensemble.after_fit(INPUTS), LABELS)
    assert ensemble.scale[0] < 1e-3
    np.testing.assert_allclose(ensemble.latent(INPUTS), before, atol=1e-3)


def test_the_deviation_that_was_found_stretches_and_adds() -> None:
    ensemble = make(Linear(), Linear(slope=-1.0))
    before = ensemble.predict_both(INPUTS)[1]
    ensemble.deviation = (2.0, 3.0)
    np.testing.assert_allclose(ensemble.predict_both(INPUTS)[1], np.sqrt(4 * before**2 + 9))


def test_a_predictor_is_calibrated_by_errors_until_the_next_fit(tmp_path: Path) -> None:
    predictor = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(CHAINS, LABELS)
    std, rng = predictor.predict_std(CHAINS), np.random.default_rng(0)
    errors = rng.normal(size=12)
    assert predictor.calibrate_std(LABELS + errors, std, LABELS) is predictor
    a, b = fit_deviation(std, errors)
    np.testing.assert_allclose(predictor.predict_std(CHAINS), np.sqrt((a * std) ** 2 + b**2), rtol=1e-6)
    predictor.save(tmp_path)
    assert Predictor.load(tmp_path).predict_std(CHAINS).tolist() == predictor.predict_std(CHAINS).tolist()
    assert predictor.fit(CHAINS, LABELS).predict_std(CHAINS).tolist() == std.tolist()


def test_what_a_predictor_cannot_be_calibrated_by_is_refused() -> None:
    predictor = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0})
    with pytest.raises(NotFittedError, match=r"call fit\(architectures, y\)"):
        predictor.calibrate_std(LABELS, LABELS, LABELS)
    predictor.fit(CHAINS, LABELS)
    with pytest.raises(DataError, match=r"12 architectures need as many labels, an array of shape \(3,\) was given"):
        predictor.calibrate_std(LABELS, LABELS, [1, 2, 3])
    with pytest.raises(DataError, match=r"as many errors are needed, \(3,\) and \(12,\) were given"):
        predictor.calibrate_std(LABELS, [1, 2, 3], LABELS)
    with pytest.raises(DataError, match="and deviations at least 0"):
        predictor.calibrate_std(LABELS, -LABELS, LABELS)


def test_what_is_unlike_the_training_set_is_novel_also_after_loading(tmp_path: Path) -> None:
    predictor = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(CHAINS, LABELS)
    star = ArchGraph(("a",) * 30, tuple((0, i) for i in range(1, 30)))
    assert (predictor.novelty([*CHAINS[1:-1], star]) > 1).tolist() == [False] * 10 + [True]
    assert predictor.novelty([]).shape == (0,)
    predictor.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    inputs = predictor.pack([*CHAINS, star])
    assert loaded.ensemble_.distance(inputs).tolist() == predictor.ensemble_.distance(inputs).tolist()


def test_a_predictor_that_reads_graphs_alone_does_not_know_what_is_novel() -> None:
    predictor = Predictor("gcn", sources=(), regressors=None, ensemble=1, training=Training(epochs=1))
    with pytest.raises(NotFittedError, match=r"call fit\(architectures, y\)"):
        predictor.novelty(CHAINS)
    with pytest.raises(UsageError, match="reads no numbers beside the graph, which would tell what is novel; fit"):
        predictor.fit(CHAINS, LABELS).novelty(CHAINS)


def test_nothing_is_scored_to_nothing() -> None:
    nothing: Inputs = INPUTS[:0]
    ensemble = make(Linear(), networks=1)
    assert ensemble.predict(nothing).shape == ensemble.predict_both(nothing)[1].shape == (0,)


def test_predictions_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archpredict.predict.ensemble.ensemble._PIECE", 1)
    ensemble = make(Linear(), networks=2)
    alone, before = ensemble.predict(INPUTS), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert np.array_equal(ensemble.predict(INPUTS), alone)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_what_is_said_of_many_architectures_stands_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    ensemble = make(Linear(deviation=0.1), networks=2)
    shuffled = INPUTS[np.random.default_rng(0).permutation(len(INPUTS)).repeat(3)]
    together = ensemble.predict_both(shuffled)
    monkeypatch.setattr("archpredict.predict.ensemble.ensemble._MANY", 4)
    monkeypatch.setattr("archpredict.predict.ensemble.ensemble._PIECE", 8)
    for said, expected in zip(ensemble.predict_both(shuffled), together, strict=True):
        np.testing.assert_allclose(said, expected, rtol=1e-5)
    np.testing.assert_array_equal(ensemble.predict(shuffled), ensemble.predict_both(shuffled)[0])
    np.testing.assert_array_equal(ensemble.member_predictions(shuffled).side, ensemble.spec.side(shuffled))
