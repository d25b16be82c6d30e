"""Our default."""

from __future__ import annotations

from typing import Any

from archpredict.predictors.base import NamedPredictor


class Default(NamedPredictor):
    """What ranked best from few labels: an ensemble of asynchronous graph networks with graph statistics.

    These are the default arguments of :class:`~archpredict.predictor.Predictor`; see there, and
    ``docs/benchmarks.md`` for how they were chosen.
    """

    name = "default"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {}
