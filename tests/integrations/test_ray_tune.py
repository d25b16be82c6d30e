"""The searcher for Ray Tune: the runs of its strategy, through Ray Tune itself too."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archpredict.errors import DataError, MissingDependencyError, UsageError
from archpredict.evaluators.base import Result
from archpredict.registry import resolve
from archpredict.strategies.base import Problem, Strategy
from archpredict.testing.toys import ToyEvaluator, ToySpace

ray = pytest.importorskip("ray")
tune = pytest.importorskip("ray.tune")

from archpredict.integrations.ray_tune import StrategySearcher  # noqa: E402

_GUIDED = {"predictor": "bayesian-ridge", "rounds": 3}


def score(text: str) -> float:
    (result,) = ToyEvaluator().evaluate([ToySpace().from_text(text)])
    assert result.score is not None
    return result.score


def searcher(name: str, options: dict[str, Any], mode: str = "max") -> StrategySearcher:
    return StrategySearcher(name, space=ToySpace(), metric="label", mode=mode, budget=30, seed=3, options=options)


def run(search: StrategySearcher, numbers: range, sign: int = 1) -> list[str]:
    found = []
    for i in numbers:
        config = search.suggest(f"trial{i}")
        assert config is not None
        found.append(config["architecture"])
        search.on_trial_complete(f"trial{i}", {"label": sign * score(found[-1]), "training_iteration": 1})
    return found


def alone(name: str, n: int, options: dict[str, Any]) -> list[str]:
    made: type[Strategy] = resolve("strategies", name, Strategy)
    strategy = made(Problem(ToySpace(), 30), seed=3, **options)
    while strategy.num_told < n:
        strategy.tell(list(ToyEvaluator().evaluate(strategy.ask(1))))
    return [str(r.architecture) for r in strategy.results]


@pytest.mark.parametrize(("name", "options"), [("evolution", {}), ("predictor-guided", _GUIDED)])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_one_trial_at_a_time_is_the_run_of_the_strategy(name: str, options: dict[str, Any], mode: str) -> None:
    search = searcher(name, options, mode)
    search.set_search_properties(None, None, {})
    assert run(search, range(25), 1 if mode == "max" else -1) == alone(name, 25, options)


@pytest.mark.parametrize("known_first", [True, False])
def test_what_was_saved_goes_on_as_if_it_had_never_stopped(tmp_path: Path, known_first: bool) -> None:
    search = searcher("predictor-guided", _GUIDED)
    search.set_search_properties(None, None, {})
    first = run(search, range(14))
    search.save(str(tmp_path / "state"))
    again = searcher("predictor-guided", _GUIDED)
    if known_first:
        again.set_search_properties(None, None, {})
    again.restore(str(tmp_path / "state"))
    if not known_first:
        again.set_search_properties(None, None, {})
    assert first + run(again, range(14, 25)) == alone("predictor-guided", 25, _GUIDED)


def test_trials_that_run_or_fail_are_not_suggested_again() -> None:
    search = searcher("evolution", {})
    search.set_search_properties(None, None, {})
    found = []
    for i in range(40):
        config = search.suggest(f"trial{i}")
        assert config is not None
        found.append(ToySpace().from_text(config["architecture"]).key)
        if i >= 4:  # four at a time, one in three of which fails or reports nothing
            results: list[Any] = [None, {"label": float("nan")}, {"other": 1.0}]
            good = {"label": score(config["architecture"])}
            search.on_trial_complete(f"trial{i - 4}", good if i % 3 else results[i // 3 % 3], error=i % 9 == 0)
    assert len({*found}) == 40


def test_each_kind_of_domain() -> None:
    search = StrategySearcher("random", metric="m", mode="min", budget=40)
    config = {
        "kept": 3,
        "inner": {"op": tune.choice(["a", "b"]), "steps": tune.quniform(0.0, 0.3, 0.1)},
        "depth": tune.randint(1, 4),
        "width": tune.qlograndint(8, 32, 8),
        "rate": tune.loguniform(1e-4, 1e-1),
        "many": tune.randint(0, 1000),
    }
    assert search.set_search_properties(None, None, config)
    assert not search.set_search_properties(None, None, config)
    found: list[dict[str, Any]] = []
    for i in range(30):
        suggested = search.suggest(str(i))
        assert suggested is not None
        search.on_trial_complete(str(i), {"m": 1.0})
        found.append(suggested)
    assert {f["inner"]["op"] for f in found} == {"a", "b"}
    assert sorted({round(f["inner"]["steps"], 9) for f in found}) == [0.0, 0.1, 0.2, 0.3]
    assert {f["depth"] for f in found} == {1, 2, 3}
    assert {f["width"] for f in found} <= {8, 16, 24, 32}
    assert len({f["rate"] for f in found}) == 30
    assert all(1e-4 <= f["rate"] <= 1e-1 and 0 <= f["many"] < 1000 and "kept" not in f for f in found)
    assert search.results[0].score == -1.0


def test_several_objectives() -> None:
    search = StrategySearcher("nsga2", space=ToySpace(), metric=["label", "params"], mode=["max", "min"], budget=30)
    search.set_search_properties(None, None, {})
    for i in range(20):
        config = search.suggest(str(i))
        assert config is not None
        architecture = ToySpace().from_text(config["architecture"])
        search.on_trial_complete(str(i), {"label": score(config["architecture"]), **architecture.cost})
    assert {tuple(r.values) for r in search.results} == {("label", "params")}


@pytest.fixture(scope="module")
def machine() -> Iterator[None]:
    """Ray on this machine, with workers that run no later than the tests do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else Ray leaves a token in the home folder
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=80_000_000,
            _system_config={"worker_niceness": 0},
        )
        yield
        ray.shutdown()


