"""Prequential rank correlation: predictions are judged by the labels that arrive after them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from archpredict.evaluators.base import Result
from archpredict.metrics import kendall_tau
from archpredict.spaces.base import Choices

LEAST_PAIRS = 8
"""Pairs below which no rank correlation is told."""


class Prequential:
    """Pairs of a predicted score and the label that came later, of all architectures that were asked for with one.

    Dawid, "Statistical theory: the prequential approach", Journal of the Royal Statistical Society A 147, 1984: a
    prediction is made before the label is known, so no label has to be held out for it. Kendall's tau over all pairs
    so far says how well the strategy's predictor orders what the strategy evaluates. These are the architectures it
    expects most of, which are harder to order than random ones, so it is lower than a tau over random architectures.

    Example:
        >>> judged = Prequential()
        >>> judged.tau is None
        True
        >>> judged.pairs = [(0.1 * i, float(i)) for i in range(8)]
        >>> round(judged.tau, 3)
        1.0
    """

    def __init__(self, pairs: Iterable[tuple[float, float]] = ()) -> None:
        self.pairs = [(float(predicted), float(label)) for predicted, label in pairs]

    def add(self, predicted: Mapping[Choices, float], results: Iterable[Result]) -> bool:
        """Take the labels of results whose score was predicted; returns whether there were any.

        Args:
            predicted: Predicted scores of the architectures that were asked for.
            results: What was told.
        """
        before = len(self.pairs)
        for result in results:
            if result.score is not None and result.architecture.choices in predicted:
                self.pairs.append((predicted[result.architecture.choices], float(result.score)))
        return len(self.pairs) > before

    @property
    def tau(self) -> float | None:
        """Kendall's tau-b over all pairs; None for fewer than eight, and where one side is constant."""
        if len(self.pairs) < LEAST_PAIRS:
            return None
        predicted, labels = zip(*self.pairs, strict=True)
        tau = kendall_tau(labels, predicted)
        return tau if math.isfinite(tau) else None
