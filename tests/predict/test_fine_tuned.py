"""Predictors that go on from others, and labels of several families."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from archpredict.errors import DataError, NotFittedError, UnknownNameError, UsageError
from archpredict.predict.families import pooled
from archpredict.predict.fine_tuned import FineTuned
from archpredict.predict.parts import Part
from archpredict.predict.predictor import Predictor
from archpredict.predict.presets import unfitted
from archpredict.predict.training.training import Training
from archpredict.spaces.base import Architecture, load_space


def drawn(space: str, n: int) -> list[Architecture]:
    loaded = load_space(space)
    return loaded.architectures(loaded.sample(n, np.random.default_rng(0)))


CELLS, OTHERS = drawn("nasbench201", 8), drawn("nasbench101", 6)


@pytest.fixture(scope="module")
def origin() -> Predictor:
    predictor = Predictor(
        Part("comp-graph", dim=8, layers=1),
        "regression",
        sources=(),
        regressors=None,
        ensemble=1,
        training=Training(epochs=4, pretrain=0),
        device="cpu",
    )
    return predictor.fit(*pooled([(CELLS, range(8)), (OTHERS, [cell.cost["params"] for cell in OTHERS])]))


def test_labels_of_each_family_are_its_ranks_whatever_their_scale() -> None:
    networks, labels = pooled([(CELLS, np.arange(8.0)), (OTHERS, np.exp(np.arange(6)))])
    assert len(networks) == len(labels) == 14
    assert [graph.key for graph in networks[:8]] == [cell.space.network(cell.choices).key for cell in CELLS]
    np.testing.assert_allclose([labels[:8].mean(), labels[8:].mean()], 0, atol=1e-12)
    assert (np.diff(labels[:8]) > 0).all()
    same = pooled([(networks[:8], 7 * np.arange(8.0) - 3)])
    np.testing.assert_array_equal(same[1], labels[:8])


def test_families_that_say_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="families are pairs of architectures and labels, none were given"):
        pooled([])
    with pytest.raises(DataError, match="all 8 labels are equal"):
        pooled([(CELLS, np.ones(8))])


def test_a_predictor_of_several_families_predicts_a_third_and_is_fine_tuned_on_it(origin: Predictor) -> None:
    third = drawn("enas", 6)
    assert np.isfinite(origin.predict(third)).all()
    tuned = FineTuned(origin, epochs=30, learning_rate=3e-3).fit(third, range(6))
    assert tuned.predict(third).min() >= 0
    assert np.corrcoef(tuned.predict(third), np.arange(6))[0, 1] > 0.5


def test_each_fit_goes_on_from_the_same_origin(origin: Predictor, tmp_path: Path) -> None:
    before = origin.predict(CELLS)
    tuned = FineTuned(origin, epochs=2, seed=5).fit(CELLS, range(8))
    once = tuned.predict(CELLS)
    tuned.fit(CELLS[:4], range(4, 0, -1))
    np.testing.assert_array_equal(tuned.fit(CELLS, range(8)).predict(CELLS), once)
    np.testing.assert_array_equal(origin.predict(CELLS), before)
    origin.save(tmp_path / "model")
    loaded = clone(FineTuned(tmp_path / "model", epochs=2, seed=5)).fit(CELLS, range(8))
    np.testing.assert_array_equal(loaded.predict(CELLS), once)


def test_the_folder_of_a_saved_predictor_stands_for_one_that_is_fine_tuned(origin: Predictor, tmp_path: Path) -> None:
    origin.save(tmp_path / "model")
    made = unfitted(str(tmp_path / "model"))
    assert isinstance(made, FineTuned)
    assert isinstance(unfitted(made), FineTuned)
    with pytest.raises(DataError, match="does not hold a valid predictor"):
        unfitted(str(tmp_path))


def test_one_that_has_learnt_nothing_yet_says_so() -> None:
    with pytest.raises(NotFittedError, match=r"has not been fitted; call fit\(architectures, y\) first"):
        FineTuned("darts-cifar10").predict(CELLS)
    with pytest.raises(UnknownNameError, match="unknown predictor 'nowhere'"):
        FineTuned("nowhere").check()