@pytest.mark.filterwarnings("ignore")
def test_a_tuner_that_is_interrupted_and_restored_is_one_run(
    machine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNE_GLOBAL_CHECKPOINT_S", "0")  # what has ended is in Ray Tune's own checkpoint at once
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # which leave files open when they are interrupted
    interrupt = tmp_path / "interrupt"
    interrupt.touch()

    def train(config: dict[str, Any]) -> None:
        tune.report({"label": sum(json.loads(config["architecture"]))})

    class Interrupting(tune.Callback):  # type: ignore[misc, name-defined]
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            if interrupt.exists() and len(trials) == 3:
                interrupt.unlink()
                signal.raise_signal(signal.SIGUSR1)  # as an interrupt, at which Ray Tune writes down how far it is

    limited = tune.search.ConcurrencyLimiter(searcher("evolution", {}), max_concurrent=1)
    settings = tune.TuneConfig(metric="label", mode="max", search_alg=limited, num_samples=6, reuse_actors=True)
    kept = tune.RunConfig(name="run", storage_path=str(tmp_path), callbacks=[Interrupting()], verbose=0)
    before = signal.getsignal(signal.SIGUSR1)
    try:
        assert len(tune.Tuner(train, tune_config=settings, run_config=kept).fit()) < 6
    finally:
        signal.signal(signal.SIGUSR1, before)
    results = tune.Tuner.restore(str(tmp_path / "run"), train).fit()
    *_, last = sorted((tmp_path / "run").glob("searcher-state*"))  # one of each time that it ran
    state = json.loads(last.read_text())
    strategy = resolve("strategies", "evolution", Strategy)(Problem(ToySpace(), 30), seed=3)
    while strategy.num_told < 6:
        (asked,) = strategy.ask(1)
        strategy.tell([Result(asked, float(sum(asked.choices)))])
    assert state["ended"] == [[list(r.architecture.choices), [r.score]] for r in strategy.results]
    assert sorted(result.metrics["label"] for result in results) == sorted(r.score for r in strategy.results)


def test_with_a_space_the_tuner_need_tell_nothing() -> None:
    """Ray Tune does not say its metric to the searcher of a tuner without ``param_space``."""
    assert run(searcher("evolution", {}), range(5)) == alone("evolution", 5, {})


def test_a_trial_that_ends_before_anything_is_asked_for_again_is_told(tmp_path: Path) -> None:
    """As Ray Tune does where it restores a tuner without ``param_space``."""
    search = searcher("evolution", {})
    first = run(search, range(5))
    config = search.suggest("late")
    assert config is not None
    search.save(str(tmp_path / "state"))
    again = searcher("evolution", {})
    again.restore(str(tmp_path / "state"))
    again.on_trial_complete("late", {"label": score(config["architecture"])})
    assert [*first, config["architecture"], *run(again, range(6, 9))] == alone("evolution", 9, {})


def test_what_is_wrong_is_said(tmp_path: Path, load_without: Callable[[str, str], None]) -> None:
    with pytest.raises(UsageError, match="the metric is None"):
        StrategySearcher("random").set_search_properties(None, None, {"x": tune.choice([1, 2])})
    plain = StrategySearcher("random", metric="m", mode="max")
    with pytest.raises(UsageError, match="nothing to decide"):
        plain.set_search_properties(None, None, {"x": tune.uniform(0, 1)})
    with pytest.raises(UsageError, match=r"not about tune\.grid_search"):
        plain.set_search_properties(None, None, {"x": tune.grid_search([1, 2])})
    with pytest.raises(UsageError, match="does not know what it searches"):
        plain.suggest("trial")
    with pytest.raises(UsageError, match="the metric is None"):
        StrategySearcher("random", space=ToySpace()).suggest("trial")
    for content in ("[]", "{", '{"suggested": 1, "running": {"a": "b"}, "ended": []}'):
        (tmp_path / "state").write_text(content)
        with pytest.raises(DataError, match="holds no state of a searcher"):
            plain.restore(str(tmp_path / "state"))
    with pytest.raises(MissingDependencyError, match=r"pip install 'archpredict\[tune\]'"):
        load_without("ray_tune", "ray")
