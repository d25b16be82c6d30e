"""Optuna: a sampler that lets a strategy of this library drive a study, and a study as a table.

The package ``optuna`` is needed (extra ``optuna``).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archpredict.errors import InvalidArchitectureError, MissingDependencyError, UsageError, whole_number
from archpredict.evaluators.base import Result
from archpredict.evaluators.objectives.objective import Objective
from archpredict.integrations._driver import Driver, strategy_class
from archpredict.integrations.parameters import ParameterSpace
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.strategies.base import Strategy
from archpredict.tables.table import Table

try:
    from optuna import TrialPruned
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.samplers import BaseSampler, RandomSampler
    from optuna.search_space import IntersectionSearchSpace
    from optuna.trial import TrialState
except ImportError as error:
    raise MissingDependencyError(
        "archpredict.integrations.optuna needs Optuna: pip install 'archpredict[optuna]'"
    ) from error

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import BaseTrial, FrozenTrial

__all__ = ["StrategySampler", "study_table", "suggest_architecture"]

_ASKED = "archpredict:asked"
"""Attribute of a trial: the choices that it was given, so that other workers do not take them too."""
_MOST_OPTIONS = 64
"""Steps up to which a range of numbers is taken for a list of ordered options."""


class StrategySampler(BaseSampler):
    """A sampler of Optuna that asks a strategy of this library.

    The strategy decides about categorical parameters, and about numbers with a step and at most 64 values, which it
    knows as ordered. Everything else in a trial is drawn by ``independent_sampler``. Without ``space`` and
    ``search_space`` the parameters are those that all finished trials have in common, so that the first trial is drawn
    too.

    State is only what the study's storage holds: finished trials are told in the order in which they ended, so that a
    study that is resumed in another program goes on as if it had never stopped, and several workers on one storage see
    what the others found and do not evaluate it again. Pruned trials, and those that fail or give no finite value,
    are failed evaluations: they are not asked for again.

    Args:
        strategy: Name of a strategy, a reference ``module:Class``, or a class.
        space: The search space whose architectures the objective reads with :func:`suggest_architecture`.
        search_space: Distributions by the name of their parameter, where they are known from the start.
        budget: Trials of the whole study that the strategy plans with; when they are used up it doubles.
        seed: Of the strategy; give all workers of a study the same.
        options: Of the strategy, by name.
        independent_sampler: Draws what the strategy does not decide; None: random, with the seed.

    Raises:
        UsageError: There is no such strategy or option, or both a space and distributions are given.

    Example:
        >>> import optuna
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> def objective(trial):
        ...     operator = trial.suggest_categorical("operator", ["conv", "pool", "skip"])
        ...     return trial.suggest_int("depth", 1, 4) * (2.0 if operator == "conv" else 1.0)
        >>> study = optuna.create_study(direction="maximize", sampler=StrategySampler("evolution", budget=20))
        >>> study.optimize(objective, n_trials=12)
        >>> study.best_params
        {'operator': 'conv', 'depth': 4}
    """

    def __init__(
        self,
        strategy: str | type[Strategy] = "predictor-guided",
        *,
        space: str | type[SearchSpace] | SearchSpace | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
        budget: int = 100,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
        independent_sampler: BaseSampler | None = None,
    ) -> None:
        if space is not None and search_space is not None:
            raise UsageError("both `space` and `search_space` were given; a study has one of them: leave one out")
        self._options = dict(options or {})
        self._strategy = strategy_class(strategy, self._options)
        self._space = None if space is None else load_space(space)
        self._search_space = dict(search_space or {})
        self._budget = whole_number("the budget, a number of trials,", budget, self._strategy.min_budget)
        self._seed = whole_number("the seed", seed, 0)
        self._independent = RandomSampler(seed) if independent_sampler is None else independent_sampler
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._study: tuple[str, int] | None = None
        self._common = IntersectionSearchSpace()
        self._replica: _Replica | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what follows from the study's storage."""
        left_out = ("_lock", "_study", "_common", "_replica")
        return {name: value for name, value in self.__dict__.items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def reseed_rng(self) -> None:
        self._independent.reseed_rng()

    # ------------------------------------------------------------------ what Optuna asks

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if self._space is not None:
            return dict(_distributions(self._space))
        if self._search_space:
            return dict(self._search_space)
        with self._lock:
            self._turn_to(study)
            found = self._common.calculate(study)
        return {name: d for name, d in found.items() if _values(d) is not None and not d.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._check_objectives(study)
        decided = {name: d for name, d in search_space.items() if _values(d) is not None}
        with self._lock:
            chosen = self._ask(study, trial, decided) if decided else {}
        others = {
            name: self._independent.sample_independent(study, trial, name, d)
            for name, d in search_space.items()
            if name not in decided
        }
        return {name: chosen[name] if name in chosen else others[name] for name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        self._check_objectives(study)
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _check_objectives(self, study: Study) -> None:
        strategy_class(self._strategy, self._options, len(study.directions))

    # ------------------------------------------------------------------ asking the strategy

    def _turn_to(self, study: Study) -> None:
        """Forget what was known of another study."""
        this = (study.study_name, id(study._storage))
        if this != self._study:
            self._study, self._common, self._replica = this, IntersectionSearchSpace(), None

    def _ask(self, study: Study, trial: FrozenTrial, decided: Mapping[str, BaseDistribution]) -> dict[str, Any]:
        self._turn_to(study)
        if self._replica is None or self._replica.decided != decided:
            self._replica = _Replica(self, _objectives(study), decided)
        replica = self._replica
        while True:
            running = _running(study, trial.number)  # first: what ends meanwhile is known twice, and not neither way
            replica.learn(study.get_trials(deepcopy=False))
            architecture = replica.ask(running.values(), trial.number)
            study._storage.set_trial_system_attr(trial._trial_id, _ASKED, list(architecture.choices))
            # Another worker may have taken the same at the same time: the trial with the smaller number keeps it.
            since = {n: asked for n, asked in _running(study, trial.number).items() if n not in running}
            if list(architecture.choices) not in [asked for n, asked in since.items() if n < trial.number]:
                return replica.parameters.values_of(architecture.choices)

    def _driver(self, space: SearchSpace, objectives: Sequence[Objective], known: Sequence[Result]) -> Driver:
        return Driver(
            self._strategy,
            space,
            budget=self._budget,
            objectives=objectives,
            seed=self._seed,
            options=self._options,
            known=known,
        )


class _Replica:
    """A strategy that has been told what a study's storage holds."""

    def __init__(
        self,
        sampler: StrategySampler,
        objectives: Sequence[Objective],
        decided: Mapping[str, BaseDistribution],
    ) -> None:
        own = sampler._space is not None and decided == _distributions(sampler._space)
        self.parameters = _parameter_space(decided)
        self.space: SearchSpace = sampler._space if own and sampler._space is not None else self.parameters
        self.decided = dict(decided)
        self._sampler, self._objectives = sampler, objectives
        self._driver: Driver | None = None
        self._trials: set[int] = set()
        self._labelled: set[str] = set()

    def learn(self, trials: Sequence[FrozenTrial]) -> None:
        """Tell the strategy what has ended since the last time, in the order in which it did."""
        ended = [t for t in trials if t.state.is_finished() and t.number not in self._trials]
        ended.sort(key=lambda t: (t.datetime_complete.timestamp() if t.datetime_complete else 0.0, t.number))
        self._trials.update(t.number for t in ended)
        first = 0
        if self._driver is None:  # what ended before this sampler asked for anything is known from the start
            asked = (i for i, t in enumerate(ended) if _ASKED in t.system_attrs)
            first = next(asked, len(ended))
            empty = self._sampler._driver(self.space, self._objectives, ())
            known = self._results(ended[:first], empty)
            self._driver = self._sampler._driver(self.space, self._objectives, known) if known else empty
        self._driver.tell(self._results(ended[first:], self._driver))

    def _results(self, trials: Sequence[FrozenTrial], driver: Driver) -> list[Result]:
        """Results of the trials that have all parameters, without those of what has a label already.

        One that was asked for something and ended without it has failed.
        """
        found = []
        for trial in trials:
            architecture = self._architecture(trial.params)
            values = trial.values if trial.state == TrialState.COMPLETE and architecture is not None else None
            architecture = architecture or self._asked(trial.system_attrs.get(_ASKED, ()))
            if architecture is None or architecture.key in self._labelled:
                continue
            result = driver.result(architecture, values, f"the trial ended as {trial.state.name.lower()}")
            if result.score is not None:
                self._labelled.add(architecture.key)
            found.append(result)
        return found

    def _architecture(self, params: Mapping[str, Any]) -> Architecture | None:
        choices = self.parameters.choices_of(_on_the_grid(params, self.decided))
        if choices is None or not self.space.is_valid(self.space.rows([choices]))[0]:
            return None
        return Architecture(self.space, choices)

    def _asked(self, choices: Sequence[int]) -> Architecture | None:
        """What a trial was asked for, if that is of the space."""
        return Architecture(self.space, tuple(choices)) if len(choices) == self.space.num_decisions else None

    def ask(self, running: Iterable[Sequence[int]], turn: int) -> Architecture:
        assert self._driver is not None
        asked = [self._asked(choices) for choices in running]
        self._driver.begin([architecture for architecture in asked if architecture is not None])
        return self._driver.ask(turn)


def suggest_architecture(trial: BaseTrial, space: str | type[SearchSpace] | SearchSpace) -> Architecture:
    """The architecture that a trial is to evaluate; under :class:`StrategySampler` the one its strategy asks for.

    It is one categorical parameter for each choice of the space, so that it works under every sampler of Optuna. Under
    another one than :class:`StrategySampler` the choices may not be legal together; the trial is pruned then. The
    notation of the architecture is kept as the trial's attribute ``architecture``.

    Args:
        trial: The trial.
        space: The search space, the one that the sampler was given.

    Raises:
        optuna.TrialPruned: The choices are no architecture of the space.

    Example:
        >>> from optuna.trial import FixedTrial
        >>> trial = FixedTrial({f"nasbench201.{i}": choice for i, choice in enumerate([3, 0, 1, 0, 0, 2])})
        >>> print(suggest_architecture(trial, "nasbench201"))
        |nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|
    """
    loaded = load_space(space)
    parameters = _distributions(loaded)
    choices = [trial.suggest_categorical(name, d.choices) for name, d in parameters.items()]
    try:
        architecture = loaded.architecture([int(choice) for choice in choices])  # type: ignore[arg-type]
    except InvalidArchitectureError as error:
        raise TrialPruned(str(error)) from error
    trial.set_user_attr("architecture", str(architecture))
    return architecture


def study_table(
    study: Study, space: str | type[SearchSpace] | SearchSpace | None = None, *, objective: int = 0
) -> Table:
    """A study as a table of labelled architectures, one for each set of parameters; more is better in its labels.

    A predictor can be fitted to it, and a search can begin with it. Trials that gave no value are left out, and so are
    those without all of the parameters; of several trials of one architecture the lower median counts.

    Args:
        study: The study.
        space: The search space of a study whose objective uses :func:`suggest_architecture`; None: a space of the
            parameters that all finished trials have in common, as far as they are categorical or have few values.
        objective: Which value of a trial is the label, from 0; what is minimised is negated.

    Raises:
        UsageError: There is no such objective, or the trials have no such parameter in common.
        DataError: Fewer than two architectures have a value, or all values are equal.

    Example:
        >>> import optuna
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
        >>> study.optimize(lambda trial: trial.suggest_categorical("width", [8, 16, 32]) / 4, n_trials=10)
        >>> table = study_table(study)
        >>> sorted(zip(map(str, table.architectures), table.labels.tolist()))
        [('{"width": 16}', -4.0), ('{"width": 32}', -8.0), ('{"width": 8}', -2.0)]
    """
    objectives = _objectives(study)
    if not 0 <= objective < len(objectives):
        raise UsageError(
            f"the study has {len(objectives)} objectives, `objective={objective}` was given; the first one is 0"
        )
    loaded = None if space is None else load_space(space)
    common = _distributions(loaded) if loaded is not None else IntersectionSearchSpace().calculate(study)
    common = {name: d for name, d in common.items() if _values(d) is not None}
    if not common:
        raise UsageError("the finished trials of the study have no parameter with few values in common")
    parameters = _parameter_space(common)
    target, sign = objectives[objective].name, objectives[objective].sign
    rows = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        choices, label = parameters.choices_of(_on_the_grid(trial.params, common)), trial.values[objective]
        if choices is not None and math.isfinite(label):
            rows.append({"architecture": list(choices), target: sign * label})
    return Table.from_rows(rows, parameters if loaded is None else loaded, target, name=study.study_name)


# ---------------------------------------------------------------------- distributions


def _distributions(space: SearchSpace) -> dict[str, CategoricalDistribution]:
    return {f"{space.name}.{i}": CategoricalDistribution(tuple(range(n))) for i, n in enumerate(space.num_choices)}


def _parameter_space(decided: Mapping[str, BaseDistribution]) -> ParameterSpace:
    numbers = {name: _numbers(d) for name, d in decided.items()}
    options = {name: _values(d) or () for name, d in decided.items()}
    return ParameterSpace(options, {name: n for name, n in numbers.items() if n is not None})


def _on_the_grid(params: Mapping[str, Any], decided: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """The parameters that are decided, numbers as they are listed: 0.1 + 0.2 is the 0.3 of a list in steps of 0.1."""
    found = {name: params[name] for name in decided if name in params}
    for name, value in found.items():
        distribution = decided[name]
        if not isinstance(distribution, CategoricalDistribution) and distribution._contains(value):
            found[name] = min(_values(distribution) or (), key=lambda listed: abs(listed - value))
    return found


def _values(distribution: BaseDistribution) -> tuple[Any, ...] | None:
    """All values that a parameter can have, None where these are many."""
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    if not isinstance(distribution, IntDistribution | FloatDistribution):
        return None
    if distribution.single():
        return (distribution.low,)
    if distribution.step is None:
        return None
    steps = round((distribution.high - distribution.low) / distribution.step)
    if not 0 < steps < _MOST_OPTIONS:
        return None
    exact = [distribution.low + i * distribution.step for i in range(steps + 1)]
    return tuple(exact) if isinstance(distribution, IntDistribution) else tuple(map(float, exact))


def _numbers(distribution: BaseDistribution) -> tuple[float, ...] | None:
    """What the values of a range stand for, logarithms where the range is one of ratios; None of categories."""
    values = _values(distribution)
    if not isinstance(distribution, IntDistribution | FloatDistribution) or values is None:
        return None
    return tuple(math.log(value) if distribution.log else float(value) for value in values)


def _objectives(study: Study) -> list[Objective]:
    number = len(study.directions)
    names = study.metric_names or (["value"] if number == 1 else [f"value{i}" for i in range(number)])
    return [
        Objective(name, "min" if direction.name == "MINIMIZE" else "max")
        for name, direction in zip(names, study.directions, strict=True)
    ]


def _running(study: Study, without: int) -> dict[int, list[int]]:
    """The choices of the trials that are being evaluated, by number, as far as this sampler gave them any."""
    trials = study._storage.get_all_trials(study._study_id, deepcopy=False, states=(TrialState.RUNNING,))
    return {t.number: t.system_attrs[_ASKED] for t in trials if t.number != without and _ASKED in t.system_attrs}
