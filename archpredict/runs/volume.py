"""The hypervolume of a search with several objectives, over its evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.evaluators.base import Result
from archpredict.metrics.fronts import running_hypervolume
from archpredict.strategies.base import Problem

__all__ = ["Volume", "volume"]


@dataclass(frozen=True)
class Volume:
    """The hypervolume of what a search has found.

    Args:
        reference: The point from which on volume counts, by objective, in their own units.
        over_evaluations: The hypervolume after each evaluation, failed ones and such beyond the limits included.
    """

    reference: Mapping[str, float]
    over_evaluations: Sequence[float]

    @property
    def value(self) -> float:
        """The hypervolume in the end."""
        return self.over_evaluations[-1]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "reference": dict(self.reference),
            "value": self.value,
            "over_evaluations": list(self.over_evaluations),
        }


def volume(problem: Problem, results: Sequence[Result]) -> Volume | None:
    """The hypervolume of results, in the order they were told; None where none has a score."""
    scored = [r.values for r in results if r.score is not None]
    if not scored:
        return None
    reference = problem.reference(problem.oriented(scored))
    curve = running_hypervolume(kept_values(problem, results), reference)
    point = {o.name: float(o.sign * r) for o, r in zip(problem.objectives, reference, strict=True)}
    return Volume(point, curve.tolist())


def kept_values(problem: Problem, results: Sequence[Result]) -> FloatArray:
    """``(n, m)`` objectives, more is better; NaN where an evaluation failed or is beyond a limit."""
    missing = dict.fromkeys((o.name for o in problem.objectives), np.nan)
    kept = [r.values if r.score is not None and problem.keeps_limits(r.values) else missing for r in results]
    return problem.oriented(kept)
