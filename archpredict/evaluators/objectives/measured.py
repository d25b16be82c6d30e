"""The numbers that a search asks for, taken from what an evaluator gives and from the costs that a space computes."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archpredict.errors import UsageError
from archpredict.evaluators.base import SCORE, Evaluator, Result
from archpredict.evaluators.objectives.objective import Objective

__all__ = ["check_measured", "measured", "values_of"]


def check_measured(names: Sequence[str], evaluator: Evaluator, costs: Collection[str]) -> None:
    """Check that every number can be known, as far as that can be told before anything is evaluated.

    Args:
        names: Of objectives and limits.
        evaluator: What evaluates.
        costs: Names of the costs that the space computes.

    Raises:
        UsageError: One of them is neither a cost of the space nor given by the evaluator.
    """
    also = evaluator.also_measures
    if also is None:
        return
    given = (*evaluator.label_names, *also)
    for name in names:
        if name not in (SCORE, *given) and name not in costs:
            computed = f", the space computes {', '.join(sorted(costs))}" if costs else ""
            more = "; read it with `features`" if evaluator.name == "table" else ""
            raise UsageError(
                f"nothing gives {name!r}: the evaluator {evaluator.name} gives {', '.join(given)}{computed}{more}"
            )


def values_of(result: Result, names: Sequence[str], label_names: Collection[str]) -> dict[str, float]:
    """The numbers of a result by name, as far as they are known.

    A cost that the space computes comes from the space, whatever the evaluator says; else from the metadata; the names
    of the label are the score.
    """
    costs: Mapping[str, Any] = result.architecture.cost
    found = dict[str, float]()
    for name in names:
        value = costs.get(name, result.metadata.get(name, result.score if name in (SCORE, *label_names) else None))
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found[name] = float(value)
    return found


def measured(
    result: Result, objectives: Sequence[Objective], names: Sequence[str], label_names: Collection[str]
) -> Result:
    """The result with its values; its score is that of the first objective, more is better.

    Args:
        result: As the evaluator gave it, with a finite score or an error.
        objectives: The objectives of the search, none for the score alone.
        names: All numbers that are wanted.
        label_names: Names of the evaluator's label.

    Returns:
        A failed result stays one; one that lacks a number becomes one.
    """
    if result.score is None or not names:
        return result
    values = values_of(result, names, label_names)
    if missing := [name for name in names if name not in values]:
        given = ", ".join([*label_names, *map(str, result.metadata)][:20])
        return replace(
            result, score=None, error=f"the evaluator gave no finite number {missing[0]!r} but only: {given}"
        )
    first = objectives[0] if objectives else None
    return replace(result, score=result.score if first is None else first.sign * values[first.name], values=values)
