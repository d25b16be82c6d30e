"""Predictor: scikit-learn's contract, ranking, comparing, saving and loading."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from archpredict.encoders.gcn import GCN
from archpredict.errors import DataError, NotFittedError, RunError, UnknownNameError, UsageError
from archpredict.graph import ArchGraph
from archpredict.packed import PackedGraphs
from archpredict.predictor import Predictor, shipped, standardize
from archpredict.spaces.base import Architecture
from archpredict.spaces.nasbench201 import NASBench201

SPACE = NASBench201()


@pytest.fixture(scope="module")
def cells() -> list[Architecture]:
    rows = SPACE.sample(60, np.random.default_rng(0))
    return SPACE.architectures(rows)


@pytest.fixture(scope="module")
def labels(cells: list[Architecture]) -> np.ndarray:
    """More convolutions are better: a ranking that any graph encoder must learn."""
    return np.array([sum(c in (2, 3) for c in a.choices) + 0.1 * a.choices[0] for a in cells])


@pytest.fixture(scope="module")
def fitted(cells: list[Architecture], labels: np.ndarray) -> Predictor:
    return Predictor(epochs=30, ensemble=2).fit(cells[:40], labels[:40])


def test_it_learns_a_ranking_that_holds_on_unseen_architectures(fitted, cells, labels) -> None:
    assert fitted.score(cells[40:], labels[40:]) > 0.6


def test_predictions_read_on_the_scale_of_the_labels(fitted, cells, labels) -> None:
    assert np.abs(fitted.predict(cells[:40]).mean() - labels[:40].mean()) < 0.1
    assert np.abs(fitted.predict(cells[40:]) - labels[40:]).mean() < 1.0


def test_rank_lists_the_best_first_and_ties_keep_their_order(fitted, cells) -> None:
    scores = fitted.predict(cells)
    order = fitted.rank(cells)
    assert (np.diff(scores[order]) <= 1e-4).all()  # ties are those within rounding
    assert fitted.rank([cells[0], cells[0], cells[0]]).tolist() == [0, 1, 2]


def test_compare_is_antisymmetric_and_agrees_with_the_scores(fitted, cells) -> None:
    p = fitted.compare(cells[:10], cells[:10])
    np.testing.assert_allclose(p + p.T, 1, atol=1e-6)
    assert fitted.compare(cells[0], cells[1]) == pytest.approx(p[0, 1], abs=1e-6)
    single = Predictor(epochs=3).fit(cells, np.arange(len(cells)))
    scores = single.predict(cells[:10])
    assert ((single.compare(cells[:10], cells[:10]) > 0.5) == (scores[:, None] > scores[None, :])).all()


def test_ranking_encodes_each_architecture_once(fitted, cells, monkeypatch) -> None:
    encoded = []
    forward = GCN.forward
    monkeypatch.setattr(GCN, "forward", lambda self, batch: encoded.append(batch.num_graphs) or forward(self, batch))
    fitted.rank(cells)
    assert sum(encoded) == len(cells) * fitted.ensemble


def test_equal_seeds_give_equal_predictions_and_the_global_generator_is_left_alone(cells, labels) -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    one, two = (Predictor(epochs=3, seed=5).fit(cells, labels).predict(cells) for _ in range(2))
    assert one.tolist() == two.tolist()
    assert torch.equal(torch.random.get_rng_state(), before)
    other = Predictor(epochs=3, seed=6).fit(cells, labels).predict(cells)
    assert one.tolist() != other.tolist()


def test_isomorphic_architectures_get_the_same_score(cells, labels) -> None:
    graphs = [
        ArchGraph(("a", "b", "c", "d"), ((0, 2), (1, 2), (2, 3))),
        ArchGraph(("b", "a", "c", "d"), ((0, 2), (1, 2), (2, 3))),
    ]
    chain = ArchGraph(("a", "c", "d"), ((0, 1), (1, 2)))
    predictor = Predictor(epochs=2).fit([*graphs, chain], [1.0, 1.0, 2.0])
    one, two = predictor.predict(graphs)
    assert one == pytest.approx(two, abs=1e-5)


def test_standard_deviations_come_from_an_ensemble_only(fitted, cells, labels) -> None:
    assert (fitted.predict_std(cells) >= 0).all()
    assert fitted.predict_std(cells).max() > 0
    with pytest.raises(UsageError, match="needs an ensemble; fit the predictor with ensemble=2 or more"):
        Predictor(epochs=1).fit(cells, labels).predict_std(cells)


def test_scikit_learn_can_clone_cross_validate_and_search(cells, labels) -> None:
    predictor = Predictor(epochs=2, encoder_options={"layers": 1})
    assert clone(predictor).get_params() == predictor.get_params()
    assert len(cross_val_score(predictor, cells, labels, cv=3)) == 3
    grid = GridSearchCV(predictor, {"encoder_options": [{"layers": 1}, {"layers": 2}]}, cv=2).fit(cells, labels)
    assert grid.best_params_["encoder_options"]["layers"] in (1, 2)


def test_a_saved_predictor_predicts_the_same_after_loading(fitted, cells, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model", card={"labels": "number of convolutions"})
    loaded = Predictor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(cells), fitted.predict(cells))
    np.testing.assert_array_equal(loaded.compare(cells, cells), fitted.compare(cells, cells))
    assert loaded.card_ == {"labels": "number of convolutions"}
    assert {p.name for p in (tmp_path / "model").iterdir()} == {"predictor.json", "weights.safetensors"}


def test_a_hidden_comparator_keeps_its_opponents_when_saved(cells, labels, tmp_path: Path) -> None:
    predictor = Predictor(epochs=2, head_options={"form": "hidden"}).fit(cells, labels)
    predictor.save(tmp_path)
    np.testing.assert_array_equal(Predictor.load(tmp_path).predict(cells), predictor.predict(cells))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["params"].update(encoder="os:system"), "is not one of archpredict's own"),
        (
            lambda c: c["params"]["encoder_options"].update(dim=10**9),
            "an option of 1000000000 is out of bounds",
        ),
        (lambda c: c["params"].update(ensemble=10**9), "out of bounds"),
        (lambda c: c["params"]["encoder_options"].update(dim=32), "size mismatch"),
        (lambda c: c.update(archpredict_predictor=99), "its format is 99, this version reads 1"),
        (lambda c: c.pop("fitted"), "fitted"),
        (lambda c: c["fitted"].update(location=[float("nan")]), "the scale of its scores is not finite"),
        (lambda c: c["fitted"].update(scale=[-1.0]), "the scale of its scores does not increase"),
        (lambda c: c["fitted"].update(scale=[1.0, 1.0]), "its scores are not scaled once for each model"),
        (lambda c: c["fitted"]["calibration"][0].reverse(), "the scale of its scores does not increase"),
        (lambda c: c["fitted"].update(num_cells=10**9), "an option of 1000000000 is out of bounds"),
        (lambda c: c["params"].update(ensemble=3), "it holds the weights of 1 models, its ensemble has 3"),
        (lambda c: c["params"].update(colour="red"), "colour"),
        (
            lambda c: c["params"]["encoder_options"].update(layers=10_000),
            "49985 of its weights are missing and 0 unknown",
        ),
    ],
)
def test_hostile_or_damaged_predictors_are_refused(cells, labels, tmp_path: Path, change, message: str) -> None:
    Predictor(epochs=1, encoder_options={"dim": 16}).fit(cells, labels).save(tmp_path)
    content = json.loads((tmp_path / "predictor.json").read_text())
    change(content)
    (tmp_path / "predictor.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="does not hold a valid predictor") as error:
        Predictor.load(tmp_path)
    assert message in str(error.value)


def test_weights_that_are_no_safetensors_are_refused(cells, labels, tmp_path: Path) -> None:
    Predictor(epochs=1).fit(cells, labels).save(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(DataError, match="does not hold a valid predictor"):
        Predictor.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w * float("nan"), "its weights are not all finite"),
        (lambda w: w.double(), "(1, 128) of torch.float64, its encoder and head want (1, 128) of torch.float32"),
        (lambda w: w[..., :1].contiguous(), "size mismatch"),
    ],
)
def test_hostile_or_damaged_weights_are_refused(cells, labels, tmp_path: Path, change, message: str) -> None:
    Predictor(epochs=1).fit(cells, labels).save(tmp_path)
    weights = load_file(tmp_path / "weights.safetensors")
    weights["0.head.fc.weight"] = change(weights["0.head.fc.weight"])
    save_file(weights, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match="does not hold a valid predictor") as error:
        Predictor.load(tmp_path)
    assert message in str(error.value)


def test_a_fitted_predictor_can_be_copied_and_pickled(fitted, cells) -> None:
    expected = fitted.predict(cells).tolist()
    assert copy.deepcopy(fitted).predict(cells).tolist() == expected
    assert pickle.loads(pickle.dumps(fitted)).predict(cells).tolist() == expected


@pytest.mark.slow
def test_cross_validation_in_processes_equals_that_in_one(cells, labels) -> None:
    predictor = Predictor(epochs=2)
    one, two = (cross_val_score(predictor, cells, labels, cv=2, n_jobs=n).tolist() for n in (None, 2))
    assert one == two


def test_options_that_hold_numbers_of_numpy_are_saved_as_plain_ones(cells, labels, tmp_path: Path) -> None:
    options = {"layers": np.int64(2), "dropout": np.float64(0.1)}
    predictor = Predictor(epochs=np.int64(1), seed=np.int64(2**62), encoder_options=options).fit(cells, labels)
    predictor.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert loaded.encoder_options == {"layers": 2, "dropout": 0.1}
    assert loaded.predict(cells).tolist() == predictor.predict(cells).tolist()


def test_packed_graphs_of_two_cells_are_learnt_from_like_graphs(tmp_path: Path) -> None:
    graphs = [
        ArchGraph(("a",) * n + ("b",) * m, tuple((i, i + 1) for i in range(n - 1)), None, (0,) * n + (1,) * m)
        for n in (1, 2, 3)
        for m in (0, 1, 2)
    ]
    y = np.arange(9.0)
    one = Predictor(epochs=3, vocabulary=("a", "b")).fit(graphs, y)
    packed = PackedGraphs.from_graphs(graphs, ("a", "b"))
    assert Predictor(epochs=3).fit(packed, y).predict(packed).tolist() == one.predict(graphs).tolist()


def test_graphs_packed_for_another_predictor_are_refused(fitted, cells) -> None:
    graphs = [cells[0].graph.on_nodes]
    other = PackedGraphs.from_graphs(graphs, (*fitted.vocabulary_[::-1],))
    with pytest.raises(UsageError, match=r"packed with another vocabulary .* pack them with its method pack\(\)"):
        fitted.predict(other)


def test_no_architectures_get_no_predictions(fitted) -> None:
    assert fitted.predict([]).shape == fitted.rank([]).shape == (0,)
    assert fitted.compare([], []).shape == (0, 0)


def test_a_training_that_diverges_says_so(cells, labels) -> None:
    with pytest.raises(RunError, match="the training diverged, scores are not finite; lower the learning rate"):
        Predictor(epochs=30, learning_rate=1e6).fit(cells, labels)


def test_arguments_out_of_range_are_refused(cells, labels) -> None:
    with pytest.raises(UsageError, match="ensemble is a number of models of at least 1, 0 was given"):
        Predictor(ensemble=0).fit(cells, labels)
    with pytest.raises(UsageError, match="the seed is an integer of at least 0, -1 was given"):
        Predictor(seed=-1).fit(cells, labels)
    for name in ("tpu", "cuda:first"):
        with pytest.raises(UsageError, match=f"unknown device '{name}'; choose from: auto, cpu, cuda"):
            Predictor(device=name).fit(cells, labels)


def test_unknown_names_list_the_choices(cells, labels) -> None:
    with pytest.raises(UnknownNameError, match="unknown predictor 'drats-cifar10'; choose from: "):
        Predictor.load("drats-cifar10")
    with pytest.raises(UnknownNameError, match=r"unknown encoder 'gnc'; choose from: .*gcn.*Did you mean 'gcn'"):
        Predictor("gnc").fit(cells, labels)
    with pytest.raises(UnknownNameError, match=r"unknown head 'compare'; choose from: .*comparator"):
        Predictor(head="compare").fit(cells, labels)


def test_labels_that_cannot_be_learnt_from_are_refused(cells) -> None:
    with pytest.raises(DataError, match=r"60 architectures need as many labels, an array of shape \(3,\) was given"):
        Predictor().fit(cells, [1, 2, 3])
    with pytest.raises(DataError, match="label 1 is not a finite number"):
        Predictor().fit(cells[:3], [1, float("nan"), 3])
    with pytest.raises(DataError, match="all 3 labels are equal"):
        Predictor().fit(cells[:3], [1, 1, 1])
    with pytest.raises(DataError, match="at least 2 labelled architectures"):
        Predictor().fit(cells[:1], [1])


def test_an_unfitted_predictor_says_what_to_call(cells, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match=r"call fit\(architectures, y\) or Predictor.load first"):
        Predictor().predict(cells)
    with pytest.raises(NotFittedError, match="nothing to save"):
        Predictor().save(tmp_path)


def test_what_is_no_architecture_is_named(fitted) -> None:
    with pytest.raises(UsageError, match="takes Architecture or ArchGraph objects, str was given"):
        fitted.predict(["|none~0|"])


def test_labels_become_normal_scores_of_their_ranks() -> None:
    scores = standardize(np.array([10.0, 1000.0, 11.0]))
    assert scores.tolist() == pytest.approx([-0.9674, 0.9674, 0.0], abs=1e-4)
    assert standardize(np.array([1.0, 1.0, 2.0]))[0] == standardize(np.array([1.0, 1.0, 2.0]))[1]


@pytest.mark.parametrize("name", shipped())
def test_shipped_predictors_load_are_small_and_have_a_card(name: str) -> None:
    predictor = Predictor.load(name)
    assert predictor.card_["labels"]
    assert predictor.card_["data_sha256"]
    folder = Path(__file__).parent.parent / "archpredict" / "pretrained" / name
    assert sum(f.stat().st_size for f in folder.iterdir()) < 3_000_000


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cpu_and_cuda_rank_alike(cells, labels) -> None:
    cpu, gpu = (Predictor(epochs=20, device=d).fit(cells, labels).predict(cells) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu, cpu, atol=1e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("form", ["linear", "tied", "hidden"])
def test_a_predictor_loaded_onto_cuda_predicts_as_on_the_cpu(cells, labels, tmp_path: Path, form: str) -> None:
    Predictor(epochs=5, device="cpu", head_options={"form": form}).fit(cells, labels).save(tmp_path)
    cpu, gpu = (Predictor.load(tmp_path, device=d) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu.predict(cells), cpu.predict(cells), atol=1e-3)
    np.testing.assert_allclose(gpu.compare(cells, cells), cpu.compare(cells, cells), atol=1e-4)
