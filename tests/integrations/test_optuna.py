"""The sampler for Optuna: Optuna's own tests of samplers, and what a study sees of a strategy."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

optuna = pytest.importorskip("optuna")

from optuna.testing import pytest_samplers  # noqa: E402
from optuna.trial import TrialState  # noqa: E402

from archpredict.errors import DataError, MissingDependencyError, UsageError  # noqa: E402
from archpredict.evaluators.objectives.objective import Objective  # noqa: E402
from archpredict.integrations import optuna as adapter  # noqa: E402
from archpredict.integrations.optuna import StrategySampler, study_table, suggest_architecture  # noqa: E402
from archpredict.registry import resolve  # noqa: E402
from archpredict.spaces.base import Architecture  # noqa: E402
from archpredict.strategies.base import Problem, Strategy  # noqa: E402
from archpredict.testing.toys import ToyEvaluator, ToySpace  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
optuna.logging.set_verbosity(optuna.logging.ERROR)
_GUIDED = {"predictor": "bayesian-ridge", "rounds": 3}


class TestOneObjective(pytest_samplers.BasicSamplerTestCase, pytest_samplers.SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], StrategySampler]:
        return partial(StrategySampler, "evolution")


class TestSeveralObjectives(pytest_samplers.RelativeSamplerTestCase, pytest_samplers.MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], StrategySampler]:
        return partial(StrategySampler, "nsga2")


def score(architecture: Architecture) -> float:
    (result,) = ToyEvaluator().evaluate([architecture])
    assert result.score is not None
    return result.score


def cost(architecture: Architecture) -> float:
    return architecture.cost["params"]


def objective(trial: Any) -> float:
    return score(suggest_architecture(trial, ToySpace()))


def asked(study: Any) -> list[str]:
    return [trial.user_attrs["architecture"] for trial in study.trials]


def alone(
    name: str, n: int, options: dict[str, Any], objectives: Sequence[Objective] = (), budget: int = 30
) -> Strategy:
    """The strategy itself, asked for one architecture at a time."""
    made: type[Strategy] = resolve("strategies", name, Strategy)
    strategy = made(Problem(ToySpace(), budget, objectives=objectives), seed=3, **options)
    while strategy.num_told < n:
        for result in ToyEvaluator().evaluate(strategy.ask(1)):
            values = dict(zip((o.name for o in objectives), (result.score, cost(result.architecture)), strict=False))
            strategy.tell([type(result)(result.architecture, result.score, values=values)])  # type: ignore[arg-type]
    return strategy


def sampler(name: str = "evolution", options: dict[str, Any] | None = None, **more: Any) -> StrategySampler:
    return StrategySampler(name, **{"space": ToySpace(), "budget": 30, "seed": 3, "options": options, **more})


@pytest.mark.parametrize(("name", "options"), [("evolution", {}), ("local-search", {}), ("predictor-guided", _GUIDED)])
def test_a_study_is_the_run_of_its_strategy(name: str, options: dict[str, Any]) -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler(name, options))
    study.optimize(objective, n_trials=25)
    assert asked(study) == [str(r.architecture) for r in alone(name, 25, options).results]


def test_a_study_that_minimises_is_the_same_run() -> None:
    study = optuna.create_study(direction="minimize", sampler=sampler())
    study.optimize(lambda trial: -objective(trial), n_trials=25)
    assert asked(study) == [str(r.architecture) for r in alone("evolution", 25, {}).results]


def test_several_objectives_have_their_directions() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler("nsga2"))

    def both(trial: Any) -> tuple[float, float]:
        architecture = suggest_architecture(trial, ToySpace())
        return score(architecture), cost(architecture)

    study.optimize(both, n_trials=25)
    objectives = (Objective("value0"), Objective("value1", "min"))
    assert asked(study) == [str(r.architecture) for r in alone("nsga2", 25, {}, objectives).results]


@pytest.mark.parametrize(("name", "options"), [("evolution", {}), ("reinforce", {}), ("predictor-guided", _GUIDED)])
def test_a_study_that_is_resumed_goes_on_as_if_it_had_never_stopped(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    file = optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.log"))
    for n in (7, 8, 10):
        storage = optuna.storages.JournalStorage(file)
        study = optuna.create_study(
            storage=storage,
            study_name="s",
            direction="maximize",
            sampler=sampler(name, options),
            load_if_exists=True,
        )
        study.optimize(objective, n_trials=n)
    assert asked(study) == [str(r.architecture) for r in alone(name, 25, options).results]


@pytest.mark.parametrize("name", ["evolution", "predictor-guided", "local-search"])
def test_workers_on_one_storage_never_evaluate_the_same(name: str) -> None:
    options = _GUIDED if name == "predictor-guided" else {}
    storage = optuna.storages.InMemoryStorage()
    made = partial(optuna.load_study, study_name="s", storage=storage)
    optuna.create_study(storage=storage, study_name="s", direction="maximize")
    workers = [made(sampler=sampler(name, options)) for _ in range(3)]
    rng, running = np.random.default_rng(0), []
    for turn in range(60):
        trial = workers[turn % 3].ask()
        running.append((trial, suggest_architecture(trial, ToySpace())))
        if len(running) == 4:  # they end in any order
            ended, architecture = running.pop(int(rng.integers(4)))
            workers[turn % 3].tell(ended, score(architecture))
    keys = [ToySpace().from_text(text).key for text in asked(workers[0])]
    assert len({*keys}) == len(keys) == 60


def test_threads_of_one_study_never_evaluate_the_same() -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler())
    study.optimize(objective, n_trials=40, n_jobs=4)
    assert len({ToySpace().from_text(text).key for text in asked(study)}) == 40


def test_what_ends_while_the_sampler_looks_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler())
    first = study.ask()
    evaluated = suggest_architecture(first, ToySpace())
    replicas = adapter._Replica
    learn = replicas.learn

    def learn_and_end(replica: Any, trials: Any) -> None:
        learn(replica, trials)
        study.tell(first, score(evaluated), skip_if_finished=True)

    monkeypatch.setattr(replicas, "learn", learn_and_end)
    assert suggest_architecture(study.ask(), ToySpace()).key != evaluated.key


def test_pruned_and_failed_trials_are_not_asked_for_again() -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler())

    def some(trial: Any) -> float:
        value = objective(trial)
        trial.report(value, step=1)
        if trial.number % 5 == 1:
            raise optuna.TrialPruned
        if trial.number % 5 == 2:
            raise RuntimeError("no memory")
        return float("nan") if trial.number % 5 == 3 else float("inf") if trial.number % 5 == 4 else value

    study.optimize(some, n_trials=40, catch=(RuntimeError,))
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    assert len({ToySpace().from_text(text).key for text in asked(study)}) == 40


def test_a_trial_that_is_given_counts_and_is_not_asked_for_again() -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler())
    study.enqueue_trial({f"toy.{i}": choice for i, choice in enumerate([1, 1, 1, 1, 1, 1])})
    study.optimize(objective, n_trials=30)
    keys = [ToySpace().from_text(text).key for text in asked(study)]
    assert asked(study)[0] == "[1, 1, 1, 1, 1, 1]"
    assert len({*keys}) == 30


@pytest.mark.parametrize("name", ["evolution", "predictor-guided"])
def test_a_study_goes_on_beyond_its_budget_and_beyond_its_space(name: str) -> None:
    options = {**_GUIDED, "rounds": 1} if name == "predictor-guided" else {}
    study = optuna.create_study(sampler=StrategySampler(name, budget=8, options=options))
    study.optimize(lambda t: t.suggest_int("x", 0, 3) + 10 * t.suggest_categorical("y", [0, 1, 2, 3, 4]), n_trials=35)
    assert len({tuple(trial.params.values()) for trial in study.trials[:21]}) == 20
    assert study.best_value == 0


def test_numbers_without_steps_are_drawn_beside_what_the_strategy_decides() -> None:
    study = optuna.create_study(sampler=StrategySampler("evolution", budget=30))

    def mixed(trial: Any) -> float:
        rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        step = trial.suggest_float("step", 0.0, 1.0, step=0.1)
        return abs(step - 0.3) + (0.0 if trial.suggest_categorical("operator", ["a", "b"]) == "a" else 1.0) + rate

    study.optimize(mixed, n_trials=22)
    assert len({trial.params["rate"] for trial in study.trials}) == 22
    decided = {(round(trial.params["step"], 6), trial.params["operator"]) for trial in study.trials[1:]}
    assert len(decided) >= 20  # the first trial's is known too, though it was drawn


def test_a_sampler_goes_through_pickle_with_its_settings() -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler())
    study.optimize(objective, n_trials=12)
    study.sampler = pickle.loads(pickle.dumps(study.sampler))
    study.optimize(objective, n_trials=13)
    assert asked(study) == [str(r.architecture) for r in alone("evolution", 25, {}).results]


def test_under_another_sampler_what_is_no_architecture_is_pruned() -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0))
    study.optimize(objective, n_trials=60)
    states = [trial.state for trial in study.trials]
    assert 0 < states.count(TrialState.PRUNED) < 20
    table = study_table(study, ToySpace())
    assert 2 < len(table) <= states.count(TrialState.COMPLETE)
    assert [score(a) for a in table.architectures] == table.labels.tolist()


def test_a_table_of_a_study_that_minimises_has_more_for_what_is_better() -> None:
    study = optuna.create_study(direction="minimize", sampler=StrategySampler("random", budget=20))
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 0.9, step=0.1), n_trials=10)
    table = study_table(study)
    values = [table.space.values_of(a.choices)["x"] for a in table.architectures]  # type: ignore[attr-defined]
    assert table.labels.tolist() == pytest.approx([-value for value in values])


def test_what_is_wrong_is_said(load_without: Callable[[str, str], None]) -> None:
    with pytest.raises(UsageError, match="unknown strategy 'tpe'"):
        StrategySampler("tpe")
    with pytest.raises(UsageError, match="tournamnt"):
        StrategySampler("evolution", options={"tournamnt": 3})
    with pytest.raises(UsageError, match="leave one out"):
        StrategySampler(space="nasbench201", search_space={})
    with pytest.raises(UsageError, match="evolution has one objective, 2 were given"):
        optuna.create_study(directions=["maximize"] * 2, sampler=sampler()).optimize(objective, n_trials=1)
    with pytest.raises(UsageError, match="no parameter with few values in common"):
        study_table(optuna.create_study())
    with pytest.raises(DataError, match="has no rows"):
        study_table(optuna.create_study(), ToySpace())
    with pytest.raises(MissingDependencyError, match=r"pip install 'archpredict\[optuna\]'"):
        load_without("optuna", "optuna")
