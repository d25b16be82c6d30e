"""Contributions: they add up, and what has no part in a score gets none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from archpredict.errors import ArchPredictError, UsageError
from archpredict.explanations.contributions import RECIPE, REST, contributions, nearest
from archpredict.explanations.shapley import coalitions, shapley_values
from archpredict.predict.predictor import Predictor
from archpredict.predict.training.training import Training
from archpredict.spaces.base import load_space

SPACE = load_space("nasbench201")
NETWORKS = [
    SPACE.network(row, channels=channels)
    for row, channels in zip(SPACE.sample(24, np.random.default_rng(0)).tolist(), [8, 16, 32] * 8, strict=True)
]
VALUES = Training(target="values")
LABELS = [float(np.log(network.attrs["macs"].sum())) for network in NETWORKS]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(ensemble=0, sources=("network",), regressors={"extra-trees": 1.0}).fit(NETWORKS, LABELS)


@pytest.mark.parametrize("i", range(3))
def test_contributions_add_up_to_the_difference_from_the_reference(predictor: Predictor, i: int) -> None:
    alone = contributions(predictor, NETWORKS[i])
    assert alone.reference == pytest.approx(np.mean(LABELS))
    assert sum(part.gain for part in alone.parts) == pytest.approx(alone.score - np.mean(LABELS))
    assert alone.score == pytest.approx(predictor.predict([NETWORKS[i]])[0])
    against = contributions(predictor, NETWORKS[i], NETWORKS[i + 1])
    assert against.reference == pytest.approx(predictor.predict([NETWORKS[i + 1]])[0])
    assert sum(part.gain for part in against.parts) == pytest.approx(against.score - against.reference)
    same = contributions(predictor, NETWORKS[i], NETWORKS[i])
    assert [part.gain for part in same.parts] == pytest.approx([0.0] * len(same.parts))


def test_the_recipe_is_no_part_of_what_a_network_adds() -> None:
    shipped = Predictor.load("imagenet")
    explained = contributions(shipped, NETWORKS[0])
    groups = {part.group: part for part in explained.parts}
    assert {name for name in groups if "recipe" in name} == {RECIPE}
    assert groups[RECIPE].statistics == groups[REST].statistics == ()
    assert explained.reference == shipped.mean_label_
    assert sum(part.gain for part in explained.parts) == pytest.approx(explained.score - explained.reference)


def test_of_a_linear_predictor_the_means_say_the_mean_and_each_group_its_share() -> None:
    """Where a score is linear, contributions are known: weights times what differs from the mean."""
    linear = Predictor(ensemble=0, sources=("network",), regressors={"bayesian-ridge": 1.0}, training=VALUES)
    many = [SPACE.network(row) for row in SPACE.sample(40, np.random.default_rng(1)).tolist()]
    labels = [float(network.attrs["macs"].sum() / 1e8) for network in many]
    linear.fit(many, labels)
    explained = contributions(linear, many[0])
    (rest,) = [part.gain for part in explained.parts if part.group == REST]
    assert explained.reference == pytest.approx(np.mean(labels))
    assert abs(rest) < 0.2 * np.std(labels)  # but for the map that matches quantiles


def test_a_predictor_that_was_saved_knows_the_mean_of_its_labels(predictor: Predictor, tmp_path: Path) -> None:
    predictor.save(tmp_path / "new")
    assert Predictor.load(tmp_path / "new").mean_label_ == pytest.approx(np.mean(LABELS))
    shutil.copytree(tmp_path / "new", tmp_path / "old")
    told = json.loads((tmp_path / "old" / "predictor.json").read_text())
    del told["fitted"]["mean_label"]  # as versions before wrote it
    (tmp_path / "old" / "predictor.json").write_text(json.dumps(told))
    assert abs(Predictor.load(tmp_path / "old").mean_label_ - np.mean(LABELS)) < 0.1 * np.std(LABELS)
    told["fitted"]["mean_label"] = 1e9
    (tmp_path / "old" / "predictor.json").write_text(json.dumps(told))
    with pytest.raises(ArchPredictError, match="mean of its labels"):
        Predictor.load(tmp_path / "old")


def test_shapley_values_of_a_sum_are_its_parts_and_of_a_product_are_shared() -> None:
    sets = coalitions(4).astype(float)
    worth = np.array([3.0, -1.0, 0.0, 2.0])
    assert shapley_values(sets @ worth).tolist() == pytest.approx(worth.tolist())
    assert shapley_values(sets[:, 0] * sets[:, 1] * sets[:, 3]).tolist() == pytest.approx([1 / 3, 1 / 3, 0.0, 1 / 3])


def test_the_nearest_known_network_is_itself(predictor: Predictor) -> None:
    known = {str(i): (network, float(i)) for i, network in enumerate(NETWORKS)}
    found = nearest(predictor, NETWORKS[5], known, k=3)
    assert (found[0].label, found[0].distance) == (5.0, 0.0)
    assert [each.distance for each in found] == sorted(each.distance for each in found)
    assert nearest(predictor, NETWORKS[5], {}) == []


def test_predictors_that_read_the_graph_are_refused() -> None:
    cells = SPACE.architectures(SPACE.sample(20, np.random.default_rng(0)))
    reads_cells = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, range(20))
    with pytest.raises(UsageError, match="read statistics and no graph"):
        contributions(reads_cells, NETWORKS[0])
