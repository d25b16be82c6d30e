"""Ray Tune: a searcher that lets a strategy of this library decide about the configurations of trials.

The package ``ray[tune]`` is needed (extra ``tune``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archpredict.errors import DataError, MissingDependencyError, UsageError, whole_number
from archpredict.evaluators.objectives.objective import Objective
from archpredict.integrations._driver import Driver, strategy_class
from archpredict.integrations.parameters import ParameterSpace
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.strategies.base import Strategy

try:
    from ray.tune.search import Searcher
    from ray.tune.search.sample import Categorical, Domain, Float, Integer, LogUniform, Quantized, Uniform
    from ray.tune.search.variant_generator import parse_spec_vars
except ImportError as error:
    raise MissingDependencyError(
        "archpredict.integrations.ray_tune needs Ray Tune: pip install 'archpredict[tune]'"
    ) from error

__all__ = ["StrategySearcher"]

_ARCHITECTURE = "architecture"
"""Key of a configuration that holds the notation of an architecture, where there is a space."""
_MOST_OPTIONS = 64
"""Values up to which a range of numbers is taken for a list of ordered options."""

Keys = tuple[str, ...]


class StrategySearcher(Searcher):  # type: ignore[misc]  # Ray Tune's own types are not looked at
    """A searcher of Ray Tune that asks a strategy of this library.

    The strategy decides about ``tune.choice``, and about integers and quantised numbers of at most 64 values, which it
    knows as ordered. Everything else in ``param_space`` is drawn at random as it says. With ``space`` each
    configuration has a further entry ``architecture``, a notation of that space.

    What a trial reported last is its label, also of one that a scheduler stopped early; one that fails, or reports no
    finite number of that name, is a failed evaluation and its configuration is not asked for again. Ray Tune's own
    ``ConcurrencyLimiter`` says how many trials run at a time; with one at a time the run is the strategy's own.

    Args:
        strategy: Name of a strategy, a reference ``module:Class``, or a class.
        space: The search space whose architectures are searched, in place of the choices in ``param_space``.
        metric: Name of the label in what trials report; a list of several objectives. None: that of ``TuneConfig``, of
            which Ray Tune tells where there is a ``param_space``.
        mode: ``min`` or ``max``, or one for each metric.
        budget: Trials that the strategy plans with; when they are used up it doubles.
        seed: Of the strategy, and of what it does not decide.
        options: Of the strategy, by name.

    Raises:
        UsageError: There is no such strategy, option or mode, or ``param_space`` leaves the strategy nothing to decide.

    Example:
        >>> from ray import tune
        >>> searcher = StrategySearcher("evolution", metric="accuracy", mode="max", budget=20)
        >>> searcher.set_search_properties(None, None, {"depth": tune.randint(1, 5), "width": tune.choice([8, 16])})
        True
        >>> for i in range(8):
        ...     config = searcher.suggest(f"trial {i}")
        ...     searcher.on_trial_complete(f"trial {i}", {"accuracy": config["depth"] + config["width"]})
        >>> sorted({(e.architecture.choices, e.score) for e in searcher.results})[-1]
        ((3, 1), 20.0)
    """

    def __init__(
        self,
        strategy: str | type[Strategy] = "predictor-guided",
        *,
        space: str | type[SearchSpace] | SearchSpace | None = None,
        metric: str | list[str] | None = None,
        mode: str | list[str] | None = None,
        budget: int = 100,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(metric=metric, mode=mode)
        self._metric: str | list[str] | None = metric
        self._mode: str | list[str] | None = mode
        self._options = dict(options or {})
        self._strategy = strategy_class(strategy, self._options)
        self._space = None if space is None else load_space(space)
        self._budget = whole_number("the budget, a number of trials,", budget, self._strategy.min_budget)
        self._seed = whole_number("the seed", seed, 0)
        self._decided: dict[Keys, tuple[Any, ...]] = {}
        self._drawn: dict[Keys, Domain] = {}
        self._parameters: ParameterSpace | None = None
        self._driver: Driver | None = None
        self._running: dict[str, tuple[int, ...]] = {}
        self._suggested = 0
        self._ended: list[tuple[list[int], list[float] | None]] = []

    @property
    def results(self) -> list[Any]:
        """Results so far, in the order in which trials ended."""
        return [] if self._driver is None else list(self._driver.strategy.results)

    def set_search_properties(self, metric: Any, mode: Any, config: dict[str, Any], **spec: Any) -> bool:
        if self._driver is not None:
            return False
        self._metric, self._mode = metric or self._metric, mode or self._mode
        objectives = _objectives(self._metric, self._mode)
        strategy_class(self._strategy, self._options, len(objectives))
        _, domains, grids = parse_spec_vars(config)
        if grids:
            raise UsageError("a strategy decides about tune.choice, not about tune.grid_search; write tune.choice")
        found = {path: None if self._space is not None else _values(domain) for path, domain in domains}
        self._decided = {path: values for path, values in found.items() if values is not None}
        self._drawn = {path: domain for path, domain in domains if found[path] is None}
        space = self._space
        if space is None:
            space = self._parameters = _parameter_space(self._decided, dict(domains))
        self._driver = Driver(
            self._strategy, space, budget=self._budget, objectives=objectives, seed=self._seed, options=self._options
        )
        self._replay()
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        self._begin_if_told_nothing()
        if self._driver is None:
            raise UsageError(
                "the searcher does not know what it searches; give `param_space` to the tuner, or a `space`"
            )
        architecture = self._driver.ask(self._suggested)
        self._driver.begin([architecture])
        self._running[trial_id] = architecture.choices
        rng = np.random.default_rng([self._seed, 1, self._suggested])
        self._suggested += 1
        config: dict[str, Any] = {}
        for path, domain in self._drawn.items():
            _put(config, path, domain.sample(random_state=rng))
        if self._parameters is None:
            return {**config, _ARCHITECTURE: str(architecture)}
        chosen = self._parameters.values_of(architecture.choices)
        for path in self._decided:
            _put(config, path, chosen["/".join(path)])
        return config

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        choices = self._running.get(trial_id)
        if choices is None:  # of another searcher
            return
        self._begin_if_told_nothing()
        if self._driver is None:
            return
        del self._running[trial_id]
        values = None if error or result is None else _reported(result, self._driver.objectives)
        self._ended.append((list(choices), values))
        self._tell(choices, values)

    def _begin_if_told_nothing(self) -> None:
        """Begin with the space alone, as a tuner without ``param_space`` tells its searcher nothing."""
        if self._driver is None and self._space is not None:
            self.set_search_properties(None, None, {})

    def _tell(self, choices: Sequence[int], values: Sequence[float] | None) -> None:
        assert self._driver is not None
        architecture = Architecture(self._driver.space, tuple(choices))
        self._driver.tell([self._driver.result(architecture, values, "the trial failed, or reported no finite label")])

    # ------------------------------------------------------------------ state

    def save(self, checkpoint_path: str) -> None:
        """Write what trials have reported, from which the strategy is made again, as JSON."""
        state = {"suggested": self._suggested, "running": self._running, "ended": self._ended}
        Path(checkpoint_path).write_text(json.dumps(state), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Go on where :meth:`save` was called, with the same arguments and ``param_space``.

        Raises:
            DataError: The file holds no state of such a searcher.
        """
        try:
            state = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
            self._suggested = int(state["suggested"])
            self._running = {str(trial): tuple(map(int, row)) for trial, row in state["running"].items()}
            self._ended = [(list(map(int, row)), _floats(values)) for row, values in state["ended"]]
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{checkpoint_path} holds no state of a searcher: {error}") from error
        if self._driver is not None:
            self._driver = self._driver.anew()
            self._replay()

    def _replay(self) -> None:
        assert self._driver is not None
        for row in [*self._running.values(), *(row for row, _ in self._ended)]:
            self._driver.space.validate(row)
        for row, values in self._ended:
            self._tell(row, values)
        space = self._driver.space
        self._driver.begin(space.architectures(space.rows(list(self._running.values()))))


