"""A predictor bent to labels of one's own, and kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from archpredict.errors import DataError, RunError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import Operation, computational_graph
from archpredict.metrics import kendall_tau
from archpredict.predict.predictor import Predictor
from archpredict.predict.rank.adaptation import AdaptedPredictor, load_ranker
from archpredict.predict.training.training import Training


def chain(widths: tuple[int, ...], kernel: int = 3) -> ArchGraph:
    """Convolutions one after another at 16 x 16."""
    operations, before = [Operation("input", (1, 3, 16, 16))], 3
    for width in widths:
        conv = Operation(
            "conv", (1, width, 16, 16), (kernel, kernel), (1, 1), weight=(width, before, kernel, kernel), bias=True
        )
        operations += [conv, Operation("relu", (1, width, 16, 16))]
        before = width
    operations.append(Operation("output", (1, before, 16, 16)))
    return computational_graph(operations, [(i, i + 1) for i in range(len(operations) - 1)])


def chains(n: int, seed: int) -> tuple[list[ArchGraph], np.ndarray]:
    """Random chains, and what is to be learnt: depth."""
    rng = np.random.default_rng(seed)
    depths = rng.integers(1, 9, n)
    graphs = [chain(tuple(int(w) for w in rng.integers(4, 65, depth))) for depth in depths]
    return graphs, depths + rng.normal(0, 0.3, n)


@pytest.fixture(scope="module")
def base() -> Predictor:
    graphs, labels = chains(40, 0)
    predictor = Predictor(encoder=None, ensemble=0, regressors={"bayesian-ridge": 1.0}, sources=("network",))
    return predictor.fit(graphs, labels)


@pytest.fixture(scope="module")
def adapted(base: Predictor) -> AdaptedPredictor:
    graphs, labels = chains(12, 1)
    return AdaptedPredictor.fit(base, graphs, 100 - 10 / (1 + labels))


def test_predictions_are_on_the_scale_of_the_new_labels_in_the_order_of_the_old(
    base: Predictor, adapted: AdaptedPredictor
) -> None:
    graphs, _ = chains(20, 2)
    predicted = adapted.predict(graphs)
    assert 80 < predicted.min() < predicted.max() < 110
    assert kendall_tau(base.predict(graphs), predicted) > 0.7
    assert adapted.rank(graphs).tolist() == np.argsort(-predicted, kind="stable").tolist()
    assert (adapted.predict_std(graphs) > 0).all()


def test_leaving_one_out_judges_the_base_by_its_own_scores(base: Predictor) -> None:
    graphs, labels = chains(12, 1)
    figures = AdaptedPredictor.fit(base, graphs, labels).leave_one_out()
    assert figures.labels == 12
    assert figures.before == pytest.approx(base.score(graphs, labels))
    assert figures.after > 0.3


def test_the_base_stays_as_it_is(base: Predictor) -> None:
    graphs, labels = chains(12, 3)
    before = base.predict(graphs)
    AdaptedPredictor.fit(base, graphs, -labels)
    assert base.predict(graphs).tolist() == before.tolist()


def test_it_adapts_predictors_of_search_spaces_and_single_networks_too() -> None:
    graphs, labels = chains(10, 4)
    network = Predictor(
        "gcn", "pairwise", sources=(), regressors=None, ensemble=1, training=Training(epochs=2), device="cpu"
    )
    network.fit(graphs, labels)
    predicted = AdaptedPredictor.fit(network, graphs[:5], labels[:5]).predict(graphs)
    assert np.isfinite(predicted).all()


def test_what_was_saved_predicts_the_same(base: Predictor, adapted: AdaptedPredictor, tmp_path: Path) -> None:
    graphs, _ = chains(8, 5)
    adapted.save(tmp_path / "mine", {"labels": "mine"})
    loaded = load_ranker(tmp_path / "mine", "cpu")
    assert isinstance(loaded, AdaptedPredictor)
    assert loaded.card_ == {"labels": "mine"}
    assert loaded.predict(graphs) == pytest.approx(adapted.predict(graphs))
    assert loaded.predict_std(graphs) == pytest.approx(adapted.predict_std(graphs))
    assert loaded.novelty(graphs).tolist() == base.novelty(graphs).tolist()
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
        "README.md", "adaptation.json", "adaptation.safetensors", "base",
    ]  # fmt: skip


def test_an_adapted_predictor_that_cannot_be_written_leaves_the_one_that_was_there(
    adapted: AdaptedPredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: Any, path: Path) -> None:
        raise OSError(28, "No space left on device")

    adapted.save(tmp_path / "mine", {"labels": "mine"})
    with monkeypatch.context() as patch:
        patch.setattr("safetensors.numpy.save_file", full)
        with pytest.raises(RunError, match=r"^cannot save the predictor in .*mine: No space left on device; choose"):
            adapted.save(tmp_path / "mine", {"labels": "others"})
    assert load_ranker(tmp_path / "mine", "cpu").card_ == {"labels": "mine"}
    adapted.save(tmp_path / "mine", {"labels": "others"})
    assert load_ranker(tmp_path / "mine", "cpu").card_ == {"labels": "others"}


def test_a_folder_without_an_adaptation_is_an_ordinary_predictor(base: Predictor, tmp_path: Path) -> None:
    base.save(tmp_path)
    assert isinstance(load_ranker(tmp_path, "cpu"), Predictor)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (2, "adapting needs at least 3 labelled models, 2 were given"),
        (1001, "adapting takes at most 1,000 labels, 1,001 were given; so many can train a predictor of their own"),
    ],
)
def test_too_few_and_too_many_labels_are_refused(base: Predictor, number: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        AdaptedPredictor.fit(base, [chain((4,))] * number, np.arange(float(number)))


def test_equal_labels_are_refused(base: Predictor) -> None:
    with pytest.raises(DataError, match="all 4 labels are equal"):
        AdaptedPredictor.fit(base, chains(4, 0)[0], np.ones(4))


def damaged(folder: Path, how: str) -> None:
    manifest, arrays = folder / "adaptation.json", folder / "adaptation.safetensors"
    content, values = json.loads(manifest.read_text()), load_file(arrays)
    if how == "format":
        manifest.write_text(json.dumps({**content, "archpredict_adaptation": 99}))
    elif how == "json":
        manifest.write_text("{")
    elif how == "nan":
        save_file({**values, "labels": values["labels"] * np.nan}, arrays)
    elif how == "rows":
        save_file({**values, "scores": values["scores"][:-1]}, arrays)
    elif how == "columns":
        save_file({**values, "numbers": np.zeros((12, 3))}, arrays)
    elif how == "members":
        save_file({**values, "members": np.zeros((12, 7))}, arrays)
    else:
        shutil.rmtree(folder / "base")


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("format", "its format is 99, this version reads 1"),
        ("json", ""),
        ("nan", "its numbers are not all finite doubles"),
        ("rows", "it does not hold one row for each label"),
        ("columns", "its numbers are not those of its predictor"),
        ("members", "its members are not those of its predictor"),
        ("base", "unknown predictor"),
    ],
)
def test_a_damaged_folder_is_one_sentence(adapted: AdaptedPredictor, tmp_path: Path, how: str, why: str) -> None:
    folder = tmp_path / "mine"
    adapted.save(folder)
    damaged(folder, how)
    with pytest.raises(DataError, match=f"mine does not hold a valid adapted predictor: .*{why}"):
        AdaptedPredictor.load(folder)
