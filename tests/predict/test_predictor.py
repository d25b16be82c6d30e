"""Predictor: scikit-learn's contract, every encoder and head, ensembles, extra numbers, going on from a fit."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from archpredict.encoders.base import Encoder
from archpredict.encoders.gcn import GCN
from archpredict.errors import DataError, InvalidGraphError, NotFittedError, RunError, UnknownNameError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import OPERATORS
from archpredict.graph.packed import PackedGraphs
from archpredict.heads.base import Head, ScoreHead
from archpredict.predict.batch import Batch
from archpredict.predict.calibration import Calibration, standardize
from archpredict.predict.parts import Part
from archpredict.predict.predictor import Predictor
from archpredict.predict.storage import shipped
from archpredict.predict.training.trainer import Trainer
from archpredict.predict.training.training import PseudoPairs, Training
from archpredict.registry import names, resolve
from archpredict.spaces.base import Architecture, load_space
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.testing.graphs import random_computational_graph

FloatArray = npt.NDArray[np.float64]

SPACE = NASBench201()
OF_CELLS = [name for name in names("encoders") if resolve("encoders", name, Encoder).form != "network"]
TINY: dict[str, Any] = {
    "encoder": Part("gcn", dim=16, layers=2),
    "head": "pairwise",
    "sources": (),
    "training__side_width": 16,
    "training__side_dropout": 0.1,
    "ensemble": 1,
    "regressors": None,
    "training__epochs": 2,
    "training__batch_size": 64,
    "training__learning_rate": 3e-3,
    "training__held_out": 0.0,
}
"""Whatever the defaults are."""
FOREST: dict[str, Any] = {
    "ensemble": 0,
    "regressors": {"extra-trees": (1.0, {"trees": 20})},
    "sources": ("statistics",),
}


def make(**options: Any) -> Predictor:
    """A small and fast predictor."""
    return Predictor().set_params(**{**TINY, **options})


@pytest.fixture(scope="module")
def cells() -> list[Architecture]:
    return SPACE.architectures(SPACE.sample(60, np.random.default_rng(0)))


@pytest.fixture(scope="module")
def labels(cells: list[Architecture]) -> FloatArray:
    """More convolutions are better: a ranking that any graph encoder must learn."""
    return np.array([sum(c in (2, 3) for c in a.choices) + 0.1 * a.choices[0] for a in cells])


@pytest.fixture(scope="module")
def fitted(cells: list[Architecture], labels: FloatArray) -> Predictor:
    return make(training__epochs=30, ensemble=2, sources=("statistics",)).fit(cells[:40], labels[:40])


@pytest.fixture(scope="module")
def ensemble(cells: list[Architecture], labels: FloatArray) -> Predictor:
    return make(
        head="comparator",
        training__epochs=5,
        ensemble=2,
        sources=("statistics",),
        regressors={
            "gaussian-process": 0.5,
            "extra-trees": (1.5, {"trees": 10}),
            "hist-gradient-boosting": (0.25, {"iterations": 5}),
        },
        cross_fit=False,
    ).fit(cells[:40], labels[:40])


# ---------------------------------------------------------------------- learning and ranking


def test_it_learns_a_ranking_that_holds_on_unseen_architectures(
    fitted: Predictor, cells: list[Architecture], labels: FloatArray
) -> None:
    assert fitted.score(cells[40:], labels[40:]) > 0.6


def test_predictions_read_on_the_scale_of_the_labels(
    fitted: Predictor, cells: list[Architecture], labels: FloatArray
) -> None:
    assert np.abs(fitted.predict(cells[:40]).mean() - labels[:40].mean()) < 0.1
    assert np.abs(fitted.predict(cells[40:]) - labels[40:]).mean() < 1.0


def test_rank_lists_the_best_first_and_ties_keep_their_order(fitted: Predictor, cells: list[Architecture]) -> None:
    scores = fitted.predict(cells)
    order = fitted.rank(cells)
    assert (np.diff(scores[order]) <= 1e-3).all()  # ties are those within rounding
    assert fitted.rank([cells[0], cells[0], cells[0]]).tolist() == [0, 1, 2]


def test_predictions_of_shuffled_architectures_are_the_shuffled_predictions(
    ensemble: Predictor, cells: list[Architecture]
) -> None:
    order = np.random.default_rng(1).permutation(len(cells))
    shuffled = [cells[i] for i in order]
    np.testing.assert_allclose(ensemble.predict(shuffled), ensemble.predict(cells)[order], atol=1e-4)
    np.testing.assert_allclose(ensemble.predict_std(shuffled), ensemble.predict_std(cells)[order], atol=1e-4)
    p = ensemble.compare(cells, cells)
    np.testing.assert_allclose(ensemble.compare(shuffled, shuffled), p[order][:, order], atol=1e-5)


def test_compare_gives_a_float_for_two_and_a_matrix_for_many(fitted: Predictor, cells: list[Architecture]) -> None:
    p = fitted.compare(cells[:4], cells[:7])
    assert p.shape == (4, 7)
    assert type(fitted.compare(cells[0], cells[1])) is float
    assert fitted.compare(cells[0], cells[1]) == pytest.approx(p[0, 1], abs=1e-5)
    assert fitted.compare(cells[0], cells[:7]).shape == (1, 7)


def test_ranking_encodes_each_architecture_once(
    fitted: Predictor, cells: list[Architecture], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    forward = GCN.forward

    def counting(self: GCN, batch: Any) -> torch.Tensor:
        encoded.append(batch.num_graphs)
        return forward(self, batch)

    monkeypatch.setattr(GCN, "forward", counting)
    fitted.rank(cells)
    assert sum(encoded) == len(cells) * fitted.ensemble


def test_equal_seeds_give_equal_predictions_and_the_global_generator_is_left_alone(
    cells: list[Architecture], labels: FloatArray
) -> None:
    def predicted(seed: int) -> list[float]:
        return [float(p) for p in make(seed=seed).fit(cells, labels).predict(cells)]

    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    assert predicted(5) == predicted(5)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert predicted(5) != predicted(6)


@pytest.mark.parametrize("options", [{}, FOREST], ids=["network", "forest"])
def test_only_the_order_of_the_labels_counts_for_the_ranking(
    options: dict[str, Any], cells: list[Architecture], labels: FloatArray
) -> None:
    ranks = [
        make(**options).fit(cells[:40], transformed[:40]).rank(cells).tolist()
        for transformed in (labels, 1e6 * labels - 3, np.exp(labels), labels**3 * 1e-9)
    ]
    assert all(rank == ranks[0] for rank in ranks)


def test_two_labels_are_enough(cells: list[Architecture]) -> None:
    for options in ({}, FOREST, {"sources": ("statistics", "choices")}):
        predictor = make(**options).fit(cells[:2], [1.0, 2.0])
        assert np.isfinite(predictor.predict(cells)).all()
        assert predictor.num_labels_ == 2


# ---------------------------------------------------------------------- every encoder and head


@pytest.mark.parametrize("head", names("heads"))
@pytest.mark.parametrize("encoder", OF_CELLS)
def test_every_encoder_with_every_head_predicts_compares_and_is_saved(
    encoder: str, head: str, cells: list[Architecture], tmp_path: Path
) -> None:
    params = np.array([cell.cost["params"] for cell in cells])
    predictor = make(encoder=encoder, head=head, training__epochs=1, sources=("statistics",)).fit(
        cells[:20], params[:20]
    )
    prediction = predictor.predict(cells)
    p = predictor.compare(cells[:8], cells[:8])
    assert prediction.shape == (60,)
    assert np.isfinite(prediction).all()
    assert ((p >= 0) & (p <= 1)).all()
    if issubclass(resolve("heads", head, Head), ScoreHead):
        np.testing.assert_allclose(p + p.T, 1, atol=1e-6)
        assert ((p > 0.5) <= (prediction[:8, None] >= prediction[None, :8])).all()
    predictor.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert loaded.predict(cells).tolist() == prediction.tolist()
    assert loaded.compare(cells[:8], cells[:8]).tolist() == p.tolist()


@pytest.mark.parametrize("encoder", OF_CELLS)
def test_every_encoder_reads_two_cells_and_is_saved(encoder: str, tmp_path: Path) -> None:
    space = load_space("darts")
    genotypes = space.architectures(space.sample(16, np.random.default_rng(0)))
    params = [genotype.cost["params"] for genotype in genotypes]
    predictor = make(encoder=encoder, training__epochs=1).fit(genotypes, params)
    predictor.save(tmp_path)
    assert Predictor.load(tmp_path).predict(genotypes).tolist() == predictor.predict(genotypes).tolist()
    assert predictor.space_ == "darts"


@pytest.mark.parametrize("encoder", [*OF_CELLS, None])
def test_isomorphic_architectures_get_equal_predictions_where_neither_encoder_nor_numbers_tell_them_apart(
    encoder: str | None, cells: list[Architecture]
) -> None:
    if encoder is not None and not resolve("encoders", encoder, Encoder).invariant:
        pytest.skip("this encoder does not claim to be invariant")
    many = SPACE.architectures(SPACE.sample(300, np.random.default_rng(3)))
    first: dict[str, Architecture] = {}
    twins = [(first[a.key], a) for a in many if first.setdefault(a.key, a) is not a]
    assert len(twins) > 10
    # Costs are of the network as it is built, dead branches and all: bare graphs have none.
    graphs = [cell.graph for cell in cells]
    predictor = make(encoder=encoder, training__epochs=1, sources=("statistics",)).fit(graphs, np.arange(60))
    one, two = (predictor.predict([pair[i].graph for pair in twins]) for i in (0, 1))
    np.testing.assert_allclose(one, two, atol=1e-2)  # of labels from 0 to 59
    assert np.ptp(one) > 1


@pytest.mark.parametrize(
    "options",
    [
        {"encoder": Part("comp-graph", dim=8, layers=2), "sources": ("network",)},
        {"encoder": Part("comp-graph", dim=8, layers=2), "sources": ()},
        {"encoder": "gcn", "sources": ("network",)},
        {"encoder": None, "sources": ("network",)},
        {"encoder": None, "sources": ("network",), "ensemble": 0, "regressors": {"bayesian-ridge": 1.0}},
    ],
)
def test_networks_are_ranked_and_their_predictor_is_saved(options: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    networks = [random_computational_graph(int(n), rng) for n in rng.integers(5, 40, 30)]
    y = [float(network.num_nodes) for network in networks]
    predictor = make(**options, training__epochs=2).fit(networks[:20], y[:20])
    assert predictor.spec_.vocabulary == OPERATORS
    prediction = predictor.predict(networks)
    assert np.ptp(prediction) > 0
    predictor.save(tmp_path)
    assert Predictor.load(tmp_path).predict(networks).tolist() == prediction.tolist()
    assert 0 <= predictor.compare(networks[0], networks[29]) <= 1
    with pytest.raises(InvalidGraphError, match="a computational graph has the attribute 'shape'"):
        predictor.predict([ArchGraph(("input", "conv"), ((0, 1),))])


# ---------------------------------------------------------------------- ensembles


def by_hand(predictor: Predictor, items: list[Architecture], of: str) -> FloatArray:
    """``(M, n)`` scores or standard deviations of the members, one by one."""
    inputs = predictor.pack(items)
    *encoded, numbers = predictor.encode(inputs)
    rows = numbers.double().numpy()
    if of == "score":
        networks = [m.head.score(z).detach().numpy() for m, z in zip(predictor.ensemble_.models, encoded, strict=True)]
        return np.stack([*networks, *(r.predict(rows) for r in predictor.ensemble_.regressors.values())]).astype(float)
    stds = [r.std(rows) for r in predictor.ensemble_.regressors.values()]
    none = np.zeros(len(items))
    return np.stack([none] * len(encoded) + [none if std is None else std for std in stds])


def test_a_prediction_is_the_weighted_mean_of_standardised_scores_on_the_scale_of_the_labels(
    ensemble: Predictor, cells: list[Architecture], labels: FloatArray
) -> None:
    weights = np.array([0.5, 0.5, 0.5, 1.5, 0.25]) / 3.25
    train, every = by_hand(ensemble, cells[:40], "score"), by_hand(ensemble, cells, "score")
    mean, spread = train.mean(axis=1, keepdims=True), train.std(axis=1, keepdims=True)
    margin = float(np.subtract(*np.quantile(labels[:40], [0.75, 0.25]))) / 2
    calibration = Calibration.fit(weights @ ((train - mean) / spread), labels[:40], margin)
    expected = calibration(weights @ ((every - mean) / spread))
    np.testing.assert_allclose(ensemble.predict(cells), expected, atol=1e-5)


def test_standard_deviations_are_those_of_the_mixture_of_the_members(
    ensemble: Predictor, cells: list[Architecture]
) -> None:
    weights = np.array([0.5, 0.5, 0.5, 1.5, 0.25]) / 3.25
    train, every = by_hand(ensemble, cells[:40], "score"), by_hand(ensemble, cells, "score")
    mean, spread = train.mean(axis=1, keepdims=True), train.std(axis=1, keepdims=True)
    z, own = (every - mean) / spread, by_hand(ensemble, cells, "std") / spread
    centre = weights @ z
    # The law of total variance: mean square of the mixture less the square of its mean.
    std = np.sqrt(weights @ (z**2 + own**2) - centre**2)
    expected = (ensemble.ensemble_.calibration(centre + std) - ensemble.ensemble_.calibration(centre - std)) / 2
    np.testing.assert_allclose(ensemble.predict_std(cells), expected, atol=1e-4)


def test_a_comparison_is_the_weighted_mean_of_the_members(ensemble: Predictor, cells: list[Architecture]) -> None:
    *encoded, numbers = ensemble.encode(ensemble.pack(cells[:6]))
    p = [m.head.compare(z, z).detach().numpy() for m, z in zip(ensemble.ensemble_.models, encoded, strict=True)]
    for regressor in ensemble.ensemble_.regressors.values():
        f = regressor.predict(numbers.double().numpy())
        p.append(1 / (1 + np.exp(-3 * (f[:, None] - f[None, :]))))
    expected = sum(w * q for w, q in zip([0.5, 0.5, 0.5, 1.5, 0.25], p, strict=True)) / 3.25
    np.testing.assert_allclose(ensemble.compare(cells[:6], cells[:6]), expected, atol=1e-6)


@pytest.mark.parametrize("name", names("regressors"))
def test_every_regressor_ranks_alone_and_is_saved(
    name: str, cells: list[Architecture], labels: FloatArray, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"regressors": {name: 1.0}, "ensemble": 0, "sources": ("statistics",)}
    predictor = make(**options).fit(cells[:40], labels[:40])
    assert predictor.ensemble_.models == []
    assert predictor.score(cells[40:], labels[40:]) > 0.4
    predictor.save(tmp_path / "one")
    loaded = Predictor.load(tmp_path / "one")
    np.testing.assert_allclose(loaded.predict(cells), predictor.predict(cells), atol=1e-9)
    loaded.save(tmp_path / "two")  # what was loaded can be saved again
    np.testing.assert_allclose(Predictor.load(tmp_path / "two").predict(cells), predictor.predict(cells), atol=1e-9)


def test_a_ensemble_is_saved_with_all_its_members(
    ensemble: Predictor, cells: list[Architecture], tmp_path: Path
) -> None:
    ensemble.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    np.testing.assert_allclose(loaded.predict(cells), ensemble.predict(cells), atol=1e-9)
    np.testing.assert_allclose(loaded.predict_std(cells), ensemble.predict_std(cells), atol=1e-9)
    np.testing.assert_allclose(loaded.compare(cells, cells), ensemble.compare(cells, cells), atol=1e-9)


def test_networks_on_the_numbers_alone_learn_too(cells: list[Architecture], labels: FloatArray, tmp_path: Path) -> None:
    predictor = make(encoder=None, training__epochs=40, ensemble=2, sources=("statistics",)).fit(
        cells[:40], labels[:40]
    )
    assert predictor.score(cells[40:], labels[40:]) > 0.5
    predictor.save(tmp_path)
    assert Predictor.load(tmp_path).predict(cells).tolist() == predictor.predict(cells).tolist()


@pytest.mark.parametrize(
    ("options", "has_std"),
    [
        ({"ensemble": 1}, False),
        ({"ensemble": 2}, True),
        ({"ensemble": 0, "regressors": {"gaussian-process": 1.0}}, True),
        ({"ensemble": 0, "regressors": {"extra-trees": 1.0}}, True),
        ({"ensemble": 0, "regressors": {"hist-gradient-boosting": 1.0}}, False),
        ({"ensemble": 1, "regressors": {"hist-gradient-boosting": 1.0}}, True),
    ],
)
def test_standard_deviations_come_from_several_members_or_one_that_knows_its_own(
    options: dict[str, Any], has_std: bool, cells: list[Architecture], labels: FloatArray
) -> None:
    predictor = make(**{"sources": ("statistics",), **options}).fit(cells[:20], labels[:20])
    assert predictor.has_std == has_std
    if has_std:
        std = predictor.predict_std(cells)
        assert std.shape == (60,)
        assert (std >= 0).all()
        assert std.max() > 0
        return
    with pytest.raises(UsageError, match="needs an ensemble; fit the predictor with ensemble=2 or more"):
        predictor.predict_std(cells)


# ---------------------------------------------------------------------- extra numbers


def test_an_extra_number_that_tells_the_labels_is_learnt_from_and_needed_ever_after(
    cells: list[Architecture], tmp_path: Path
) -> None:
    y = np.random.default_rng(4).permutation(60).astype(float)
    proxy = {"proxy": np.exp(y / 10)}
    predictor = make(training__epochs=60).fit(cells[:40], y[:40], features={"proxy": proxy["proxy"][:40]})
    assert predictor.feature_names_ == ("proxy",)
    inputs = predictor.pack(cells, proxy)
    assert predictor.score(inputs, y) > 0.7
    np.testing.assert_array_equal(predictor.predict(inputs), predictor.predict(cells, proxy))
    np.testing.assert_array_equal(predictor.rank(inputs), predictor.rank(cells, proxy))
    assert predictor.compare(inputs, inputs).shape == (60, 60)
    for ask in (predictor.predict, predictor.rank, predictor.pack):
        with pytest.raises(DataError, match="fitted with the feature 'proxy', which is missing"):
            ask(cells)
    predictor.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert loaded.feature_names_ == ("proxy",)
    np.testing.assert_array_equal(loaded.predict(cells, proxy), predictor.predict(cells, proxy))
    with pytest.raises(DataError, match="fitted with the feature 'proxy', which is missing"):
        loaded.predict(cells)


def test_a_predictor_without_an_encoder_needs_numbers(cells: list[Architecture], labels: FloatArray) -> None:
    for options in ({"encoder": None, "sources": ()}, {**FOREST, "sources": ()}):
        with pytest.raises(UsageError, match=r'there are none; give sources=\("statistics",\) or features'):
            make(**options).fit(cells, labels)
    alone = make(encoder=None, training__epochs=1)
    assert np.isfinite(alone.fit(cells, labels, features={"x": labels}).predict(cells, {"x": labels})).all()


# ---------------------------------------------------------------------- going on from a fit


@pytest.mark.parametrize("through_disk", [False, True])
def test_fine_tuning_moves_towards_the_new_labels_and_keeps_what_is_read(
    through_disk: bool, cells: list[Architecture], labels: FloatArray, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"training__epochs": 30, "sources": ("statistics",)}
    options["regressors"] = {"extra-trees": (0.5, {"trees": 5})}
    predictor = make(**options).fit(cells[:40], labels[:40])
    if through_disk:
        predictor.save(tmp_path)
        predictor = Predictor.load(tmp_path)
    spec, before = predictor.spec_, predictor.score(cells[40:], -labels[40:])
    seen: list[tuple[int, int | None]] = []
    tuned = predictor.fine_tune(
        cells[:20],
        100 - labels[:20],
        epochs=40,
        learning_rate=0.01,
        observer=lambda event: seen.append((event.done, event.total)),
    )
    assert tuned is predictor
    assert predictor.spec_ is spec
    assert predictor.num_labels_ == 20
    assert seen == [(i, 40) for i in range(1, 41)]
    assert predictor.score(cells[40:], -labels[40:]) > before + 0.5
    assert abs(predictor.predict(cells).mean() - (100 - labels.mean())) < 1


def test_fine_tuning_takes_a_quarter_of_the_epochs_unless_told(cells: list[Architecture], labels: FloatArray) -> None:
    predictor = make(training__epochs=8).fit(cells, labels)
    seen: list[int | None] = []
    predictor.fine_tune(cells, labels, observer=lambda event: seen.append(event.total))
    assert seen == [2, 2]
    with pytest.raises(UsageError, match="epochs is an integer of at least 1, 0 was given"):
        predictor.fine_tune(cells, labels, epochs=0)
    with pytest.raises(NotFittedError, match=r"call fit\(architectures, y\)"):
        make().fine_tune(cells, labels)


def test_fine_tuning_what_knows_no_one_space_takes_a_hundred_steps_at_least(cells: list[Architecture]) -> None:
    networks = [cell.space.network(cell.choices) for cell in cells[:10]]
    training = Training(epochs=8, batch_size=4, pretrain=0)
    encoder = Part("comp-graph", dim=8, layers=1)
    predictor = Predictor(encoder, "regression", sources=(), regressors=None, ensemble=1, training=training)
    predictor.fit(networks, range(10))
    seen: list[int | None] = []
    predictor.fine_tune(cells[:8], range(8), observer=lambda event: seen.append(event.total))
    assert seen == [50] * 50  # of two batches each


def test_refining_moves_comparisons_to_the_pairs_and_rescaling_restores_the_labels_scale(
    cells: list[Architecture], labels: FloatArray
) -> None:
    predictor = make(ensemble=2, training__epochs=10)
    session = predictor.fit_session(cells[:40], labels[:40])
    order = predictor.rank(cells)
    inputs = predictor.pack(cells)
    worst, best = order[-5:], order[:5]
    before = predictor.compare([cells[i] for i in worst], [cells[i] for i in best]).mean()
    pairs = PseudoPairs(inputs, worst, best, np.ones(5, dtype=np.float32))
    session.refine(pairs, share=0.8, epochs=20, slow_down=1.0)
    assert predictor.compare([cells[i] for i in worst], [cells[i] for i in best]).mean() > before + 0.1
    session.rescale()
    latent = predictor.ensemble_.latent(predictor.pack(cells[:40]))
    assert abs(latent.mean()) < 1e-4
    np.testing.assert_allclose(np.sort(predictor.predict(cells[:40]))[[0, -1]], [labels[:40].min(), labels[:40].max()])


def test_refining_gives_the_same_after_a_prediction_in_between(cells: list[Architecture], labels: FloatArray) -> None:
    predictors = [make(ensemble=2, training__epochs=3) for _ in range(2)]
    sessions = [predictor.fit_session(cells[:40], labels[:40]) for predictor in predictors]
    pairs = PseudoPairs(predictors[0].pack(cells), np.arange(5), np.arange(5, 10), np.ones(5, dtype=np.float32))
    for predictor, session in zip(predictors, sessions, strict=True):
        session.refine(pairs, share=0.5, epochs=1, slow_down=1.0)
        if predictor is predictors[0]:
            copy.deepcopy(predictor).predict(cells)
        session.refine(pairs, share=0.5, epochs=1, slow_down=1.0)
        session.rescale()
    assert np.array_equal(predictors[0].predict(cells), predictors[1].predict(cells))


@pytest.mark.parametrize("options", [{"ensemble": 2}, {"ensemble": 1}, {"ensemble": 2, "training__held_out": 0.2}])
def test_a_pickle_of_a_fitted_predictor_holds_what_was_learnt_and_little_else(
    cells: list[Architecture], labels: FloatArray, options: dict[str, Any]
) -> None:
    predictor = Predictor(regressors=None, training=Training(epochs=2, pretrain=0), device="cpu").set_params(**options)
    predictor.fit(cells[:40], labels[:40])
    parameters = [p for model in predictor.ensemble_.models for p in model.parameters()]
    learnt = sum(p.numel() * p.element_size() for p in parameters)
    assert len(pickle.dumps(predictor)) <= 2 * learnt + 100_000
    for alike in (copy.deepcopy(predictor), pickle.loads(pickle.dumps(predictor))):
        assert np.array_equal(alike.predict(cells), predictor.predict(cells))


def test_regressors_add_to_a_pickle_what_they_learnt(cells: list[Architecture], labels: FloatArray) -> None:
    predictor = Predictor(ensemble=2, training=Training(epochs=2, pretrain=0), device="cpu")
    predictor.fit(cells[:40], labels[:40])
    parameters = [p for model in predictor.ensemble_.models for p in model.parameters()]
    learnt = sum(p.numel() * p.element_size() for p in parameters) + len(pickle.dumps(predictor.ensemble_.regressors))
    assert len(pickle.dumps(predictor)) <= 2 * learnt + 100_000
    alike = pickle.loads(pickle.dumps(predictor))
    assert np.array_equal(alike.predict(cells), predictor.predict(cells))


def test_progress_is_told_after_every_epoch_of_every_network(cells: list[Architecture], labels: FloatArray) -> None:
    seen: list[tuple[int, int | None]] = []
    make(ensemble=2, training__epochs=3).fit(
        cells, labels, observer=lambda event: seen.append((event.done, event.total))
    )
    assert seen == [(i, 6) for i in range(1, 7)]


def test_progress_ends_at_its_total_where_every_network_stops_early(
    cells: list[Architecture], labels: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "_held_out_tau", lambda self: 0.5)
    seen: list[tuple[int, int | None]] = []
    predictor = make(ensemble=2, training__epochs=9, training__held_out=0.25, training__patience=2)
    predictor.fit(cells, labels, observer=lambda event: seen.append((event.done, event.total)))
    assert seen == [(done, 18) for done in (1, 2, 3, 9, 10, 11, 12, 18)]


def test_a_predictor_that_stops_early_still_ranks(cells: list[Architecture], labels: FloatArray) -> None:
    predictor = make(training__epochs=40, training__held_out=0.25, training__patience=3).fit(cells[:40], labels[:40])
    assert predictor.score(cells[40:], labels[40:]) > 0.4


# ---------------------------------------------------------------------- scikit-learn


def test_scikit_learn_can_clone_cross_validate_and_search(cells: list[Architecture], labels: FloatArray) -> None:
    predictor = make(regressors={"extra-trees": 0.5}, vocabulary=SPACE.operators)
    for one in (predictor, Predictor()):
        assert clone(one).get_params() == one.get_params()
    assert len(cross_val_score(make(), cells, labels, cv=3)) == 3
    grid = GridSearchCV(make(), {"encoder__layers": [1, 2], "training__epochs": [1, 2]}, cv=2)
    best = grid.fit(cells, labels).best_estimator_
    assert best.encoder.options == {"dim": 16, "layers": grid.best_params_["encoder__layers"]}
    assert best.training.epochs == grid.best_params_["training__epochs"]


@pytest.fixture(scope="module")
def known(labels: FloatArray) -> dict[str, FloatArray]:
    """Columns, of which one tells all."""
    return {"told": labels, "noise": np.random.default_rng(1).normal(size=len(labels))}


READS_COLUMNS: dict[str, Any] = {"ensemble": 0, "regressors": {"bayesian-ridge": 1.0}, "sources": ()}


@pytest.mark.parametrize("frame", [dict, pd.DataFrame])
def test_scikit_learn_splits_a_batch_with_its_features(
    frame: Any, cells: list[Architecture], labels: FloatArray, known: dict[str, FloatArray]
) -> None:
    batch = Batch.of(cells, frame(known))
    scores = cross_val_score(make(**READS_COLUMNS), batch, labels, cv=3)
    by_hand = []
    for train, test in KFold(3).split(labels):
        predictor = make(**READS_COLUMNS)
        predictor.fit([cells[i] for i in train], labels[train], features={k: v[train] for k, v in known.items()})
        by_hand.append(predictor.score([cells[i] for i in test], labels[test], {k: v[test] for k, v in known.items()}))
    assert scores.tolist() == by_hand
    assert scores.min() > 0.9
    grid = GridSearchCV(make(**READS_COLUMNS), {"seed": [0, 1]}, cv=2).fit(batch, labels)
    assert grid.score(batch, labels) > 0.9


@pytest.mark.parametrize("form", ["frame", "structured"])
def test_with_metadata_routing_scikit_learn_hands_features_on(
    form: str, cells: list[Architecture], labels: FloatArray, known: dict[str, FloatArray]
) -> None:
    frame = pd.DataFrame(known)
    features = frame if form == "frame" else frame.to_records(index=False)
    expected = cross_val_score(make(**READS_COLUMNS), Batch.of(cells, known), labels, cv=3)
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(make(**READS_COLUMNS), cells, labels, cv=3, params={"features": features})
    assert scores.tolist() == expected.tolist()


def test_without_metadata_routing_score_says_what_to_give(
    cells: list[Architecture], labels: FloatArray, known: dict[str, FloatArray]
) -> None:
    params = {"features": pd.DataFrame(known)}
    with pytest.raises(DataError, match=r"told, noise, which are missing; .* Batch.of\(architectures, features\)"):
        cross_val_score(make(**READS_COLUMNS), cells, labels, cv=3, params=params, error_score="raise")


@pytest.mark.slow
def test_cross_validation_in_processes_equals_that_in_one(cells: list[Architecture], labels: FloatArray) -> None:
    predictor = make(training=Training(epochs=2, pretrain=0))  # which processes of their own would do
    one, two = (cross_val_score(predictor, cells, labels, cv=2, n_jobs=n).tolist() for n in (None, 2))
    assert one == two


def test_a_fitted_predictor_can_be_copied_and_pickled(ensemble: Predictor, cells: list[Architecture]) -> None:
    expected = ensemble.predict(cells).tolist()
    assert copy.deepcopy(ensemble).predict(cells).tolist() == expected
    assert pickle.loads(pickle.dumps(ensemble)).predict(cells).tolist() == expected


# ---------------------------------------------------------------------- graphs


def test_packed_graphs_of_two_cells_are_learnt_from_like_graphs() -> None:
    graphs = [
        ArchGraph(("a",) * n + ("b",) * m, tuple((i, i + 1) for i in range(n - 1)), None, (0,) * n + (1,) * m)
        for n in (1, 2, 3)
        for m in (0, 1, 2)
    ]
    y = np.arange(9.0)
    for side in ((), ("statistics",)):
        options = {"sources": side}
        one = make(**options, vocabulary=("a", "b")).fit(graphs, y)
        packed = PackedGraphs.from_graphs(graphs, ("a", "b"))
        assert make(**options).fit(packed, y).predict(packed).tolist() == one.predict(graphs).tolist()
        assert one.space_ is None


def test_graphs_packed_for_another_predictor_are_refused(cells: list[Architecture], labels: FloatArray) -> None:
    predictor = make().fit(cells, labels)
    other = PackedGraphs.from_graphs([cells[0].graph.on_nodes], predictor.spec_.vocabulary[::-1])
    with pytest.raises(UsageError, match=r"packed with another vocabulary .* pack them with its method pack\(\)"):
        predictor.predict(other)


@pytest.mark.parametrize("encoder", [*OF_CELLS, None])
def test_no_architectures_get_no_predictions(
    encoder: str | None, cells: list[Architecture], labels: FloatArray
) -> None:
    predictor = make(
        encoder=encoder,
        training__epochs=1,
        ensemble=2,
        sources=("statistics", "choices"),
        regressors={"extra-trees": (1.0, {"trees": 3})},
    ).fit(cells, labels)
    assert predictor.predict([]).shape == predictor.rank([]).shape == predictor.predict_std([]).shape == (0,)
    assert predictor.compare([], []).shape == (0, 0)
    assert predictor.compare(cells[:2], []).shape == (2, 0)


# ---------------------------------------------------------------------- refusals


def test_a_training_that_diverges_says_so(cells: list[Architecture], labels: FloatArray) -> None:
    with pytest.raises(RunError, match="the training diverged, scores are not finite; lower the learning rate"):
        make(training__epochs=30, training__learning_rate=1e30).fit(cells, labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ensemble": 0}, "ensemble is a number of networks of at least 1, or 0 with regressors; 0 was given"),
        (
            {"ensemble": -1, "regressors": {"extra-trees": 1.0}},
            "ensemble, a number of networks, is an integer of at least 0, -1 was given",
        ),
        (
            {"regressors": {"extra-trees": 0.0}},
            "the weight of the regressor extra-trees is a finite number above 0, 0.0 was given",
        ),
        (
            {"regressors": {"extra-trees": float("nan")}},
            "the weight of the regressor extra-trees is a finite number above 0, nan was given",
        ),
        (
            {"regressors": {"extra-trees": float("inf")}},
            "the weight of the regressor extra-trees is a finite number above 0, inf was given",
        ),
        ({"seed": -1}, "seed is an integer of at least 0, -1 was given"),
        ({"training__side_width": 0}, "side_width is an integer of at least 1, 0 was given"),
        ({"training__epochs": 0}, "epochs is an integer of at least 1, 0 was given"),
        ({"device": "tpu"}, "unknown device 'tpu'; choose from: auto, cpu, cuda"),
        ({"device": "cuda:first"}, "unknown device 'cuda:first'; choose from: auto, cpu, cuda"),
        ({"encoder": "gnc"}, "unknown encoder 'gnc'; choose from: "),
        ({"head": "compare"}, "unknown head 'compare'; choose from: comparator"),
        ({"regressors": {"forest": 1.0}, "sources": ["statistics"]}, "unknown regressor 'forest'; choose from: "),
        (
            {"sources": ["choice"]},
            "unknown source 'choice'; choose from: choices, features, network, ",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(
    arguments: dict[str, Any], message: str, cells: list[Architecture], labels: FloatArray
) -> None:
    with pytest.raises(UsageError) as error:
        make(**arguments).fit(cells, labels)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"encoder": Part("gcn", dmi=8)}, "unknown option of the encoder gcn 'dmi'; choose from: dim, "),
        ({"encoder": Part(GCN, dmi=8)}, "unknown option of the encoder GCN 'dmi'; choose from: dim, "),
        ({"encoder__layer": 2}, "unknown option of the encoder gcn 'layer'; choose from: dim, "),
        ({"head": Part("pairwise", margn=1.0)}, "unknown option of the head pairwise 'margn'; choose from: dropout, "),
        (
            {"regressors": {"extra-trees": (1.0, {"tree": 5})}},
            "unknown option of the regressor extra-trees 'tree'; choose from: ",
        ),
    ],
)
def test_misspelt_options_are_refused_with_those_there_are(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        make(**arguments).check()
    text = str(error.value)
    assert text.startswith(message)
    assert "Did you mean" in text
    assert "\n" not in text


def test_unknown_predictors_list_the_choices() -> None:
    with pytest.raises(UnknownNameError, match="unknown predictor 'drats-cifar10'; choose from: "):
        Predictor.load("drats-cifar10")


def test_labels_that_cannot_be_learnt_from_are_refused(cells: list[Architecture]) -> None:
    with pytest.raises(DataError, match=r"60 architectures need as many labels, an array of shape \(3,\) was given"):
        make().fit(cells, [1, 2, 3])
    with pytest.raises(DataError, match="label 1 is not a finite number"):
        make().fit(cells[:3], [1, float("nan"), 3])
    with pytest.raises(DataError, match="all 3 labels are equal"):
        make().fit(cells[:3], [1, 1, 1])
    with pytest.raises(DataError, match="at least 2 labelled architectures"):
        make().fit(cells[:1], [1])


def test_an_unfitted_predictor_says_what_to_call(cells: list[Architecture], tmp_path: Path) -> None:
    predictor = make(ensemble=2)
    for ask in (predictor.predict, predictor.predict_std, predictor.rank, predictor.pack):
        with pytest.raises(NotFittedError, match=r"call fit\(architectures, y\) or Predictor.load first"):
            ask(cells)
    for act in (lambda: predictor.compare(cells, cells), lambda: predictor.save(tmp_path)):
        with pytest.raises(NotFittedError, match=r"call fit\(architectures, y\) or Predictor.load first"):
            act()


def test_what_is_no_architecture_is_named(fitted: Predictor) -> None:
    with pytest.raises(UsageError, match=r"takes Architecture or ArchGraph objects in .* element of type str"):
        fitted.predict(["|none~0|"])  # type: ignore[list-item]


def test_labels_become_normal_scores_of_their_ranks() -> None:
    scores = standardize(np.array([10.0, 1000.0, 11.0]))
    assert scores.tolist() == pytest.approx([-0.9674, 0.9674, 0.0], abs=1e-4)
    assert standardize(np.array([1.0, 1.0, 2.0]))[0] == standardize(np.array([1.0, 1.0, 2.0]))[1]


@pytest.mark.parametrize("name", shipped())
def test_shipped_predictors_load_are_small_and_have_a_card(name: str) -> None:
    predictor = Predictor.load(name)
    assert predictor.card_["labels"]
    assert predictor.card_["data_sha256"]
    folder = Path(__file__).parents[2] / "archpredict" / "pretrained" / name
    assert sum(f.stat().st_size for f in folder.iterdir()) < 3_000_000


# ---------------------------------------------------------------------- CUDA


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("encoder", OF_CELLS)
def test_cpu_and_cuda_rank_alike(encoder: str, cells: list[Architecture], labels: FloatArray) -> None:
    cpu, gpu = (
        make(encoder=encoder, training__epochs=10, sources=("statistics",), device=d).fit(cells, labels).predict(cells)
        for d in ("cpu", "cuda")
    )
    np.testing.assert_allclose(gpu, cpu, atol=0.1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("head", names("heads"))
@pytest.mark.parametrize("encoder", OF_CELLS)
def test_a_predictor_loaded_onto_cuda_predicts_as_on_the_cpu(
    encoder: str, head: str, cells: list[Architecture], labels: FloatArray, tmp_path: Path
) -> None:
    regressors = {"gaussian-process": 0.5}
    options: dict[str, Any] = {
        "training__epochs": 5,
        "ensemble": 2,
        "sources": ("statistics",),
        "regressors": regressors,
    }
    make(encoder=encoder, head=head, device="cpu", **options).fit(cells, labels).save(tmp_path)
    cpu, gpu = (Predictor.load(tmp_path, device=d) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu.predict(cells), cpu.predict(cells), atol=1e-3)
    np.testing.assert_allclose(gpu.predict_std(cells), cpu.predict_std(cells), atol=1e-3)
    np.testing.assert_allclose(gpu.compare(cells, cells), cpu.compare(cells, cells), atol=1e-4)


def test_of_many_labels_a_random_sample_is_learnt_from_which_warns_and_is_that_of_the_seed(
    cells: list[Architecture], labels: FloatArray
) -> None:
    few = Predictor(**FOREST).set_params(training__max_labels=20, seed=3)
    with pytest.warns(UserWarning, match="a random 20 of 60 labels are learnt from; training.max_labels says how many"):
        few.fit(cells[:60], labels[:60])
    rows = few.rows_learnt(60)
    assert (len(rows), few.num_labels_, sorted(set(rows.tolist()))) == (20, 20, rows.tolist())
    by_hand = Predictor(**FOREST).set_params(seed=3).fit([cells[i] for i in rows], labels[rows])
    assert few.predict(cells) == pytest.approx(by_hand.predict(cells))
    assert few.set_params(training__max_labels=None).rows_learnt(60).tolist() == list(range(60))


def test_further_columns_are_sampled_with_their_architectures_and_fine_tuning_samples_too(
    cells: list[Architecture], labels: FloatArray
) -> None:
    few = Predictor(**FOREST).set_params(training__max_labels=20, sources=())
    with pytest.warns(UserWarning, match="20 of 60"):
        few.fit(cells[:60], labels[:60], features={"told": labels[:60]})
    assert few.score(cells[:60], labels[:60], {"told": labels[:60]}) > 0.8
    with pytest.warns(UserWarning, match="20 of 50"):
        few.fine_tune(cells[:50], labels[:50], features={"told": labels[:50]})
    assert few.num_labels_ == 20
