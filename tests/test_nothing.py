"""Counts of nothing: no architectures give an empty result of the right shape, or one sentence says what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict import Predictor, Problem, Ranking, Strategy, Table, Training, load_space, rank, search
from archpredict.errors import UsageError
from archpredict.evaluators.zero_cost import ZeroCostEvaluator
from archpredict.metrics import kendall_tau, n_at_k, ndcg, precision_at_k, regret
from archpredict.onnx.files import find_models
from archpredict.predict.batch import Batch
from archpredict.predict.protocols import hold_out, k_folds
from archpredict.predict.rank.adaptation import load_ranker
from archpredict.predict.sources.proxies import Proxies
from archpredict.registry import names, resolve
from archpredict.spaces.base import SearchSpace
from archpredict.testing.strategies import SHORT, toy_space_for
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACES = [*map(load_space, names("spaces")), ToySpace()]
STRATEGIES: list[type[Strategy]] = [resolve("strategies", name, Strategy) for name in names("strategies")]


# ---------------------------------------------------------------------- spaces and problems


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_no_architectures_of_a_space_are_arrays_of_no_rows(space: SearchSpace) -> None:
    rng, width = np.random.default_rng(0), space.num_decisions
    for rows in (space.sample(0, rng), space.mutate([], rng), space.crossover([], [], rng), space.rows([])):
        assert (rows.shape, rows.dtype) == ((0, width), np.int64)
    hot, valid = space.one_hot([]), space.is_valid([])
    assert (hot.shape, hot.dtype) == ((0, sum(space.num_choices)), np.float32)
    assert (valid.shape, valid.dtype) == ((0,), np.bool_)
    assert space.architectures([]) == []


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_no_architectures_have_costs_of_the_same_names(space: SearchSpace) -> None:
    choices = space.sample(1, np.random.default_rng(0))
    for none in (choices[:0], []):
        costs = space.costs(none)
        assert costs.keys() == space.cost(choices[0].tolist()).keys()
        assert {(values.shape, values.dtype) for values in costs.values()} <= {((0,), np.dtype(np.float64))}


@pytest.mark.parametrize("count", [-1, 2.5, True])
def test_what_counts_no_architectures_is_refused(count: Any) -> None:
    with pytest.raises(UsageError, match=r"^n, the number of architectures, is an integer of at least 0, .* was given"):
        ToySpace().sample(count, np.random.default_rng(0))


@pytest.mark.parametrize("pool", [None, ToySpace().enumerate()[:5], np.zeros((0, 6), dtype=np.int64)])
@pytest.mark.parametrize("count", [0, -1])
def test_a_problem_of_which_nothing_is_asked_gives_nothing(count: int, pool: Any) -> None:
    assert Problem(ToySpace(), 20, pool=pool).sample(count, np.random.default_rng(0)) == []


# ---------------------------------------------------------------------- strategies and searches


@pytest.mark.parametrize("kind", STRATEGIES, ids=lambda kind: kind.name)
def test_a_strategy_of_which_nothing_is_asked_gives_nothing(kind: type[Strategy]) -> None:
    strategy = kind(Problem(toy_space_for(kind), 60), seed=0, **SHORT.get(kind.name, {}))
    for told in (False, True):
        if told:
            strategy.tell(list(ToyEvaluator().evaluate(strategy.ask(60))))
        assert bool(strategy.num_told) is told
        for count in (0, -1):
            assert strategy.ask(count) == strategy.recommend(count) == strategy.best_evaluated(count) == []


@pytest.mark.parametrize("kind", STRATEGIES, ids=lambda kind: kind.name)
def test_a_strategy_that_was_told_nothing_recommends_nothing(kind: type[Strategy]) -> None:
    strategy = kind(Problem(toy_space_for(kind), 60), seed=0, **SHORT.get(kind.name, {}))
    assert strategy.recommend(3) == []


@pytest.mark.parametrize("count", [0, -1])
@pytest.mark.parametrize("name", ["top", "budget", "jobs"])
def test_a_search_for_nothing_is_refused(name: str, count: int) -> None:
    with pytest.raises(UsageError, match=rf"^(the )?{name}, .* is an integer of at least 1, {count} was given"):
        search(ToySpace(), ToyEvaluator(), strategy="random", **{"budget": 4, name: count})


@pytest.mark.parametrize("evaluator", [ToyEvaluator(), ZeroCostEvaluator("macs", device="cpu")])
def test_an_evaluator_gives_no_results_for_no_architectures(evaluator: Any) -> None:
    assert list(evaluator.evaluate([])) == []


# ---------------------------------------------------------------------- predictors


PREDICTORS: dict[str, dict[str, Any]] = {
    "networks and regressors": {"ensemble": 2, "regressors": {"gaussian-process": 1.0, "random-forest": 1.0}},
    "comparator": {"encoder": "gcn", "head": "comparator", "ensemble": 2, "regressors": {}},
    "choices": {"encoder": "lstm", "ensemble": 2, "regressors": {}},
}


def _fitted(name: str) -> Any:
    if name not in PREDICTORS:
        return load_ranker(name, "cpu")
    space = load_space("nasbench201")
    cells = space.architectures(space.sample(20, np.random.default_rng(0)))
    return Predictor(training=Training(epochs=1), **PREDICTORS[name]).fit(cells, range(20))


@pytest.mark.parametrize("name", [*PREDICTORS, "imagenet", "darts-cifar10"])
def test_a_predictor_gives_empty_arrays_for_no_architectures(name: str) -> None:
    predictor = _fitted(name)
    distances = [predictor.novelty([])] if predictor.has_novelty else []
    for found in (predictor.predict([]), *predictor.predict([], return_std=True), *distances):
        assert (found.shape, found.dtype) == ((0,), np.float64)
    if isinstance(predictor, Predictor):
        ranks, both = predictor.rank([]), predictor.compare([], [])
        assert (ranks.shape, ranks.dtype) == ((0,), np.int64)
        assert (both.shape, both.dtype, predictor.compare([]).shape) == ((0, 0), np.float64, (0, 0))
        assert np.isnan(predictor.score([], []))


def test_a_predictor_learns_nothing_from_no_labels() -> None:
    with pytest.raises(UsageError, match=r"^at least 2 labelled architectures are needed to learn a ranking, 0 was"):
        Predictor().fit([], [])


def test_zero_cost_scores_of_no_architectures_are_columns_without_rows() -> None:
    found = Proxies(["macs", "params"]).compute(Batch.of([]))
    assert (found.shape, found.dtype) == ((0, 2), np.float64)


# ---------------------------------------------------------------------- models, tables, figures


@pytest.mark.parametrize("models", [[], (), {}])
def test_no_models_give_an_empty_ranking(models: Any) -> None:
    ranking = rank(models)
    assert isinstance(ranking, Ranking)
    assert (len(ranking), ranking.failures, ranking.to_dict()["ranking"]) == (0, (), [])
    assert str(ranking).startswith("0 models ranked by imagenet under the recipe modern\n")


def test_no_places_lead_to_no_files() -> None:
    assert find_models([]) == []


@pytest.mark.parametrize("look", [rank, lambda folder: find_models([folder])])
def test_a_folder_without_models_is_named(look: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^there is no ONNX model in {tmp_path}; give"):
        look(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", ""), ("a.csv", "architecture,accuracy\n"), ("a.jsonl", ""), ("a.json", "[]"), ("a.parquet", "")],
)
def test_an_empty_table_is_named(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=f"^{tmp_path / name} (is empty|has no rows|is no Parquet file)"):
        Table.read(tmp_path / name, "nasbench201", "accuracy")


@pytest.mark.parametrize("figure", [n_at_k, precision_at_k, regret, ndcg])
@pytest.mark.parametrize("k", [0, -1])
def test_figures_of_the_best_0_are_refused(figure: Any, k: int) -> None:
    with pytest.raises(UsageError, match=f"^k must be 1 to the number of architectures, 2; {k} was given"):
        figure([1.0, 2.0], [1.0, 2.0], k)


def test_a_correlation_of_nothing_is_not_defined() -> None:
    assert np.isnan(kendall_tau([], []))


@pytest.mark.parametrize(
    "split",
    [
        lambda: hold_out(10, 0, seed=0),
        lambda: hold_out(10, 4, seed=0, num_test=0),
        lambda: hold_out(10, 4, seed=0, num_test=-3),
        lambda: hold_out(0, 2, seed=0),
        lambda: k_folds(10, 0),
        lambda: k_folds(0, 2),
    ],
)
def test_a_split_with_an_empty_side_is_refused(split: Callable[[], Any]) -> None:
    with pytest.raises(UsageError, match=r"at least|only -?\d can be"):
        split()
