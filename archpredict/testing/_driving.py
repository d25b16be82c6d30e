"""How contracts run a strategy."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from archpredict.evaluators.base import Evaluator, Result
from archpredict.evaluators.objectives.measured import measured
from archpredict.progress import Observer, silent
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem, Recommendation, Strategy


class StrategyFactory(Protocol):
    """Makes the strategy under test, with options that keep a run short."""

    def __call__(self, problem: Problem, *, seed: int = 0, observer: Observer = silent) -> Strategy: ...


def drive(strategy: Strategy, evaluator: Evaluator, batch: int | None = None) -> list[Architecture]:
    """Run a strategy to its end and return everything it asked for, in order.

    Args:
        strategy: Fresh or resumed.
        evaluator: Labels what is asked for.
        batch: Largest number to ask for at once; None: all that the budget leaves.
    """
    asked: list[Architecture] = []
    while architectures := strategy.ask(batch or strategy.problem.budget - strategy.num_told):
        asked += architectures
        strategy.tell(label(evaluator, architectures, strategy.problem))
        assert len(asked) <= strategy.problem.budget, "the strategy asks for more than its budget"
    return asked


def label(evaluator: Evaluator, architectures: Sequence[Architecture], problem: Problem | None = None) -> list[Result]:
    """Results in the order asked, with the numbers that a problem asks for."""
    results = [result for architecture in architectures for result in evaluator.evaluate([architecture])]
    if problem is None:
        return results
    return [measured(result, problem.objectives, problem.names, evaluator.label_names) for result in results]


def saved_and_read(state: Any) -> Any:
    """A state as a checkpoint gives it back: arrays as ``.npy`` without pickle, everything else as JSON."""
    if isinstance(state, np.ndarray):
        file = io.BytesIO()
        np.save(file, state, allow_pickle=False)
        return np.load(io.BytesIO(file.getvalue()), allow_pickle=False)
    if isinstance(state, dict):
        assert all(isinstance(key, str) for key in state), "keys of a state are text"
        return {key: saved_and_read(value) for key, value in state.items()}
    return json.loads(json.dumps(state))


def summary(recommendations: Sequence[Recommendation]) -> list[tuple[str, float | None, bool]]:
    """Recommendations in a form that can be compared between two runs."""
    return [(str(r.architecture), r.score, r.evaluated) for r in recommendations]