# ---------------------------------------------------------------------- configurations


def _objectives(metric: Any, mode: Any) -> list[Objective]:
    names = [metric] if isinstance(metric, str) else list(metric or ())
    modes = [mode] * len(names) if isinstance(mode, str) else list(mode or ())
    if not names or len(modes) != len(names) or not {*modes} <= {"min", "max"}:
        raise UsageError(
            f"the metric is {metric!r} and the mode {mode!r}; give the searcher the name of what trials report, and "
            "min or max: a tuner tells those of its TuneConfig only where it has a param_space"
        )
    return [Objective(name, "min" if way == "min" else "max") for name, way in zip(names, modes, strict=True)]


def _reported(result: Mapping[str, Any], objectives: Sequence[Objective]) -> list[float] | None:
    """The labels in what a trial reported, None where one is missing or not finite."""
    try:
        values = [float(result[objective.name]) for objective in objectives]
    except (KeyError, TypeError, ValueError):
        return None
    return values if all(map(math.isfinite, values)) else None


def _floats(values: Sequence[float] | None) -> list[float] | None:
    return None if values is None else list(map(float, values))


def _put(config: dict[str, Any], path: Keys, value: Any) -> None:
    for key in path[:-1]:
        config = config.setdefault(key, {})
    config[path[-1]] = value


def _parameter_space(decided: Mapping[Keys, tuple[Any, ...]], domains: Mapping[Keys, Domain]) -> ParameterSpace:
    if not decided:
        raise UsageError(
            "`param_space` leaves the strategy nothing to decide; write tune.choice, tune.randint or a quantised range "
            "of at most 64 values, or give `space`"
        )
    ranges = {path: values for path, values in decided.items() if not isinstance(domains[path], Categorical)}
    numbers = {
        "/".join(path): [math.log(v) if isinstance(_plain_sampler(domains[path]), LogUniform) else v for v in values]
        for path, values in ranges.items()
    }
    return ParameterSpace({"/".join(path): values for path, values in decided.items()}, numbers)


def _plain_sampler(domain: Domain) -> Any:
    sampler = domain.get_sampler()
    return sampler.sampler if isinstance(sampler, Quantized) else sampler


def _values(domain: Domain) -> tuple[Any, ...] | None:
    """All values of a domain that is uniform, None where these are many."""
    if not isinstance(_plain_sampler(domain), Uniform | LogUniform):
        return None
    if isinstance(domain, Categorical):
        return tuple(domain.categories)
    values = tuple(_steps(domain)) if isinstance(domain, Integer | Float) else ()
    return values if 0 < len(values) <= _MOST_OPTIONS else None


def _steps(domain: Domain) -> Iterator[Any]:
    """The values of a range with steps, a few more than can be options where there are more."""
    sampler = domain.get_sampler()
    step = sampler.q if isinstance(sampler, Quantized) else 1 if isinstance(domain, Integer) else None
    if not step:
        return
    first, last = math.ceil(domain.lower / step - 1e-9), math.floor(domain.upper / step + 1e-9)
    if not isinstance(sampler, Quantized):  # the upper end of integers is not one of them
        last -= 1
    for i in range(first, min(last, first + _MOST_OPTIONS + 1) + 1):
        yield domain.cast(i * step)
